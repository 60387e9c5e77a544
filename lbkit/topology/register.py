"""The register of rooms: to add a noun, add its folder and its line here.

In the order in which documents are resolved: a room may look up only what stands above it.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from lbkit.engine.room import Room

ROOMS = (
    "lbkit.network.room",
    "lbkit.hypervisor.room",
    "lbkit.machine.room",
    "lbkit.mirror.room",
    "lbkit.haproxy.room",
    "lbkit.dns.room",
)


@cache
def rooms() -> tuple[Room[Any], ...]:
    """Every room, imported when first asked for. Each module holds its room as `ROOM`."""
    return tuple(import_module(module).ROOM for module in ROOMS)
