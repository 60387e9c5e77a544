"""A plan with nothing to do for 1,000 servers: the pure parts.

    python bench/plan.py [--quick] [--count N]

One load balancer with N servers, each a machine with a service of its own. What stands is taken to be as
declared, so that this measures lbkit and not the kernel: loading, what is desired, and the diff.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lbkit import operate
from lbkit.base.host import Host
from lbkit.engine.diff import diff
from lbkit.engine.order import in_waves
from lbkit.engine.resource import Actual
from lbkit.topology.register import rooms


def topology(count: int) -> dict[str, Any]:
    return {
        "lbkit": 1,
        "name": "big",
        "networks": {"front": {"cidr": "10.80.0.0/24"}, "back": {"cidr": "10.96.0.0/16"}},
        "machines": {
            "lb": {"count": 2, "networks": ["front", "back"]},
            "web": {
                "count": count,
                "networks": ["back"],
                "run": [{"name": "app", "command": ["/usr/bin/python3", "-m", "http.server", 8080]}],
            },
        },
        "load_balancers": {
            "shop": {
                "machines": "lb",
                "vip": {"network": "front", "address": "10.80.0.10"},
                "frontends": {"http": {"bind": 80, "backend": "web"}},
                "backends": {"web": {"servers": [{"machines": "web", "port": 8080}]}},
            }
        },
    }


def least(step: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """Milliseconds of the fastest round, and its value."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        value = step()
        found.append((time.perf_counter() - began) * 1000)
    return min(found), value


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="2 rounds instead of 5")
    parser.add_argument("--count", type=int, default=1000)
    arguments = parser.parse_args()
    rounds = 2 if arguments.quick else 5
    host = Host()
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(topology(arguments.count), file)
        file.flush()
        loading, scope = least(lambda: operate.load(Path(file.name)), rounds)

    def desired() -> list[Any]:
        return [(room, list(room.desired(scope, host))) for room in rooms()]

    desiring, wanted = least(desired, rounds)
    standing = [
        [Actual(want.key, want.state, scope.name, want.requires, want.claims) for want in wants]
        for _, wants in wanted
    ]

    def compare() -> list[Any]:
        changes: list[Any] = []
        for (room, wants), have in zip(wanted, standing, strict=True):
            changes += diff(wants, have, owner=scope.name, judge=room)
        return list(in_waves(changes))

    comparing, changes = least(compare, rounds)
    assert changes == []
    things = sum(len(wants) for _, wants in wanted)
    print(f"{arguments.count} servers, {things} things; fastest of {rounds} rounds\n")
    print("| step | ms | µs for each thing |")
    print("|---|--:|--:|")
    steps = {"load and check the file": loading, "what is desired": desiring, "diff and order": comparing}
    for name, took in {**steps, "all": sum(steps.values())}.items():
        print(f"| {name} | {took:.0f} | {took / things * 1000:.0f} |")


if __name__ == "__main__":
    main()
