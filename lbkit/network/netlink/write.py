"""Requests that change links, addresses and routes, as the kernel reads them (linux/if_link.h, if_addr.h, rtnetlink.h)."""

from __future__ import annotations

import secrets
import struct
from ipaddress import IPv4Interface, IPv6Interface

from lbkit.engine.book import IPAddress, IPNetwork
from lbkit.network.netlink import wire
from lbkit.network.netlink.wire import Request, attribute, nested, number, text

PROTOCOL = 108
"""Our number in `rtm_protocol` and IFA_PROTO: addresses and routes that bear it are lbkit's."""

NEW_LINK, DELETE_LINK, GET_LINK, SET_LINK = 16, 17, 18, 19
NEW_ADDRESS, DELETE_ADDRESS, GET_ADDRESS = 20, 21, 22
NEW_ROUTE, DELETE_ROUTE, GET_ROUTE = 24, 25, 26

UP = 1  # IFF_UP
_MAC, _NAME, _MTU, _MASTER, _LINK_INFO, _NAMESPACE, _ALIAS, _GROUP = 1, 3, 4, 10, 18, 28, 20, 27
_INFO_KIND, _INFO_DATA = 1, 2
_VETH_PEER = 1
_LINK = struct.Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, change
_ADDRESS = struct.Struct("=BBBBi")  # ifaddrmsg: family, prefix length, flags, scope, index
_ROUTE = struct.Struct(
    "=BBBBBBBBI"
)  # rtmsg: family, lengths of to and from, tos, table, protocol, scope, type, flags
_NO_DAD = 0x02  # IFA_F_NODAD: nobody else can have an address that we give out
_MAIN_TABLE, _UNIVERSE, _UNICAST = 254, 0, 1


def fresh_index() -> int:
    """An index for a link to be made. Naming a new link by an index of our own, nothing said about it in the same
    message can hit a link of somebody else who took its name first.
    """
    return 1 << 16 | secrets.randbits(31)


def bridge(index: int, name: str, mac: str) -> Request:
    """Up from the start. Its address is fixed: else it would be that of a port, and change as machines come and go.

    The MTU is set afterwards: only then the kernel takes it as meant, and does not follow that of the ports.
    """
    body = (
        _LINK.pack(0, 0, index, UP, UP)
        + text(_NAME, name)
        + attribute(_MAC, _mac(mac))
        + nested(_LINK_INFO, text(_INFO_KIND, "bridge"))
    )
    return Request(NEW_LINK, wire.CREATE | wire.EXCL, body, f"bridge {name} was to be made")


def veth(
    index: int, name: str, *, master: int, mtu: int, peer: int, peer_name: str, peer_mac: str, namespace: int
) -> Request:
    """The pair: `name` here, up, a port of `master`; `peer_name` down in `namespace` (a descriptor), under index `peer`.

    The peer cannot be raised while the pair is made: the kernel refuses the whole request.
    """
    inner = (
        _LINK.pack(0, 0, peer, 0, 0)
        + text(_NAME, peer_name)
        + attribute(_MAC, _mac(peer_mac))
        + number(_MTU, mtu)
        + number(_NAMESPACE, namespace)
    )
    body = (
        _LINK.pack(0, 0, index, UP, UP)
        + text(_NAME, name)
        + number(_MTU, mtu)
        + number(_MASTER, master)
        + nested(
            _LINK_INFO,
            text(_INFO_KIND, "veth"),
            nested(_INFO_DATA, attribute(_VETH_PEER | 0x8000, inner)),
        )
    )
    return Request(NEW_LINK, wire.CREATE | wire.EXCL, body, f"link {name} was to be made, {peer_name} inside")


