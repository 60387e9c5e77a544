"""What a DNS server may answer instead of doing it, and what a person does about that."""

from __future__ import annotations

from lbkit.base.errors import Failure


class ServerFailure(Failure):
    """A server would not do what was asked of it; `server` and `zone` say which and of what."""

    def __init__(self, doing: str, zone: str, server: str, found: str, remedy: str = "") -> None:
        self.zone = zone
        self.server = server
        super().__init__(f"{doing} of the zone {zone} was to be done by {server}", found=found, remedy=remedy)


class Unreachable(ServerFailure):
    """Nobody answers there: the server does not stand, does not run, or hangs up at once."""

    def __init__(self, zone: str, server: str, found: str) -> None:
        super().__init__(
            "a query or update",
            zone,
            server,
            found,
            "see that a DNS server runs there, and that address and port are its own",
        )


class Refused(ServerFailure):
    """It answered, and said no: `rcode` is what it said."""

    def __init__(self, doing: str, zone: str, server: str, rcode: str, found: str, remedy: str) -> None:
        self.rcode = rcode
        super().__init__(doing, zone, server, f"{rcode}: {found}", remedy)


class ZoneMoved(ServerFailure):
    """A prerequisite did not hold: somebody changed the zone between the transfer and the update. Nothing was done."""

    def __init__(self, zone: str, server: str, rcode: str) -> None:
        super().__init__(
            "an update",
            zone,
            server,
            f"{rcode}: the same records were changed by somebody else in the meantime",
            "apply again",
        )


MOVED = frozenset({"NXDOMAIN", "NXRRSET", "YXDOMAIN", "YXRRSET"})
"""What an update gets whose prerequisites do not hold (RFC 2136 section 3.2)."""


def refused(rcode: str, doing: str, zone: str, server: str, key: str) -> Refused:
    """The failure for an answer with `rcode`; `doing` is "a transfer", "an update" or "a query"."""
    found, remedy = _RCODES.get(rcode, (f"it answered {rcode}", "the server's log says why"))
    if rcode == "REFUSED":
        found, remedy = _REFUSED[doing]
    remedy = remedy.format(zone=zone, key=key)
    return Refused(doing, zone, server, rcode, found, remedy)


def untrusted(reason: str, doing: str, zone: str, server: str, key: str) -> ServerFailure:
    """The failure for a TSIG that does not hold: BADKEY, BADSIG, BADTIME, BADTRUNC or UNSIGNED (RFC 8945 section 5)."""
    found, remedy = _TSIG[reason]
    return ServerFailure(doing, zone, server, f"{reason}: {found}", remedy.format(zone=zone, key=key))


_REFUSED = {
    "a transfer": (
        "the key may not transfer the zone",
        'allow it in the server\'s zone: `allow-transfer {{ key "{key}"; }};`',
    ),
    "an update": (
        "the key may not change these records",
        "allow it in the server's zone: `update-policy {{ grant {key} zonesub ANY; }};`, or narrower (docs/dns.md)",
    ),
    "a query": ("the server does not answer queries from here", "allow it: `allow-query` of the server"),
}

_RCODES = {
    "FORMERR": ("the server could not read the message", "its log says why"),
    "NOTAUTH": (
        "the server is not authoritative for the zone, or does not know the key",
        'check that it is a server of {zone}, and has the key "{key}"',
    ),
    "NOTIMP": (
        "the server does not know updates (RFC 2136)",
        "ask the zone's primary (in a topology the first of `servers`), and let it be one that takes updates",
    ),
    "NOTZONE": ("a name is outside of the zone", "check that {zone} is a zone of its own on that server"),
    "SERVFAIL": (
        "the server failed",
        "its log says why: no such zone loaded, no place for its journal, a full disk, too many records at one name",
    ),
}

_TSIG = {
    "BADKEY": (
        "the server does not know the key by that name and algorithm",
        'name and algorithm of the key "{key}" must be the same in the document and in the server\'s configuration',
    ),
    "BADSIG": (
        "the signature does not hold: the secret is another one there",
        'give the server and the document the same secret of the key "{key}"',
    ),
    "BADTIME": ("the clocks of this host and of the server are too far apart", "set both by NTP"),
    "BADTRUNC": ("the server wants a longer signature", 'take another algorithm for the key "{key}"'),
    "UNSIGNED": (
        "the answer is not signed, so it may be anybody's",
        'check that the server has the key "{key}", and what stands between here and it',
    ),
}
