"""What a task of each module costs where it has nothing to do, beside a bare `ping`.

    lbkit sandbox -- python bench/module_starts.py [--quick]

Ten tasks in one playbook, less an empty playbook, a tenth of it. The HAProxy has one backend of ten servers, the zone ten records, the
topology two networks and four machines; all stand already. What a module imports is paid at every task, for each starts a Python.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from ansible_tasks import Task, play

import lbkit
from lbkit.base import sandbox
from lbkit.dns.keygen import write_key
from tests.dns.named import ZONE, Named
from tests.dns.named import running as named
from tests.haproxy.bare import running as haproxy
from tests.haproxy.versions import program

TASKS = 10
CONFIG = """
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 1s
backend web
    balance roundrobin
"""
TOPOLOGY = {
    "lbkit": 1,
    "name": "small",
    "networks": {name: {"cidr": f"10.9.{third}.0/24"} for third, name in enumerate(("front", "back"))},
    "machines": {"web": {"count": 4, "networks": ["front", "back"]}},
}


def tasks(socket: Path, key: Path) -> dict[str, Task]:
    """By module; each finds all as it wants it, after its first run."""
    servers = [{"name": f"s{number}", "address": f"10.0.0.{number + 1}", "port": 80} for number in range(10)]
    records = [{"name": f"host-{n}", "type": "A", "values": [f"10.0.0.{n + 1}"]} for n in range(10)]
    zone: dict[str, Any] = {
        "server": "127.0.0.1",
        "zone": ZONE,
        "key": {"name": "lbkit", "secret_file": str(key)},
    }
    return {
        "ansible.builtin.ping": {},
        "lbkit.core.haproxy_info": {"socket": str(socket)},
        "lbkit.core.haproxy_backend": {"socket": str(socket), "backend": "web", "servers": servers},
        "lbkit.core.dns_zone_info": zone,
        "lbkit.core.dns_records": {**zone, "records": records},
        "lbkit.core.health_check": {"targets": ["127.0.0.1:53"], "check": {"protocol": "tcp"}},
        "lbkit.core.topology_info": {"definition": TOPOLOGY},
        "lbkit.core.topology": {"definition": TOPOLOGY},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="1 round instead of 5")
    arguments = parser.parse_args()
    if not sandbox.inside():
        parser.exit(1, "in a sandbox only: lbkit sandbox -- python bench/module_starts.py\n")
    rounds = 1 if arguments.quick else 5
    took: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        key = folder / "tsig.key"
        write_key(key)
        scope = lbkit.load_data(TOPOLOGY, folder)
        lbkit.apply(scope)
        with haproxy(program("2.6"), folder, CONFIG), named(Named(folder / "ns", key)):
            each = tasks(folder / "runtime.sock", key)
            for module, given in each.items():
                play(folder, [{"name": "First", module: given}])
            for _ in range(rounds):
                empty = play(folder, [])
                for module, given in each.items():
                    one = (play(folder, [{"name": "Task", module: given}] * TASKS) - empty) / TASKS
                    took[module] = min(one, took.get(module, one))
        lbkit.destroy(scope)
    print(f"Fastest of {rounds} rounds\n")
    print("| what | s a task | times a `ping` |")
    print("|---|--:|--:|")
    for module, one in took.items():
        print(f"| `{module}` | {one:.3f} | {one / took['ansible.builtin.ping']:.2f} |")


if __name__ == "__main__":
    main()
