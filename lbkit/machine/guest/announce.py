"""Tell neighbours and switches where addresses are now: gratuitous ARP (RFC 5227, section 3), and unsolicited
neighbour advertisements (RFC 4861, section 7.2.6).
"""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv6Address

from lbkit.machine.guest.setting import links_when
from lbkit.network.netlink import read
from lbkit.network.netlink.channel import Netlink
from lbkit.network.netlink.read import Link
from lbkit.network.netlink.write import PROTOCOL

_ARP = 0x0806  # ETH_P_ARP
_EVERYBODY = b"\xff" * 6
_ADVERTISEMENT = 136  # ICMPv6
_OVERRIDE = 0x20000000  # what was known of the address before is wrong
_TARGET_LINK = 2  # option: the target's link-layer address
_ALL_NODES = "ff02::1"


def announce(within: float = 0.0) -> list[str]:
    """Every address of ours on every link that has a carrier; returns those, as text.

    A link that was plugged in just now may be without one for a moment: that is waited for, at most `within` seconds.
    """
    told: list[str] = []
    with Netlink() as netlink:
        ours = [each for each in read.addresses(netlink) if each.protocol == PROTOCOL]
        wanted = {each.ifindex for each in ours}
        links = {
            link.ifindex: link
            for link in links_when(netlink, lambda here: wanted <= _running(here), within)
            if link.running
        }
    for each in ours:
        link = links.get(each.ifindex)
        if link is None:
            continue
        try:
            _tell(link, each.address.ip)
        except OSError:  # it went down, or lost the address, just now: then it is not there
            continue
        told.append(str(each.address.ip))
    return told


def _running(links: list[Link]) -> set[int]:
    return {link.ifindex for link in links if link.running}


def _tell(link: Link, address: IPv4Address | IPv6Address) -> None:
    mac = bytes.fromhex(link.mac.replace(":", ""))
    if isinstance(address, IPv4Address):
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC) as line:
            line.bind((link.name, 0))
            line.send(arp(mac, address))
        return
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_ICMPV6) as line:
        line.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)  # others are passed over
        line.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, link.ifindex)
        line.bind((str(address), 0, 0, link.ifindex))
        line.sendto(advertisement(mac, address), (_ALL_NODES, 0, 0, link.ifindex))


def arp(mac: bytes, address: IPv4Address) -> bytes:
    """An announcement: a request for one's own address, to everybody."""
    question = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1)
    return (
        _EVERYBODY
        + mac
        + struct.pack(">H", _ARP)
        + question
        + mac
        + address.packed
        + bytes(6)
        + address.packed
    )


def advertisement(mac: bytes, address: IPv6Address) -> bytes:
    """The kernel fills in the checksum (RFC 3542, section 3.1)."""
    head = struct.pack(">BBHI", _ADVERTISEMENT, 0, 0, _OVERRIDE)
    return head + address.packed + struct.pack(">BB", _TARGET_LINK, 1) + mac
