from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lbkit.engine.change import Action, Impact
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.haproxy.resolved import ResolvedVip
from lbkit.haproxy.vip.config import loaded_digest, render, vrrp_of
from lbkit.haproxy.vip.observe import claims
from lbkit.haproxy.vip.plan import desired, judge_update
from tests.haproxy.topologies import Document, document, resolved, with_

GOLDEN = Path(__file__).with_name("golden")
VIP = "load_balancers.shop.vip"


def vip(data: Document | None = None) -> ResolvedVip:
    found = resolved(data or document()).vip
    assert found is not None
    return found


def text(member: str = "lb-1", data: Document | None = None) -> str:
    return render(vrrp_of("shop", vip(data), member, "web"))


ADDRESSED = with_(
    "machines.lb.networks",
    {"front": {"addresses": ["10.80.0.11", "fd00:80::11", "10.80.0.12", "fd00:80::12"]}, "back": {}},
)


@pytest.mark.parametrize(
    ("name", "address"),
    [("both", ["10.80.0.10", "fd00:80::10"]), ("six", ["fd00:80::10"])],
)
def test_the_text_is_as_agreed(name: str, address: list[str]) -> None:
    data = with_(
        VIP, {"network": "front", "address": address, "router_id": 51, "interval": "150ms"}, ADDRESSED
    )
    assert text("lb-2", data) == (GOLDEN / f"keepalived-{name}.conf").read_text()


def test_members_have_priorities_in_their_order_and_each_other_as_peers() -> None:
    data = with_("machines.lb.count", 3)
    texts = [text(f"lb-{number}", data) for number in (1, 2, 3)]
    assert [int(re.findall(r"priority (\d+)", each)[0]) for each in texts] == [250, 240, 230]
    sources = [re.findall(r"unicast_src_ip (\S+)", each)[0] for each in texts]
    for own, each in zip(sources, texts, strict=True):
        peers = re.findall(r"unicast_peer \{([^}]*)\}", each)[0].split()
        assert set(peers) == set(sources) - {own}


def test_adding_a_machine_changes_no_priority() -> None:
    before, after = text("lb-2"), text("lb-2", with_("machines.lb.count", 3))
    assert re.findall("priority .*", before) == re.findall("priority .*", after)


def test_a_machine_alone_has_the_address_too() -> None:
    alone = text("lb", with_("machines.lb", {"networks": ["front", "back"]}))
    assert "unicast" not in alone  # keepalived refuses the words without peers
    assert "virtual_ipaddress {" in alone


def test_addresses_are_claimed_from_the_text() -> None:
    assert claims(text()) == {"address front 10.80.0.10", "address front fd00:80::10"}
    assert claims("") == frozenset()
    assert claims("a dev\n dev dev dev\n") <= {"address dev dev"}


def want(data: Document | None = None) -> Desired:
    return next(iter(desired("shop", vip(data), "web")))


def have(like: Desired, **changes: Any) -> Actual:
    return Actual(like.key, dict(like.state) | changes, "web")


def test_it_requires_its_haproxy_and_that_its_machine_is_on_the_networks() -> None:
    assert want().requires == {Key("machine", "lb-1"), Key("presence", "lb-1"), Key("haproxy", "lb-1/shop")}


@pytest.mark.parametrize(
    ("changes", "action", "impact", "words"),
    [
        ({"alive": False}, Action.RESTART, Impact.HITLESS, "does not run"),
        ({"loaded": "0"}, Action.UPDATE, Impact.RELOAD, "has not loaded"),
        ({"script": None}, Action.UPDATE, Impact.DISRUPTIVE, "watch.py"),
        ({"config": None}, Action.UPDATE, Impact.DISRUPTIVE, "the address changes"),
        (
            {"config": text("lb-1", with_("machines.lb.count", 3))},
            Action.UPDATE,
            Impact.RELOAD,
            "unicast_peer",
        ),
        (
            {"config": text("lb-1", with_(f"{VIP}.address", "10.80.0.99"))},
            Action.UPDATE,
            Impact.DISRUPTIVE,
            "the address changes",
        ),
    ],
)
def test_what_a_difference_means(changes: dict[str, Any], action: Action, impact: Impact, words: str) -> None:
    verdict = judge_update(want(), have(want(), **changes))
    assert verdict is not None
    assert (verdict.action, verdict.impact) == (action, impact)
    assert words in verdict.reason


def test_as_wanted_is_no_difference() -> None:
    assert judge_update(want(), have(want())) is None


def test_what_is_loaded_depends_on_text_and_script() -> None:
    assert len({loaded_digest("a", "b"), loaded_digest("a", "c"), loaded_digest("b", "b")}) == 3
