"""What lbkit writes, pyroute2 reads as meant; what pyroute2 writes, lbkit reads as meant."""

from __future__ import annotations

import contextlib
import struct
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from lbkit.network.netlink import read, wire, write
from lbkit.network.netlink.wire import Malformed, Request

INDEX = st.integers(1, 2**31 - 1)
MTU = st.integers(68, 65535)
NAME = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,14}", fullmatch=True)
ALIAS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60)
MAC = st.binary(min_size=6, max_size=6).map(lambda octets: octets.hex(":"))
INTERFACE = st.one_of(
    st.builds(lambda a, p: IPv4Interface((a, p)), st.integers(1, 2**32 - 1), st.integers(0, 32)),
    st.builds(lambda a, p: IPv6Interface((a, p)), st.integers(1, 2**128 - 1), st.integers(0, 128)),
)


def decoded(kind: type, request: Request) -> Any:
    """The request as pyroute2 understands it."""
    message = kind(wire.HEADER.pack(16 + len(request.body), request.kind, 0, 1, 0) + request.body)
    message.decode()
    return message


def encoded(kind: type, fields: dict[str, Any], attributes: list[tuple[str, Any]]) -> tuple[bytes, int, int]:
    """A message as pyroute2 writes it, in the form in which lbkit's dump hands messages on."""
    message = kind()
    for key, value in fields.items():
        message[key] = value
    message["attrs"] = attributes
    message.encode()
    return bytes(message.data), 16, len(message.data)


@given(INDEX, NAME, MAC)
def test_a_bridge(index: int, name: str, mac: str) -> None:
    message = decoded(ifinfmsg, write.bridge(index, name, mac))
    assert (message["index"], message["flags"], message["change"]) == (index, 1, 1)
    assert message.get("ifname") == name
    assert message.get("address") == mac
    assert message.get(("linkinfo", "kind")) == "bridge"


@given(INDEX, INDEX, INDEX, NAME, NAME, MAC, MTU, st.integers(3, 1000))
def test_a_veth_and_its_peer(
    index: int, master: int, peer: int, name: str, inner: str, mac: str, mtu: int, descriptor: int
) -> None:
    request = write.veth(
        index, name, master=master, mtu=mtu, peer=peer, peer_name=inner, peer_mac=mac, namespace=descriptor
    )
    message = decoded(ifinfmsg, request)
    assert message["index"] == index
    assert (message.get("ifname"), message.get("master"), message.get("mtu")) == (name, master, mtu)
    assert message.get(("linkinfo", "kind")) == "veth"
    other = message.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA", "VETH_INFO_PEER")
    assert (other["index"], other["flags"]) == (peer, 0), "a peer cannot be raised while it is made"
    assert (other.get("ifname"), other.get("address"), other.get("mtu")) == (inner, mac, mtu)
    assert other.get("net_ns_fd") == descriptor


@given(INDEX, ALIAS, MTU, MAC, st.integers(0, 2**31 - 1), st.booleans())
def test_setting_a_link(index: int, alias: str, mtu: int, mac: str, master: int, up: bool) -> None:  # noqa: FBT001
    request = write.set_link(index, "x", alias=alias, mtu=mtu, mac=mac, master=master, group=7, up=up)
    message = decoded(ifinfmsg, request)
    assert (message["index"], message["flags"], message["change"]) == (index, int(up), int(up))
    assert message.get("ifalias") == alias
    assert (message.get("mtu"), message.get("address")) == (mtu, mac)
    assert (message.get("master"), message.get("group")) == (master, 7)


@given(INDEX, NAME, st.booleans())
def test_renaming_a_link(index: int, name: str, up: bool) -> None:  # noqa: FBT001
    message = decoded(ifinfmsg, write.rename_link(index, "x", name, up=up))
    assert (message["index"], message.get("ifname")) == (index, name)
    assert (message["flags"], message["change"]) == (int(up), int(up))
    message = decoded(ifinfmsg, write.lower_link(index, "x"))
    assert (message["index"], message["flags"], message["change"], message["attrs"]) == (index, 0, 1, [])


def test_what_is_not_given_is_not_set() -> None:
    assert decoded(ifinfmsg, write.set_link(5, "x"))["attrs"] == []
    group = decoded(ifinfmsg, write.delete_group(9))
    assert (group["index"], group.get("group"), len(group["attrs"])) == (0, 9, 1)