def set_link(
    index: int,
    name: str,
    *,
    alias: str | None = None,
    mtu: int | None = None,
    mac: str | None = None,
    master: int | None = None,
    group: int | None = None,
    up: bool = False,
) -> Request:
    """Change what is given of link `index`; `name` is for the error alone. `master` 0 takes it off its bridge.

    The kernel passes an alias over when a link is made, so a new link gets its mark by this.
    """
    parts = [_LINK.pack(0, 0, index, UP if up else 0, UP if up else 0)]
    if alias is not None:
        parts.append(attribute(_ALIAS, alias.encode()))
    if mtu is not None:
        parts.append(number(_MTU, mtu))
    if mac is not None:
        parts.append(attribute(_MAC, _mac(mac)))
    if master is not None:
        parts.append(number(_MASTER, master))
    if group is not None:
        parts.append(number(_GROUP, group))
    return Request(SET_LINK, 0, b"".join(parts), f"link {name} was to be set")


def lower_link(index: int, name: str) -> Request:
    """The kernel forgets its routes, and its IPv6 addresses; IPv4 ones stay."""
    return Request(SET_LINK, 0, _LINK.pack(0, 0, index, 0, UP), f"link {name} was to be taken down")


def rename_link(index: int, name: str, to: str, *, up: bool = False) -> Request:
    """One that is down; with `up` it is raised in the same go, after which nobody else renames it (Linux before 6.2)."""
    body = _LINK.pack(0, 0, index, UP if up else 0, UP if up else 0) + text(_NAME, to)
    return Request(SET_LINK, 0, body, f"link {name} was to be named {to}")


def delete_link(index: int, name: str) -> Request:
    return Request(DELETE_LINK, 0, _LINK.pack(0, 0, index, 0, 0), f"link {name} was to be deleted")


def delete_group(group: int) -> Request:
    """Every link of the group at once, which costs the kernel hardly more than one."""
    body = _LINK.pack(0, 0, 0, 0, 0) + number(_GROUP, group)
    return Request(DELETE_LINK, 0, body, f"the links of group {group} were to be deleted")


def add_address(index: int, link: str, address: IPv4Interface | IPv6Interface) -> Request:
    body = (
        _address(index, address)
        + attribute(8, struct.pack("=I", _NO_DAD if address.version == 6 else 0))  # IFA_FLAGS
        + attribute(11, bytes([PROTOCOL]))  # IFA_PROTO
    )
    flags = wire.CREATE | wire.EXCL
    return Request(NEW_ADDRESS, flags, body, f"address {address} was to be added to {link}")


def take_address(index: int, link: str, address: IPv4Interface | IPv6Interface) -> Request:
    """As `add_address`, but one that stands already, not by lbkit, becomes lbkit's."""
    request = add_address(index, link, address)
    return request._replace(flags=wire.CREATE | wire.REPLACE)


def delete_address(index: int, link: str, address: IPv4Interface | IPv6Interface) -> Request:
    body = _address(index, address)
    return Request(DELETE_ADDRESS, 0, body, f"address {address} was to be removed from {link}")


def _address(index: int, address: IPv4Interface | IPv6Interface) -> bytes:
    packed = address.packed
    family = 2 if address.version == 4 else 10
    return (
        _ADDRESS.pack(family, address.network.prefixlen, 0, 0, index)
        + attribute(2, packed)  # IFA_LOCAL
        + attribute(1, packed)  # IFA_ADDRESS
    )


def add_route(to: IPNetwork, via: IPAddress) -> Request:
    return Request(
        NEW_ROUTE, wire.CREATE | wire.EXCL, _route(to, via), f"the route to {to} via {via} was to be added"
    )


def take_route(to: IPNetwork, via: IPAddress) -> Request:
    """As `add_route`, in place of one to the same destination that is not lbkit's."""
    return add_route(to, via)._replace(flags=wire.CREATE | wire.REPLACE)


def delete_route(to: IPNetwork, via: IPAddress) -> Request:
    return Request(DELETE_ROUTE, 0, _route(to, via), f"the route to {to} via {via} was to be removed")


def _route(to: IPNetwork, via: IPAddress) -> bytes:
    family = 2 if to.version == 4 else 10
    body = _ROUTE.pack(family, to.prefixlen, 0, 0, _MAIN_TABLE, PROTOCOL, _UNIVERSE, _UNICAST, 0)
    if to.prefixlen:
        body += attribute(1, to.network_address.packed)  # RTA_DST
    return body + attribute(5, via.packed)  # RTA_GATEWAY


def _mac(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))
