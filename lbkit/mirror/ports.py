"""The ports of a mirror's own programs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

RSYNC_PORT = 873

_FIRST_PORT, _PLACES = 20_000, 3_000  # below what Linux gives to clients (net.ipv4.ip_local_port_range)


@dataclass(frozen=True, slots=True)
class Ports:
    """Of a mirror's programs: the nodes' for master and neighbours, and for HAProxy's agent-check; the master's for pushes."""

    agent: int
    check: int
    push: int


def ports_of(name: str, first: int | None = None) -> Ports:
    """By the mirror's name, where no first one is declared."""
    if first is None:
        place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % _PLACES
        first = _FIRST_PORT + 4 * place
    return Ports(first, first + 1, first + 2)
