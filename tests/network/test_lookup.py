"""Questions about one address: pyroute2 is the oracle of the codec, the kernel of the answers."""

from __future__ import annotations

import socket
import subprocess
from contextlib import closing, suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from lbkit.base.host import Host
from lbkit.network.netlink import lookup
from lbkit.network.netlink.channel import Netlink, Refused
from lbkit.network.netlink.lookup import FoundRoute, Neighbour, NeighbourState
from lbkit.network.path import LinkState, path_to
from tests.network.test_codec import INDEX, MAC, decoded, encoded

ADDRESSES = st.ip_addresses()


def family(address: IPv4Address | IPv6Address) -> int:
    return 2 if address.version == 4 else 10


@given(ADDRESSES, INDEX)
def test_the_questions(address: IPv4Address | IPv6Address, index: int) -> None:
    message = decoded(rtmsg, lookup.ask_route(address))
    assert (message["family"], message["dst_len"]) == (family(address), address.max_prefixlen)
    assert ip_address(message.get("dst")) == address
    message = decoded(ndmsg, lookup.ask_neighbour(address, index))
    assert (message["family"], message["ifindex"], message["state"]) == (family(address), index, 0)
    assert ip_address(message.get("dst")) == address


@given(ADDRESSES, st.data(), INDEX, st.booleans())
def test_the_route_that_answers(
    address: IPv4Address | IPv6Address,
    data: st.DataObject,
    index: int,
    direct: bool,  # noqa: FBT001
) -> None:
    via, source = (data.draw(st.ip_addresses(v=address.version)) for _ in range(2))
    attributes = [
        ("RTA_DST", str(address)),
        ("RTA_OIF", index),
        ("RTA_PREFSRC", str(source)),
        *([] if direct else [("RTA_GATEWAY", str(via))]),
    ]
    answer = encoded(rtmsg, {"family": family(address), "dst_len": address.max_prefixlen}, attributes)
    assert lookup.read_found_route(*answer) == FoundRoute(index, None if direct else via, source)


@given(ADDRESSES, INDEX, MAC, st.sampled_from([2, 4, 8, 0x10, 0x80]))
def test_the_neighbour_that_answers(
    address: IPv4Address | IPv6Address, index: int, mac: str, state: int
) -> None:
    fields = {"family": family(address), "ifindex": index, "state": state}
    answer = encoded(ndmsg, fields, [("NDA_DST", str(address)), ("NDA_LLADDR", mac)])
    assert lookup.read_neighbour(*answer) == Neighbour(lookup._STATES[state], mac)
    failed = encoded(ndmsg, {**fields, "state": 0x20}, [("NDA_DST", str(address))])
    assert lookup.read_neighbour(*failed) == Neighbour(NeighbourState.FAILED, "")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@pytest.mark.sandbox
def test_the_path_to_an_address_as_the_kernel_has_it(host: Host) -> None:
    ip("link", "add", "inner", "type", "veth", "peer", "name", "outer")
    ip("address", "add", "192.0.2.1/24", "dev", "inner")
    ip("address", "add", "fd00::1/64", "dev", "inner", "nodad")
    ip("link", "set", "inner", "up")
    path = path_to(ip_address("192.0.2.7"))
    assert path.links["inner"] == LinkState(up=True, carrier=False), "its other end is down"
    ip("link", "set", "outer", "up")
    path = path_to(ip_address("192.0.2.7"))
    assert path.links["inner"] == LinkState(up=True, carrier=True)
    assert (path.interface, path.via, path.neighbour) == ("inner", None, None)
    assert path.source == ip_address("192.0.2.1")
    assert path_to(ip_address("fd00::7")).interface == "inner"
    ip("neighbour", "add", "192.0.2.9", "lladdr", "02:00:00:00:00:09", "dev", "inner", "nud", "permanent")
    ip("route", "add", "198.51.100.0/25", "via", "192.0.2.9")
    path = path_to(ip_address("198.51.100.5"))
    assert (path.via, path.neighbour, path.mac) == (
        ip_address("192.0.2.9"),
        NeighbourState.PERMANENT,
        "02:00:00:00:00:09",
    )
    assert path_to(ip_address("127.0.0.1")).interface == "lo"
    assert path_to(ip_address("203.0.113.1")).refusal == "no route leads there"
    for kind, words in (("unreachable", "unreachable"), ("prohibit", "prohibits"), ("blackhole", "drops")):
        ip("route", "add", kind, "203.0.113.0/24")
        assert words in path_to(ip_address("203.0.113.1")).refusal
        ip("route", "delete", kind, "203.0.113.0/24")


@pytest.mark.sandbox
def test_a_neighbour_that_nobody_answers_for(host: Host) -> None:
    ip("link", "add", "inner", "type", "veth", "peer", "name", "outer")
    ip("address", "add", "192.0.2.1/24", "dev", "inner")
    ip("link", "set", "inner", "up")
    ip("link", "set", "outer", "up")
    with closing(socket.socket()) as dialling, suppress(OSError):
        dialling.settimeout(0.1)
        dialling.connect(("192.0.2.7", 80))
    assert path_to(ip_address("192.0.2.7")).neighbour in {NeighbourState.FAILED, NeighbourState.INCOMPLETE}


@pytest.mark.sandbox
def test_a_question_that_is_refused_leaves_the_socket_in_step(host: Host) -> None:
    with Netlink() as netlink:
        for _ in range(3):
            with pytest.raises(Refused):
                lookup.route_to(netlink, ip_address("203.0.113.1"))
            assert lookup.route_to(netlink, ip_address("127.0.0.1")).ifindex == 1
            assert lookup.neighbour(netlink, ip_address("127.0.0.9"), 1) is None
