"""Two questions to the kernel about one address: by which route it is reached, and who answers for it on the link."""

from __future__ import annotations

import errno
import struct
from enum import StrEnum
from typing import NamedTuple

from lbkit.engine.book import IPAddress
from lbkit.network.netlink.channel import Netlink, Refused
from lbkit.network.netlink.read import ip_of
from lbkit.network.netlink.wire import Request, attribute, attributes
from lbkit.network.netlink.write import GET_ROUTE

GET_NEIGHBOUR = 30
_ROUTE = struct.Struct("=BBBBBBBBI")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")  # ndmsg: family, index, state, flags, type
_NUMBER = struct.Struct("=I")
_ROUTE_TO, _OUT, _GATEWAY, _SOURCE = 1, 4, 5, 7  # RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PREFSRC
_NEIGHBOUR_TO, _MAC = 1, 2  # NDA_DST, NDA_LLADDR


class NeighbourState(StrEnum):
    """NUD_* of linux/neighbour.h. FAILED: nobody answered; INCOMPLETE: nobody has answered yet."""

    NONE = "none"
    INCOMPLETE = "incomplete"
    REACHABLE = "reachable"
    STALE = "stale"
    DELAY = "delay"
    PROBE = "probe"
    FAILED = "failed"
    NOARP = "noarp"
    PERMANENT = "permanent"


_STATES = {
    0x01: NeighbourState.INCOMPLETE,
    0x02: NeighbourState.REACHABLE,
    0x04: NeighbourState.STALE,
    0x08: NeighbourState.DELAY,
    0x10: NeighbourState.PROBE,
    0x20: NeighbourState.FAILED,
    0x40: NeighbourState.NOARP,
    0x80: NeighbourState.PERMANENT,
}


class FoundRoute(NamedTuple):
    """`via` None: it is on the link itself. `source`: the address that packets leave with."""

    ifindex: int
    via: IPAddress | None
    source: IPAddress | None


class Neighbour(NamedTuple):
    """`mac` is "" where it is not known."""

    state: NeighbourState
    mac: str


def ask_route(address: IPAddress) -> Request:
    body = _ROUTE.pack(_family(address), address.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
    return Request(
        GET_ROUTE, 0, body + attribute(_ROUTE_TO, address.packed), f"a route to {address} was to be found"
    )


def ask_neighbour(address: IPAddress, ifindex: int) -> Request:
    body = _NEIGHBOUR.pack(_family(address), ifindex, 0, 0, 0)
    return Request(
        GET_NEIGHBOUR,
        0,
        body + attribute(_NEIGHBOUR_TO, address.packed),
        f"the neighbour {address} was to be found",
    )


def route_to(netlink: Netlink, address: IPAddress) -> FoundRoute:
    """What the kernel would do with a packet to it. Refused (ENETUNREACH, EHOSTUNREACH, EACCES): no packet goes."""
    return read_found_route(*netlink.ask(ask_route(address)))


def neighbour(netlink: Netlink, address: IPAddress, ifindex: int) -> Neighbour | None:
    """None: the kernel has not looked for it lately."""
    try:
        return read_neighbour(*netlink.ask(ask_neighbour(address, ifindex)))
    except Refused as refused:
        if refused.errno == errno.ENOENT:
            return None
        raise


def read_found_route(buffer: bytes, start: int, end: int) -> FoundRoute:
    ifindex, via, source = 0, None, None
    for kind, begin, stop in attributes(buffer, start + 12, end):
        if kind == _OUT:
            ifindex = _NUMBER.unpack_from(buffer, begin)[0]
        elif kind == _GATEWAY:
            via = ip_of(buffer[begin:stop])
        elif kind == _SOURCE:
            source = ip_of(buffer[begin:stop])
    return FoundRoute(ifindex, via, source)


def read_neighbour(buffer: bytes, start: int, end: int) -> Neighbour:
    _, _, state, _, _ = _NEIGHBOUR.unpack_from(buffer, start)
    mac = ""
    for kind, begin, stop in attributes(buffer, start + 12, end):
        if kind == _MAC:
            mac = buffer[begin:stop].hex(":")
    return Neighbour(_STATES.get(state, NeighbourState.NONE), mac)


def _family(address: IPAddress) -> int:
    return 2 if address.version == 4 else 10
