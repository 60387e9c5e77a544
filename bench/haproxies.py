"""What the benches of HAProxy share: a topology with many servers, standing in a sandbox."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from lbkit import operate
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.haproxy.instance import KIND, Instance, key_of

T = TypeVar("T")
NAME = "bench"
PER_BACKEND = 1000
"""HAProxy finds a server by its name in the backend's list, one after the other."""


def topology(count: int, *, members: int = 1, weight: int = 1) -> dict[str, Any]:
    """Servers that nobody is, and that nobody checks: what is measured is lbkit and HAProxy."""
    backends: dict[str, Any] = {}
    for number in range(count):
        servers = backends.setdefault(f"b{number // PER_BACKEND}", {"health_check": False, "servers": []})
        servers["servers"].append(
            {
                "name": f"s{number}",
                "address": f"10.100.{number // 256}.{number % 256}",
                "port": 8080,
                "weight": weight,
            }
        )
    frontends = {f"f{name}": {"bind": 8000 + int(name[1:]), "backend": name} for name in backends}
    return {
        "lbkit": 1,
        "name": NAME,
        "networks": {"front": {"cidr": "10.80.0.0/24"}},
        "machines": {"lb": {"count": members, "networks": ["front"]}},
        "load_balancers": {"shop": {"machines": "lb", "frontends": frontends, "backends": backends}},
    }


def scope_of(count: int, *, members: int = 1, weight: int = 1) -> Scope:
    return operate.load_data(topology(count, members=members, weight=weight), Path.cwd())


@contextmanager
def standing(scope: Scope, host: Host) -> Iterator[Instance]:
    """The topology applied, and its first HAProxy; all of it gone at the end."""
    try:
        operate.apply(scope, host)
        yield Instance.of(key_of(KIND, "lb-1", "shop"), scope, host)
    finally:
        operate.destroy(scope, host)


def least(step: Callable[[], T], rounds: int) -> tuple[float, T]:
    """Milliseconds of the fastest round, and its value."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        value = step()
        took.append((time.perf_counter() - began) * 1000)
    return min(took), value
