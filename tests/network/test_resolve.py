"""Networks resolved: bridges, the host's addresses, and every contradiction said before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.problems import InvalidDocument, dotted
from lbkit.engine.scope import Draft, Scope
from lbkit.network.resolve import Networks, claim_address, reserve, resolve, taken_addresses
from lbkit.network.spec import Networks as Section
from lbkit.topology.load import load_data
from tests.topology.rooms import NetworkLanguage, registered


@pytest.fixture(autouse=True, scope="module")
def one_room() -> Iterator[None]:
    with registered(NetworkLanguage()):
        yield


def load(networks: dict[str, Any], name: str = "web") -> Scope:
    return load_data({"lbkit": 1, "name": name, "networks": networks}, Path("/nowhere"))


def test_what_a_network_is_by_default() -> None:
    scope = load({"front": {"cidr": "10.80.0.0/24"}, "back": {"cidr": ["10.80.1.0/24", "fd00:80::/64"]}})
    networks = scope.of("network", Networks).by_name
    front, back = networks["front"], networks["back"]
    assert (front.bridge, front.nat, front.mtu) == ("web.front", False, 1500)
    assert front.prefixes == (ip_network("10.80.0.0/24"),)
    assert front.gateways == (ip_interface("10.80.0.1/24"),)
    assert back.gateways == (ip_interface("10.80.1.1/24"), ip_interface("fd00:80::1/64"))
    assert scope.book.networks["back"] == back.prefixes
    assert scope.book.claims["address front 10.80.0.1"] == "networks.front (its gateway)"
    assert scope.book.network_of(ip_address("fd00:80::7")) == "back"


def test_what_a_person_says_of_a_network() -> None:
    scope = load(
        {
            "a": {
                "cidr": "10.0.0.0/24",
                "gateway": "10.0.0.254",
                "bridge": "br-lab",
                "mtu": 9000,
                "nat": True,
            },
            "b": {"cidr": ["10.0.1.0/24", "fd00::/64"], "gateway": ["fd00::ffff"]},
            "c": {"cidr": "10.0.2.0/24", "gateway": False},
            "d": {"cidr": "10.0.3.0/31"},
        }
    )
    networks = scope.of("network", Networks).by_name
    assert networks["a"].gateways == (ip_interface("10.0.0.254/24"),)
    assert (networks["a"].bridge, networks["a"].mtu, networks["a"].nat) == ("br-lab", 9000, True)
    assert networks["b"].gateways == (ip_interface("fd00::ffff/64"),)
    assert networks["c"].gateways == ()
    assert networks["d"].gateways == (ip_interface("10.0.3.0/31"),)


A = {"cidr": "10.0.0.0/24"}


@pytest.mark.parametrize(
    ("networks", "path", "wanted", "found"),
    [
        ({"a": A, "b": {"cidr": "10.0.0.128/25"}}, "networks.b.cidr", "do not overlap", "10.0.0.128/25 overlaps 10.0.0.0/24 of networks.a"),
        ({"b": {"cidr": "10.0.0.128/25"}, "a": A}, "networks.a.cidr", "do not overlap", "10.0.0.0/24 overlaps 10.0.0.128/25 of networks.b"),
        ({"a": {"cidr": ["10.0.1.0/24", "fd00::/64"]}, "b": {"cidr": ["10.0.0.0/24", "fd00::/65"], "gateway": False}}, "networks.b.cidr[1]", "do not overlap", "fd00::/65 overlaps fd00::/64 of networks.a"),
        ({"a": {"cidr": ["10.0.0.0/24", "10.0.1.0/24"], "gateway": False}}, "networks.a.cidr", "one IPv4 and one IPv6 prefix", "2 IPv4 prefixes"),
        ({"a": {"cidr": "127.0.0.0/24"}}, "networks.a.cidr", "a prefix for machines", "127.0.0.0/24 is for loopback"),
        ({"a": {"cidr": "224.0.0.0/24"}}, "networks.a.cidr", "a prefix for machines", "224.0.0.0/24 is for multicast"),
        ({"a": {"cidr": "0.0.0.0/0"}}, "networks.a.cidr", "a prefix for machines", "begins at the unspecified address"),
        ({"a": {"cidr": "240.0.0.0/8"}}, "networks.a.cidr", "a prefix for machines", "240.0.0.0/8 is reserved"),
        ({"a": {"cidr": "fe80::/64"}}, "networks.a.cidr", "a prefix for machines", "fe80::/64 is link-local"),
        ({"a": {"cidr": "ff02::/64"}}, "networks.a.cidr", "a prefix for machines", "ff02::/64 is for multicast"),
        ({"a": {**A, "gateway": "10.0.0.0"}}, "networks.a.gateway", "that a machine may have", "10.0.0.0 is the network itself"),
        ({"a": {**A, "gateway": "10.0.0.255"}}, "networks.a.gateway", "that a machine may have", "10.0.0.255 is the broadcast address"),
        ({"a": {**A, "gateway": "10.0.1.1"}}, "networks.a.gateway", "in 10.0.0.0/24", "10.0.1.1"),
        ({"a": {**A, "gateway": ["10.0.0.1", "10.0.0.2"]}}, "networks.a.gateway", "one gateway for each prefix", "10.0.0.1, 10.0.0.2"),
        ({"a": {**A, "gateway": False, "nat": True}}, "networks.a.nat", "a gateway for what nat sends on", "gateway: false"),
        ({"a": {"cidr": "fd00::/64", "mtu": 1279}}, "networks.a.mtu", "at least 1280 for IPv6", "1279"),
        ({"much-too-long-for": {**A, "bridge": "br0"}}, "networks.much-too-long-for", "at most 15 bytes: links inside", "much-too-long-for (17 bytes)"),
        ({"lo": A}, "networks.lo", "that the kernel leaves free", "lo"),
        ({"default": {**A, "bridge": "br0"}}, "networks.default", "that the kernel leaves free", "default"),
        ({"a": {**A, "bridge": "all"}}, "networks.a.bridge", "that the kernel leaves free", "all"),
        ({"a": {**A, "bridge": "br0"}, "b": {"cidr": "10.0.1.0/24", "bridge": "br0"}}, "networks.b.bridge", "a bridge of its own", "br0 is that of networks.a"),
        ({"a": {**A, "bridge": "web.b"}, "b": {"cidr": "10.0.1.0/24"}}, "networks.b", "a bridge of its own", "web.b is that of networks.a"),
    ],
)  # fmt: skip
def test_what_cannot_be(networks: dict[str, Any], path: str, wanted: str, found: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        load(networks)
    (problem,) = caught.value.problems
    assert dotted(problem.path) == path
    assert wanted in problem.wanted
    assert found in problem.found


def test_a_bridge_name_must_fit_a_link() -> None:
    with pytest.raises(InvalidDocument) as caught:
        load({"frontend": A}, name="university")
    (problem,) = caught.value.problems
    assert problem.found == "university.frontend (19 bytes)"
    assert "give it `bridge: frontend`" in problem.remedy
    load({"frontend": {**A, "bridge": "frontend"}}, name="university")


def test_an_address_has_one_owner() -> None:
    draft = Draft("web", Path("/nowhere"))
    section = Section.model_validate({"a": A})
    reserve(section, draft)
    resolve(section, draft)
    place = ("load_balancers", "shop", "vip", "address")
    claim_address(draft, "a", ip_address("10.0.0.10"), "load_balancers.shop", place)
    claim_address(draft, "a", ip_address("10.0.0.10"), "load_balancers.shop", place)
    assert not draft.problems
    assert taken_addresses(draft) == {"a": {ip_address("10.0.0.1"), ip_address("10.0.0.10")}}
    claim_address(draft, "a", ip_address("10.0.0.10"), "machines.web-1", place)
    claim_address(draft, "a", ip_address("10.0.0.1"), "machines.web-1", place)
    assert [problem.found for problem in draft.problems] == [
        "10.0.0.10 is that of load_balancers.shop",
        "10.0.0.1 is that of networks.a (its gateway)",
    ]


blocks = st.integers(0, 15).flatmap(
    lambda block: st.integers(24, 28).map(
        lambda bits: ip_network(f"10.0.{block // 4}.{block % 4 * 64}/{bits}", strict=False)
    )
)


@given(st.lists(blocks, max_size=8))
def test_overlaps_are_found_wherever_they_are(prefixes: list[Any]) -> None:
    overlap = any(a.overlaps(b) for i, a in enumerate(prefixes) for b in prefixes[:i])
    document = {f"n{index}": {"cidr": str(prefix)} for index, prefix in enumerate(prefixes)}
    said: set[str] = set()
    try:
        load(document)
    except InvalidDocument as error:
        said = {problem.wanted for problem in error.problems}
    assert said == ({"prefixes that do not overlap"} if overlap else set())
