"""A zone as it stands on its primary: plain text, as one transfer gave it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

DNSSEC_TYPES = frozenset({"RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "CDS", "CDNSKEY", "TYPE65534"})
"""What a signing server adds by itself: it makes no name used and is in nobody's way (RFC 4034, RFC 2181)."""


@dataclass(frozen=True, slots=True)
class Rrset:
    """`values` as values.py writes them; empty for a type that lbkit does not manage."""

    ttl: int
    values: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ZoneData:
    """`rrsets` by (name relative to the zone, type)."""

    name: str
    serial: int
    rrsets: Mapping[tuple[str, str], Rrset]

    @cached_property
    def _kinds(self) -> dict[str, set[str]]:
        kinds: dict[str, set[str]] = {}
        for name, kind in self.rrsets:
            if kind not in DNSSEC_TYPES:
                kinds.setdefault(name, set()).add(kind)
        return kinds

    def kinds_at(self, name: str) -> frozenset[str]:
        """The types that stand at `name`, but for those of DNSSEC."""
        return frozenset(self._kinds.get(name, ()))


def gather(name: str, serial: int, records: Iterable[tuple[str, str, int, str | None]]) -> ZoneData:
    """A zone out of (name, type, TTL, value); value None where it does not matter."""
    values: dict[tuple[str, str], set[str]] = {}
    ttls: dict[tuple[str, str], int] = {}
    for owner, kind, ttl, value in records:
        ttls.setdefault((owner, kind), ttl)
        found = values.setdefault((owner, kind), set())
        if value is not None:
            found.add(value)
    return ZoneData(name, serial, {key: Rrset(ttl, frozenset(values[key])) for key, ttl in ttls.items()})
