"""What a topology's names stand for is what its address book says."""

from __future__ import annotations

from ipaddress import ip_interface
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbkit
from lbkit.engine.scope import Scope
from lbkit.faces.addresses import addresses_of

DOCUMENT: dict[str, Any] = {
    "lbkit": 1,
    "name": "told",
    "networks": {
        "front": {"cidr": ["10.80.0.0/24", "fd00:80::/64"]},
        "back": {"cidr": "10.80.1.0/25"},
    },
    "machines": {
        "lb": {"count": 2, "networks": ["front", "back"]},
        "db": {"networks": ["back"]},
        "shop": {"networks": ["back"]},
    },
    "load_balancers": {
        "shop": {
            "machines": "lb",
            "vip": {"network": "front", "address": ["10.80.0.10", "fd00:80::10"]},
            "frontends": {"web": {"bind": 80, "mode": "http", "backend": "web"}},
            "backends": {"web": {"servers": [{"machines": "db", "port": 80}]}},
        }
    },
}


@pytest.fixture(scope="module")
def scope(tmp_path_factory: pytest.TempPathFactory) -> Scope:
    return lbkit.load_data(DOCUMENT, tmp_path_factory.mktemp("told"))


def test_each_machine_has_its_first_address_told(scope: Scope) -> None:
    (first, second) = addresses_of(scope, "lb")
    assert [first] == addresses_of(scope, "lb-1")
    assert [second] == addresses_of(scope, "machines.lb-2")
    assert addresses_of(scope, "lb/back") != [first, second]


def test_a_load_balancer_has_its_virtual_address(scope: Scope) -> None:
    shop = "load_balancers.shop"
    assert addresses_of(scope, shop) == ["10.80.0.10"]
    assert addresses_of(scope, shop, family="ipv6") == ["fd00:80::10"]
    assert addresses_of(scope, shop, every=True, prefix=True) == ["10.80.0.10/24", "fd00:80::10/64"]


@given(
    name=st.sampled_from(["lb", "lb-1", "db", "lb/front", "lb/back"]),
    every=st.booleans(),
    family=st.sampled_from(["any", "ipv4"]),
)
def test_a_prefix_is_the_networks_and_changes_nothing_else(name: str, *, every: bool, family: Any) -> None:
    scope = lbkit.load_data(DOCUMENT, Path("/"))
    plain = addresses_of(scope, name, every=every, family=family)
    told = [ip_interface(each) for each in addresses_of(scope, name, every=every, family=family, prefix=True)]
    assert [str(each.ip) for each in told] == plain
    assert {each.network for each in told} <= {
        network for networks in scope.book.networks.values() for network in networks
    }


@pytest.mark.parametrize(
    ("name", "family", "words"),
    [
        ("lp-1", "any", "did you mean 'lb-1'?"),
        ("", "any", "nothing of that name"),
        ("lb-1/frnt", "any", "did you mean 'front'?"),
        ("lb-1/", "any", "not on a network ''"),
        ("db", "ipv6", "no ipv6 address"),
        ("lb/back", "ipv6", "no ipv6 address there"),
        ("shop", "any", "machines.shop or load_balancers.shop"),
    ],
)
def test_what_has_none_is_a_mistake(scope: Scope, name: str, family: Any, words: str) -> None:
    with pytest.raises(lbkit.Mistake) as raised:
        addresses_of(scope, name, family=family)
    assert words in str(raised.value)
