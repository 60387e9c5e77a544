"""Links, addresses and routes out of a dump: the few attributes that lbkit needs, and no other is looked at."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import NamedTuple

from lbkit.engine.book import IPAddress, IPNetwork
from lbkit.network.netlink.channel import Netlink
from lbkit.network.netlink.wire import Malformed, Request, as_text, attribute, attributes
from lbkit.network.netlink.write import GET_ADDRESS, GET_LINK, GET_ROUTE, PROTOCOL, UP

IPInterface = IPv4Interface | IPv6Interface

_SKIP_STATISTICS = 1 << 3  # RTEXT_FILTER_SKIP_STATS
_LINK = struct.Struct("=BxHiII")
_NUMBER = struct.Struct("=I")
_ATTRIBUTE = struct.Struct("=HH")
_LINK_SCOPE = 253  # RT_SCOPE_LINK; larger is narrower
_RUNNING = 0x40  # IFF_RUNNING
ANY = 0  # for a protocol number
_MAIN_TABLE = 254
_FAMILIES = frozenset({2, 10})  # AF_INET, AF_INET6; routes of multicast have families of their own


class Link(NamedTuple):
    """`peer` is IFLA_LINK: the index of a veth's other end, in the namespace of that end. 0: none, as in `master`."""

    ifindex: int
    name: str
    kind: str
    mac: str
    mtu: int
    up: bool
    running: bool  # up, and with a carrier
    alias: str
    master: int
    peer: int
    group: int


class Address(NamedTuple):
    ifindex: int
    address: IPInterface
    protocol: int  # IFA_PROTO; 108 is ours


class Route(NamedTuple):
    to: IPNetwork
    via: IPAddress | None
    protocol: int
    ifindex: int  # of the link that it leaves by; 0 where it has several


def links(netlink: Netlink) -> list[Link]:
    body = struct.pack("=BxHiII", 0, 0, 0, 0, 0) + attribute(
        29, _NUMBER.pack(_SKIP_STATISTICS)
    )  # IFLA_EXT_MASK
    answers = netlink.dump(Request(GET_LINK, 0, body, "links were to be read"))
    return [read_link(*answer) for answer in answers]


def addresses(netlink: Netlink) -> list[Address]:
    """Addresses of ours, and foreign ones that reach beyond their link."""
    body = struct.pack("=BBBBi", 0, 0, 0, 0, 0)
    answers = netlink.dump(Request(GET_ADDRESS, 0, body, "addresses were to be read"))
    return [found for answer in answers if (found := read_address(*answer)) is not None]


def routes(netlink: Netlink, protocol: int = PROTOCOL) -> list[Route]:
    """Routes of one protocol number, or of ANY in the main table, IPv4 and IPv6; the kernel leaves the others out."""
    table = _MAIN_TABLE if protocol == ANY else 0
    body = struct.pack("=BBBBBBBBI", 0, 0, 0, 0, table, protocol, 0, 0, 0)
    answers = netlink.dump(Request(GET_ROUTE, 0, body, "routes were to be read"))
    return [read_route(*answer) for answer in answers if answer[0][answer[1]] in _FAMILIES]


def ip_of(packed: bytes) -> IPAddress:
    return IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)


def read_link(buffer: bytes, start: int, end: int) -> Link:
    """Unrolled, since this is where the time of an observation goes: a link has some fifty attributes."""
    _, _, index, flags, _ = _LINK.unpack_from(buffer, start)
    name = kind = mac = alias = ""
    mtu = master = peer = group = 0
    unpack = _ATTRIBUTE.unpack_from
    number = _NUMBER.unpack_from
    offset = start + 16
    while offset + 4 <= end:
        length, attribute_kind = unpack(buffer, offset)
        if length < 4 or offset + length > end:
            raise Malformed(f"an attribute of {length} bytes where {end - offset} are left")
        if attribute_kind in _LINK_ATTRIBUTES:
            begin, stop = offset + 4, offset + length
            match attribute_kind & 0x3FFF:
                case 1:
                    mac = buffer[begin:stop].hex(":")
                case 3:
                    name = as_text(buffer[begin:stop])
                case 4:
                    mtu = number(buffer, begin)[0]
                case 5:
                    peer = number(buffer, begin)[0]
                case 10:
                    master = number(buffer, begin)[0]
                case 18:
                    kind = _info_kind(buffer, begin, stop)
                case 20:
                    alias = as_text(buffer[begin:stop])
                case 27:
                    group = number(buffer, begin)[0]
        offset += (length + 3) & ~3
    return Link(
        index, name, kind, mac, mtu, bool(flags & UP), bool(flags & _RUNNING), alias, master, peer, group
    )


_LINK_ATTRIBUTES = frozenset({1, 3, 4, 5, 10, 18, 18 | 0x8000, 20, 27})


def _info_kind(buffer: bytes, start: int, end: int) -> str:
    for kind, begin, stop in attributes(buffer, start, end):
        if kind == 1:  # IFLA_INFO_KIND
            return as_text(buffer[begin:stop])
    return ""


def read_address(buffer: bytes, start: int, end: int) -> Address | None:
    """None for what is foreign and of its link only (fe80::/10, ::1)."""
    family, length, _, scope, index = struct.unpack_from("=BBBBi", buffer, start)
    if scope > _LINK_SCOPE:
        return None
    packed = b""
    protocol = 0
    for kind, begin, stop in attributes(buffer, start + 8, end):
        if kind == 2 or (
            kind == 1 and not packed
        ):  # IFA_LOCAL; where there is no peer, IFA_ADDRESS is the same
            packed = buffer[begin:stop]
        elif kind == 11:  # IFA_PROTO
            protocol = buffer[begin]
    if protocol != PROTOCOL and scope >= _LINK_SCOPE:
        return None
    if family == 2:
        return Address(index, IPv4Interface((packed, length)), protocol)
    if family == 10:
        return Address(index, IPv6Interface((packed, length)), protocol)
    return None


def read_route(buffer: bytes, start: int, end: int) -> Route:
    family, length, _, _, _, protocol, _, _, _ = struct.unpack_from("=BBBBBBBBI", buffer, start)
    to, via, ifindex = b"", None, 0
    for kind, begin, stop in attributes(buffer, start + 12, end):
        if kind == 1:  # RTA_DST
            to = buffer[begin:stop]
        elif kind == 4:  # RTA_OIF
            ifindex = _NUMBER.unpack_from(buffer, begin)[0]
        elif kind == 5:  # RTA_GATEWAY
            via = ip_of(buffer[begin:stop])
    if family == 2:
        return Route(IPv4Network((to or bytes(4), length)), via, protocol, ifindex)
    return Route(IPv6Network((to or bytes(16), length)), via, protocol, ifindex)
