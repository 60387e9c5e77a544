"""What zones and their servers come to, once everything is filled in: plain data, for all that asks servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from lbkit.engine.resource import Key


@dataclass(frozen=True, slots=True)
class ResolvedServer:
    """Where to ask. `machine`: it is dialled from inside that one. `keys` are what must stand for an answer."""

    address: IPv4Address | IPv6Address
    port: int
    machine: str | None = None
    keys: frozenset[Key] = frozenset()

    def __str__(self) -> str:
        place = f"{self.address} port {self.port}"
        return f"{self.machine} ({place})" if self.machine else place


@dataclass(frozen=True, slots=True)
class KeySource:
    """A TSIG key, but for its secret: that is read when a server is asked (tsig.py)."""

    name: str
    algorithm: str
    file: Path | None = None
    env: str | None = None


@dataclass(frozen=True, slots=True)
class ResolvedRrset:
    """`requires` are the things that its values point at. `targets` are the references that it was made from."""

    name: str
    kind: str
    ttl: int
    values: tuple[str, ...]
    requires: frozenset[Key] = frozenset()
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResolvedZone:
    """`rrsets` by (name relative to the zone, type). The first of `servers` is the primary."""

    name: str
    servers: tuple[ResolvedServer, ...]
    key: KeySource
    settle: float
    rrsets: Mapping[tuple[str, str], ResolvedRrset] = field(default_factory=dict)

    def key_of(self, name: str, kind: str) -> Key:
        return Key("rrset", f"{self.name} {name} {kind}")

    @property
    def server_keys(self) -> frozenset[Key]:
        return frozenset().union(*(server.keys for server in self.servers))


@dataclass(frozen=True)
class Zones:
    by_name: Mapping[str, ResolvedZone] = field(default_factory=dict)
