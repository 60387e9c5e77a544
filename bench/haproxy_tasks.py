"""A backend's servers by one `lbkit.core.haproxy_backend` task, and by a loop over community.general.haproxy.

    lbkit sandbox -- python bench/haproxy_tasks.py [--quick]

One HAProxy, one backend. All its servers get another weight: by one task, which looks, sends what differs and looks again, and by
the loop, which has 20 turns, scaled. The loop's module cannot add servers: what that takes is the task's alone. Seconds are those of an
`ansible-playbook` with it, less those of one without. The library is the same work without Ansible, in a process that runs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import community
from ansible_tasks import Task, play

from lbkit import haproxies
from lbkit.base import sandbox
from tests.haproxy.bare import running
from tests.haproxy.versions import program

COUNTS, LOOPED = (100, 1000), 20
CONFIG = """
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 1s
backend web
    balance roundrobin
"""


def servers(count: int, weight: int) -> list[dict[str, Any]]:
    return [
        {
            "name": f"s{number}",
            "address": f"10.0.{number // 250}.{number % 250}",
            "port": 8080,
            "weight": weight,
        }
        for number in range(count)
    ]


def task(socket: Path, count: int, weight: int) -> Task:
    given = {"socket": str(socket), "backend": "web", "servers": servers(count, weight), "exclusive": True}
    return {"name": "Servers", "lbkit.core.haproxy_backend": given}


def loop(socket: Path, weight: int) -> Task:
    given = {
        "socket": str(socket),
        "backend": "web",
        "host": "s{{ item }}",
        "state": "enabled",
        "weight": str(weight),
    }
    return {"name": "Loop", "community.general.haproxy": given, "loop": list(range(LOOPED))}


def wanted(count: int, weight: int) -> haproxies.WantedBackend:
    listed = tuple(haproxies.ListedServer(**each) for each in servers(count, weight))
    return haproxies.WantedBackend("web", listed, exclusive=True)


def took(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measured(folder: Path, socket: Path, count: int, rounds: int) -> dict[str, float]:
    """Seconds of each way."""
    at, none = str(socket), haproxies.WantedBackend("web", (), exclusive=True, drain_timeout=0)
    play(folder, [])
    empty = min(play(folder, []) for _ in range(rounds))
    library, added, changed, standing = [], [], [], []
    for _ in range(rounds):
        added.append(play(folder, [task(socket, count, 1)]) - empty)
        assert not haproxies.plan_backend(at, wanted(count, 1))
        changed.append(play(folder, [task(socket, count, 2)]) - empty)
        standing.append(play(folder, [task(socket, count, 2)]) - empty)
        library.append(took(lambda: haproxies.apply_backend(at, wanted(count, 3))))
        haproxies.apply_backend(at, none)
    haproxies.apply_backend(at, wanted(count, 1))
    play(folder, [], community.PLAYBOOK)
    empty = min(play(folder, [], community.PLAYBOOK) for _ in range(rounds))
    looped = play(folder, [loop(socket, 5)], community.PLAYBOOK) - empty
    weights = [server["weight"] for server in haproxies.info(at, gather=["servers"])["servers"]]
    assert weights.count(5) == LOOPED
    haproxies.apply_backend(at, none)
    return {
        "lbkit's library, another weight": min(library),
        "one `haproxy_backend` task, all to be added": min(added),
        "one `haproxy_backend` task, another weight": min(changed),
        "one `haproxy_backend` task, nothing to do": min(standing),
        f"a loop over community.general.haproxy, another weight (scaled from {LOOPED})": looped
        * count
        / LOOPED,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="1 round instead of 5")
    arguments = parser.parse_args()
    if not sandbox.inside():
        parser.exit(1, "in a sandbox only: lbkit sandbox -- python bench/haproxy_tasks.py\n")
    rounds = 1 if arguments.quick else 5
    found = []
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        with running(program("2.6"), folder, CONFIG) as haproxy:
            socket = haproxy.folder / "runtime.sock"
            found = [measured(folder, socket, count, rounds) for count in COUNTS]
    print(f"Fastest of {rounds} rounds, seconds\n")
    print("| what | " + " | ".join(f"{count:,} servers" for count in COUNTS) + " |")
    print("|---|" + "--:|" * len(COUNTS))
    for what in found[0]:
        print(f"| {what} | " + " | ".join(f"{each[what]:.2f}" for each in found) + " |")
    times = [f"{list(each.values())[4] / list(each.values())[2]:.0f}" for each in found]
    print(f"\nThe task is {' and '.join(times)} times as fast as the loop.")


if __name__ == "__main__":
    main()
