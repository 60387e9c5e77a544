"""Whose zone records are in, by asking the server that shall take them.

A server says what zone a name is in by the SOA in its answer: of the name itself where the zone begins, else beside "no such
name" or "no such type" (RFC 1034 section 4.3.2, RFC 2308 sections 2.1 and 2.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lbkit.base.errors import Failure, Mistake
from lbkit.dns.direct.asked import whole_places
from lbkit.dns.direct.server import ZoneServer
from lbkit.dns.errors import Refused
from lbkit.dns.tsig import TsigKey

if TYPE_CHECKING:
    import dns.message
    import dns.name

Ask = Callable[[str], "dns.message.Message"]
"""The server's answer for the SOA of a whole name, without its last dot."""

_AUTHORITATIVE = 0x0400


class NoZoneFound(Failure):
    """The server serves no zone that the name is in."""

    def __init__(self, name: str, server: str, found: str) -> None:
        super().__init__(
            f"the zone of {name} was to be found by asking {server}",
            found=found,
            remedy="ask the primary of that zone, or say `zone`",
        )


class OfSeveralZones(Mistake):
    """`zones`: the names in each."""

    def __init__(self, zones: Mapping[str, Sequence[str]]) -> None:
        self.zones = zones
        super().__init__(
            "records of one zone alone",
            found="; ".join(f"in {zone}: {', '.join(names)}" for zone, names in sorted(zones.items())),
            where="records",
            remedy="make a task for each zone",
        )


def zone_server_for(
    server: str, records: Sequence[Mapping[str, Any]], port: int = 53, key: TsigKey | None = None
) -> ZoneServer:
    """The server with the zone that all `records` are in. Their names are whole, and end with a dot.

    Each name is asked for once, over one connection. Raises InvalidDocument, NoZoneFound, OfSeveralZones, ServerFailure.
    """
    places = whole_places(records)
    zones: dict[str, list[str]] = {}
    # what fails on the way to the server speaks of the first name's zone
    with ZoneServer(server, places[0][0], port, key).client() as primary:
        for name, kind in places:
            try:
                zone = zone_of_name(name, kind, lambda asked: primary.ask(asked, "SOA"), primary.server)
            except Refused as refused:
                raise NoZoneFound(name, primary.server, refused.found) from refused
            zones.setdefault(zone, []).append(f"{name} {kind}")
    if len(zones) > 1:
        raise OfSeveralZones(zones)
    return ZoneServer(server, next(iter(zones)), port, key)


def zone_of_name(name: str, kind: str, ask: Ask, server: str) -> str:
    """The zone that an rrset of that name and type is in. Raises NoZoneFound, and what `ask` raises."""
    import dns.name  # noqa: PLC0415

    whole = dns.name.from_text(name + ".")
    # a DS is in the zone above of the one that it signs (RFC 4035 section 3.1.4.1)
    at = whole.parent() if kind == "DS" else whole
    while len(at) > 1:
        message = ask(_text(at))
        if not message.flags & _AUTHORITATIVE:
            cut = _owner(message.authority, "NS", at)
            if cut == at == whole and kind == "NS":
                at = at.parent()  # the delegation itself is in the zone above
                continue
            if cut is not None and len(cut) > 1:
                raise NoZoneFound(name, server, f"it delegates {_text(cut)} to other servers")
            raise NoZoneFound(name, server, "it is not authoritative for that name")
        if _has(message, at, "SOA"):
            return _text(at)
        # behind an alias the authority section speaks of the alias's target
        if (
            not message.answer
            and (zone := _owner(message.authority, "SOA", at)) is not None
            and len(zone) > 1
        ):
            return _text(zone)
        at = at.parent()
    raise NoZoneFound(name, server, "no SOA of a zone that it is in")


def _has(message: dns.message.Message, name: dns.name.Name, kind: str) -> bool:
    return any(rrset.name == name and rrset.rdtype.name == kind for rrset in message.answer)


def _owner(section: Sequence[Any], kind: str, name: dns.name.Name) -> dns.name.Name | None:
    """Of the first rrset of that type that stands at the name or above it."""
    for rrset in section:
        if rrset.rdtype.name == kind and name.is_subdomain(rrset.name):
            owner: dns.name.Name = rrset.name
            return owner
    return None


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
