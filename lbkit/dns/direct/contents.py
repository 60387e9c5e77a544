"""What a zone holds, as data: in the very form in which records are asked for, so that one can be fed to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lbkit.dns.direct.forms import OF_THE_SERVER
from lbkit.dns.direct.server import ZoneServer
from lbkit.dns.errors import Refused
from lbkit.dns.names import MARK_LABEL
from lbkit.dns.ownership import mark_name, owners
from lbkit.dns.values import TYPES
from lbkit.dns.zonedata import Rrset, ZoneData

_MAY_NOT = frozenset({"REFUSED", "NOTAUTH", "NOTIMP", "FORMERR"})


@dataclass(frozen=True)
class ZoneContents:
    """`data` has all of the zone where it was `transferred`, else what was asked for one by one."""

    data: ZoneData
    transferred: bool

    @property
    def serial(self) -> int:
        return self.data.serial

    def records(self) -> list[dict[str, Any]]:
        """All but what the server keeps by itself (SOA, DNSSEC), the apex NS and owner marks."""
        return [
            {"name": name, "type": kind, "ttl": rrset.ttl, "values": sorted(rrset.values)}
            for (name, kind), rrset in sorted(self.data.rrsets.items())
            if kind not in OF_THE_SERVER and (name, kind) != ("@", "NS") and not _of_marks(name)
        ]

    def name_servers(self) -> list[str]:
        rrset = self.data.rrsets.get(("@", "NS"))
        return sorted(rrset.values) if rrset else []

    def marked(self) -> list[dict[str, Any]]:
        """Values that topologies have in it."""
        found: dict[tuple[str, str, str], list[str]] = {}
        for name, kind in sorted(self.data.rrsets):
            for value, topology in owners(self.data, name, kind).items():
                found.setdefault((name, kind, topology), []).append(value)
        return [
            {"name": name, "type": kind, "topology": topology, "values": sorted(values)}
            for (name, kind, topology), values in found.items()
        ]

    def as_data(self) -> dict[str, Any]:
        return {
            "zone": self.data.name,
            "serial": self.serial,
            "transferred": self.transferred,
            "name_servers": self.name_servers(),
            "records": self.records(),
            "marked": self.marked(),
        }


def contents(at: ZoneServer, names: Sequence[tuple[str, str]] = ()) -> ZoneContents:
    """The zone by one transfer. Where the server does not allow that: its serial, name servers, and what stands at `names`.

    An answer for a name may then be made of a wildcard or a CNAME; what is delegated is not among them.
    """
    try:
        with at.client() as primary:
            return ZoneContents(primary.transfer(), transferred=True)
    except Refused as refused:
        if refused.rcode not in _MAY_NOT:
            raise
    return ZoneContents(_looked_up(at, names), transferred=False)


def _looked_up(at: ZoneServer, names: Sequence[tuple[str, str]]) -> ZoneData:
    rrsets: dict[tuple[str, str], Rrset] = {}
    with at.client() as primary:  # after it refused, a server may have hung up
        serial = primary.serial()
        for name, kind in dict.fromkeys([("@", "NS"), *names]):
            answer = primary.look_up(name, kind)
            if not answer.authoritative or not answer.values:
                continue
            rrsets[name, answer.kind] = Rrset(answer.ttl, answer.values)
            marks = mark_name(name, answer.kind)
            if answer.kind in TYPES and (found := primary.look_up(marks, "TXT")).values:
                rrsets[marks, "TXT"] = Rrset(found.ttl, found.values)
    return ZoneData(at.zone, serial, rrsets)


def _of_marks(name: str) -> bool:
    return name == MARK_LABEL or name.endswith(f".{MARK_LABEL}")
