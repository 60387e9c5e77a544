"""What a difference means, and whose a bridge is: pure decisions."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_interface, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.engine.change import Action, Impact
from lbkit.engine.diff import ForeignObject, diff
from lbkit.engine.resource import Actual, Key
from lbkit.network import plan
from lbkit.network.netlink.nft import Masquerade, Table
from lbkit.network.netlink.read import Address, Link
from lbkit.network.observe import World, actual
from lbkit.network.resolve import Networks
from lbkit.network.room import ROOM
from tests.network import world

FRONT = world.network("web", "front", "10.80.0.1/24", "fd00:80::1/64", nat=True)
BACK = world.network("web", "back", "10.80.1.1/24")
NETWORKS = Networks({"front": FRONT, "back": BACK})
MARK = "lbkit:web:network/front"


def link(name: str, alias: str, **more: Any) -> Link:
    network = "back" if name.endswith("back") else "front"
    base = Link(7, name, "bridge", plan.bridge_mac("web", network), 1500, True, True, alias, 0, 0, 0)
    return base._replace(**more)


def standing() -> World:
    """The world just as declared."""
    return World(
        links=(link("web.front", MARK), link("web.back", "lbkit:web:network/back", ifindex=8)),
        addresses=(
            Address(7, ip_interface("10.80.0.1/24"), 108),
            Address(7, ip_interface("fd00:80::1/64"), 108),
            Address(8, ip_interface("10.80.1.1/24"), 108),
        ),
        tables=(Table("lbkit.web.front", MARK, Masquerade(FRONT.prefixes, "web.front")),),
        forwarding=frozenset({4, 6}),
    )


def changes(of: World, networks: Networks = NETWORKS) -> dict[str, tuple[Action, Impact, str]]:
    found = diff(plan.desired("web", networks), actual("web", networks, of), owner="web", judge=ROOM)
    return {change.key.name: (change.action, change.impact, change.reason) for change in found}


def test_as_declared_there_is_nothing_to_do() -> None:
    assert changes(standing()) == {}
    assert list(plan.notes(NETWORKS, standing())) == []


def test_from_nothing() -> None:
    empty = World((), (), ())
    assert {name: change[:2] for name, change in changes(empty).items()} == {
        "front": (Action.CREATE, Impact.NONE),
        "back": (Action.CREATE, Impact.NONE),
    }
    assert [note.split()[0] for note in plan.notes(NETWORKS, empty)] == [
        "net.ipv4.ip_forward",
        "net.ipv6.conf.all.forwarding",
    ]


def with_link(**changed: Any) -> World:
    have = standing()
    return replace(have, links=(have.links[0]._replace(**changed), have.links[1]))


@pytest.mark.parametrize(
    ("have", "action", "impact", "words"),
    [
        (with_link(mtu=1400), Action.UPDATE, Impact.HITLESS, "the MTU is 1400, declared is 1500"),
        (with_link(mtu=9000), Action.UPDATE, Impact.DISRUPTIVE, "the MTU is 9000"),
        (with_link(up=False), Action.UPDATE, Impact.NONE, "the bridge is down"),
        (with_link(mac="02:00:00:00:00:00"), Action.UPDATE, Impact.DISRUPTIVE, "neighbours learn it anew"),
        (
            with_link(name="br0"),
            Action.REPLACE,
            Impact.DISRUPTIVE,
            "the bridge is br0, declared is web.front",
        ),
        (
            replace(standing(), links=standing().links[1:]),
            Action.UPDATE,
            Impact.NONE,
            "the bridge is gone",
        ),
        (
            replace(standing(), addresses=standing().addresses[1:]),
            Action.UPDATE,
            Impact.NONE,
            "10.80.0.1/24 comes",
        ),
        (
            replace(
                standing(), addresses=(*standing().addresses, Address(7, ip_interface("10.9.9.9/24"), 108))
            ),
            Action.UPDATE,
            Impact.DISRUPTIVE,
            "10.9.9.9/24 goes",
        ),
        (replace(standing(), tables=()), Action.UPDATE, Impact.HITLESS, "translation is for nothing"),
        (
            replace(standing(), tables=(Table("lbkit.web.front", MARK, None),)),
            Action.UPDATE,
            Impact.HITLESS,
            "rules that lbkit did not write",
        ),
        (
            replace(standing(), forwarding=frozenset({6})),
            Action.UPDATE,
            Impact.NONE,
            "does not forward ipv4 yet",
        ),
        (
            replace(standing(), links=(*standing().links, link("copy", MARK, ifindex=9))),
            Action.UPDATE,
            Impact.DISRUPTIVE,
            "another bridge has this network's owner mark: copy",
        ),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) and " " in value else "",
)
def test_a_difference_says_what_it_costs_and_why(
    have: World, action: Action, impact: Impact, words: str
) -> None:
    assert set(changes(have)) == {"front"}
    found = changes(have)["front"]
    assert found[:2] == (action, impact)
    assert words in found[2]


def test_without_nat_its_table_goes() -> None:
    networks = Networks({"front": replace(FRONT, nat=False), "back": BACK})
    action, impact, words = changes(standing(), networks)["front"]
    assert (action, impact) == (Action.UPDATE, Impact.DISRUPTIVE)
    assert "lose their way to the world" in words


def test_what_is_not_declared_any_more_goes() -> None:
    assert changes(standing(), Networks({"back": BACK}))["front"][0] is Action.DELETE
    only_a_table = replace(standing(), links=standing().links[1:], addresses=())
    assert changes(only_a_table, Networks({"back": BACK}))["front"][0] is Action.DELETE


@pytest.mark.parametrize(
    ("changed", "owner"),
    [
        ({"alias": ""}, None),
        ({"alias": "lbkit:other:network/front"}, "other"),
        ({"alias": "lbkit:web:network/front\n"}, None),
        ({"alias": "lbkit:web:machine/front"}, None),
        ({"kind": "veth"}, None),
        ({"kind": ""}, None),
    ],
)
def test_a_link_of_the_wanted_name_that_is_not_ours_is_foreign(
    changed: dict[str, str], owner: str | None
) -> None:
    with pytest.raises(ForeignObject) as caught:
        changes(with_link(**changed))
    assert caught.value.owners == {Key("network", "front"): owner}


def test_our_mark_on_what_is_no_bridge_makes_nothing_ours() -> None:
    have = replace(standing(), links=(*standing().links, link("eth0", MARK, kind="", ifindex=2)))
    assert changes(have) == {}
    nothing_wanted = Networks({})
    found = actual("web", nothing_wanted, have)
    assert {each.state["bridge"] for each in found} == {"web.front", "web.back"}
    assert [each.state["strays"] for each in found] == [[], []]


def test_a_foreign_table_of_the_wanted_name_is_foreign() -> None:
    with pytest.raises(ForeignObject):
        changes(replace(standing(), tables=(Table("lbkit.web.front", "", None),)))


def test_forwarding_that_would_cut_the_host_off_is_said() -> None:
    cut = replace(standing(), forwarding=frozenset({4}), would_lose=("eth0",))
    (_, advice) = plan.notes(NETWORKS, cut)
    assert "net.ipv6.conf.eth0.accept_ra" in advice


NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@given(NAMES, NAMES)
def test_a_bridges_address_is_one_that_a_link_may_have(topology: str, name: str) -> None:
    octets = bytes.fromhex(plan.bridge_mac(topology, name).replace(":", ""))
    assert len(octets) == 6
    assert octets[0] & 0b11 == 0b10, "locally administered, of one link"


@given(
    st.sampled_from(["1", "2"]),
    st.integers(68, 65535),
    st.booleans(),
    st.lists(st.integers(1, 254), unique=True, max_size=3),
)
def test_what_stands_as_desired_is_no_difference(
    name: str,
    mtu: int,
    nat: bool,  # noqa: FBT001
    hosts: list[int],
) -> None:
    wanted = replace(
        world.network("web", name, mtu=mtu, nat=nat),
        gateways=tuple(ip_interface(f"10.0.0.{number}/24") for number in hosts),
        prefixes=(ip_network("10.0.0.0/24"),),
    )
    (desired,) = plan.desired("web", Networks({name: wanted}))
    have = Actual(desired.key, desired.state, "web")
    assert plan.judge_update(desired, have) is None
