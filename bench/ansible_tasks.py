"""One `lbkit.core.topology` task against one Ansible task for each object.

    lbkit sandbox -- python bench/ansible_tasks.py [--quick]

100 objects: 40 networks and 60 machines on them. The other way, each network is one task that feeds `ip -batch`,
and each machine two, as what is inside a namespace takes an `ip` of its own. Seconds of a task are those of its
playbook less those of an empty one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from lbkit.base import sandbox

CHECKOUT = Path(__file__).resolve().parents[1]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
NETWORKS, MACHINES = 40, 60

Task = dict[str, Any]


def topology() -> dict[str, Any]:
    return {
        "lbkit": 1,
        "name": "many",
        "networks": {f"n{number}": {"cidr": f"10.9.{number}.0/24"} for number in range(NETWORKS)},
        "machines": {f"m{number}": {"networks": [f"n{number % NETWORKS}"]} for number in range(MACHINES)},
    }


def ip(name: str, lines: list[str], *argv: str) -> Task:
    command = {"argv": ["ip", *argv, "-batch", "-"], "stdin": "\n".join(lines)}
    return {"name": name, "ansible.builtin.command": command}


def one_by_one() -> list[Task]:
    tasks = []
    for number in range(NETWORKS):
        bridge = f"ib{number}"
        lines = [
            f"link add {bridge} type bridge",
            f"link set {bridge} up",
            f"address add 10.9.{number}.1/24 dev {bridge}",
        ]
        tasks.append(ip(f"Network {number}", lines))
    for number in range(MACHINES):
        network = number % NETWORKS
        outside = [
            f"netns add im{number}",
            f"link add iv{number} type veth peer name eth0 netns im{number}",
            f"link set iv{number} master ib{network} up",
        ]
        inside = [
            "link set lo up",
            "link set eth0 up",
            f"address add 10.9.{network}.{number + 2}/24 dev eth0",
            f"route add default via 10.9.{network}.1",
        ]
        tasks += [ip(f"Machine {number}", outside), ip(f"Inside {number}", inside, "-n", f"im{number}")]
    return tasks


def play(folder: Path, tasks: list[Task], playbook: Path = PLAYBOOK) -> float:
    """Seconds of a whole ansible-playbook."""
    file = folder / "play.yml"
    hosts = {"name": "Bench", "hosts": "localhost", "gather_facts": False, "tasks": tasks}
    file.write_text(json.dumps([hosts]), encoding="utf-8")  # JSON is YAML
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_REMOTE_TMP": str(folder / "remote"),
    }
    began = time.perf_counter()
    done = subprocess.run(
        [playbook, file], cwd=CHECKOUT, env=environment, check=False, capture_output=True, text=True
    )
    took = time.perf_counter() - began
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="1 round instead of 3")
    arguments = parser.parse_args()
    if not sandbox.inside():
        parser.exit(1, "in a sandbox only: lbkit sandbox -- python bench/ansible_tasks.py\n")
    rounds = 1 if arguments.quick else 3
    bare = {"name": "Bare", "ansible.builtin.command": {"argv": ["true"]}}
    task = {"name": "Topology", "lbkit.core.topology": {"state": "present", "definition": topology()}}
    absent = {"name": "Gone", "lbkit.core.topology": {"state": "absent", "definition": topology()}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        play(folder, [bare])  # fills the caches
        empty = min(play(folder, []) for _ in range(rounds))
        one_bare = min(play(folder, [bare] * 10) - empty for _ in range(rounds)) / 10
        created, standing = [], []
        for _ in range(rounds):
            created.append(play(folder, [task]) - empty)
            standing.append(play(folder, [task]) - empty)
            play(folder, [absent])
        singly = play(folder, one_by_one()) - empty
    print(f"{NETWORKS + MACHINES} objects; fastest of {rounds} rounds\n")
    print("| what | s | times a bare task |")
    print("|---|--:|--:|")
    for what, took in {
        "a bare task (`command: true`)": one_bare,
        "one `topology` task, all to be made": min(created),
        "one `topology` task, nothing to do": min(standing),
        f"one task for each object ({NETWORKS + 2 * MACHINES} tasks), all to be made": singly,
    }.items():
        print(f"| {what} | {took:.2f} | {took / one_bare:.1f} |")


if __name__ == "__main__":
    main()