@given(INDEX, INTERFACE)
def test_an_address(index: int, address: IPv4Interface | IPv6Interface) -> None:
    request = write.add_address(index, "x", address)
    message = decoded(ifaddrmsg, request)
    assert (message["index"], message["prefixlen"]) == (index, address.network.prefixlen)
    assert ip_address(message.get("local")) == address.ip
    assert message.get("proto") == 108
    assert message.get("flags") == (2 if address.version == 6 else 0)
    framed = wire.HEADER.pack(16 + len(request.body), request.kind, 0, 1, 0) + request.body
    assert read.read_address(framed, 16, len(framed)) == read.Address(index, address, 108)


@given(INTERFACE, st.data())
def test_a_route(destination: IPv4Interface | IPv6Interface, data: st.DataObject) -> None:
    to = destination.network
    via = data.draw(st.ip_addresses(v=to.version))
    message = decoded(rtmsg, write.add_route(to, via))
    assert (message["table"], message["proto"], message["type"], message["scope"]) == (254, 108, 1, 0)
    assert message["dst_len"] == to.prefixlen
    assert ip_address(message.get("gateway")) == via
    if to.prefixlen:
        assert ip_address(message.get("dst")) == to.network_address
    else:
        assert message.get("dst") is None


@given(INDEX, NAME, ALIAS, MAC, MTU, INDEX, INDEX, st.booleans())
def test_reading_a_link(
    index: int,
    name: str,
    alias: str,
    mac: str,
    mtu: int,
    master: int,
    peer: int,
    up: bool,  # noqa: FBT001
) -> None:
    answer = encoded(
        ifinfmsg,
        {"index": index, "flags": 1 if up else 0},
        [
            ("IFLA_IFNAME", name),
            ("IFLA_TXQLEN", 1000),
            ("IFLA_ADDRESS", mac),
            ("IFLA_IFALIAS", alias),
            ("IFLA_MTU", mtu),
            ("IFLA_MASTER", master),
            ("IFLA_LINK", peer),
            ("IFLA_GROUP", 3),
            ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", "veth")]}),
        ],
    )
    assert read.read_link(*answer) == read.Link(
        index, name, "veth", mac, mtu, up, False, alias, master, peer, 3
    )


@given(INDEX, INTERFACE, st.sampled_from([0, 108]))
def test_reading_an_address(index: int, address: IPv4Interface | IPv6Interface, protocol: int) -> None:
    fields = {
        "index": index,
        "family": 2 if address.version == 4 else 10,
        "prefixlen": address.network.prefixlen,
        "scope": 0,
    }
    text = str(address.ip)
    answer = encoded(ifaddrmsg, fields, [("IFA_ADDRESS", text), ("IFA_LOCAL", text), ("IFA_PROTO", protocol)])
    assert read.read_address(*answer) == read.Address(index, address, protocol)


@given(INTERFACE, INDEX)
def test_reading_a_route(destination: IPv4Interface | IPv6Interface, index: int) -> None:
    to: IPv4Network | IPv6Network = destination.network
    via = ip_address("192.0.2.1") if to.version == 4 else ip_address("2001:db8::1")
    fields = {"family": 2 if to.version == 4 else 10, "dst_len": to.prefixlen, "proto": 108}
    attributes = [("RTA_GATEWAY", str(via)), ("RTA_OIF", index)]
    if to.prefixlen:
        attributes.append(("RTA_DST", str(to.network_address)))
    assert read.read_route(*encoded(rtmsg, fields, attributes)) == read.Route(to, via, 108, index)


@given(st.binary(min_size=16, max_size=200))
def test_no_bytes_are_read_past_their_end_or_for_ever(noise: bytes) -> None:
    with contextlib.suppress(Malformed, struct.error):
        read.read_link(noise, 0, len(noise))


@pytest.mark.parametrize("length", [0, 3, 200])
def test_an_attribute_that_lies_about_its_length_is_an_error(length: int) -> None:
    noise = bytes(16) + struct.pack("=HH", length, 3) + b"abcd"
    with pytest.raises(Malformed):
        read.read_link(noise, 0, len(noise))
    with pytest.raises(Malformed):
        list(wire.attributes(noise, 16, len(noise)))


def test_text_of_anyone_is_read_as_text() -> None:
    assert wire.as_text(b"lbkit\xff\xfe\0rest") == "lbkit\ufffd\ufffd"
