"""The whole room against a real named: what it promises of plans, foreign values, marks and failures."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbkit.base.host import Host
from lbkit.dns.room import ROOM
from lbkit.engine.applying import ApplyFailed
from lbkit.engine.change import Action
from lbkit.engine.diff import ForeignObject
from lbkit.engine.view import Health

from .named import ZONE, Named, running
from .world import World, a, key, key_file

pytestmark = pytest.mark.sandbox

FOREIGN = """
shop 600 A 192.0.2.99
txt TXT "somebody's"
www CNAME ns
"""


@pytest.fixture
def world(tmp_path: Path, host: Host) -> World:
    key_file(tmp_path)
    return World(tmp_path, host)


@pytest.fixture
def server(world: World) -> Iterator[Named]:
    with running(Named(world.folder / "ns", world.folder / "tsig.key", records=FOREIGN)) as named:
        yield named


def dig(name: str, kind: str, port: int = 53) -> list[str]:
    argv = [
        "dig",
        "+norec",
        "+short",
        "+time=2",
        "+tries=1",
        "-p",
        str(port),
        "@127.0.0.1",
        f"{name}.{ZONE}",
        kind,
    ]
    return sorted(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines())


def test_every_type_reaches_the_server_and_the_second_plan_is_empty(world: World, server: Named) -> None:
    scope = world.scope(
        a("a", "192.0.2.1", "192.0.2.2"),
        a("a", "2001:db8::1", kind="AAAA"),
        a("*.wild", "192.0.2.3"),
        a("@", "192.0.2.4"),
        a("alias", "a", kind="CNAME"),
        a("@", "10 mail.other.test.", "0 a", kind="MX"),
        a("_http._tcp", "0 5 80 a", kind="SRV"),
        a("@", '0 issue "ca.example.net"', kind="CAA"),
        a("sub", "ns.other.test.", kind="NS"),
        a("4.3", "a", kind="PTR"),
        a("quotes", 'say "hi" \\ and ; so', "x" * 700, "ü", "", kind="TXT"),
    )
    plan = world.plan(scope)
    assert {change.action for change in plan.changes} == {Action.CREATE}
    world.apply(scope)
    assert not world.plan(scope)
    assert dig("a", "A") == ["192.0.2.1", "192.0.2.2"]
    assert dig("anything.wild", "A") == ["192.0.2.3"]
    assert len(dig("quotes", "TXT")) == 4
    assert '"say \\"hi\\" \\\\ and ; so"' in dig("quotes", "TXT")
    assert world.apply(scope).done == ()


def zone_of(world: World) -> list[str]:
    """The zone's records as a transfer by dig shows them, but for the SOA."""
    argv = ["dig", "+noall", "+answer", "-k", str(world.folder / "tsig.key"), "@127.0.0.1", ZONE, "AXFR"]
    lines = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(" ".join(line.split()) for line in lines if "\tSOA\t" not in line and "TSIG" not in line)


def nsupdate(world: World, *commands: str) -> None:
    script = "\n".join(["server 127.0.0.1", f"zone {ZONE}", *commands, "send", ""])
    argv = ["nsupdate", "-k", str(world.folder / "tsig.key")]
    subprocess.run(argv, input=script, text=True, check=True, capture_output=True)


def test_destroy_leaves_the_zone_as_it_was(world: World, server: Named) -> None:
    before = zone_of(world)
    scope = world.scope(a("shop", "192.0.2.1"), a("new", "192.0.2.2"), a("cname", "a", kind="CNAME"))
    world.apply(scope)
    assert zone_of(world) != before
    world.apply(scope, absent=True)
    assert zone_of(world) == before
    assert not world.plan(scope, absent=True)


def test_values_stand_beside_foreign_ones_whose_ttl_stays(world: World, server: Named) -> None:
    scope = world.scope(a("shop", "192.0.2.1", ttl=60))
    (change,) = world.plan(scope).changes
    assert change.action is Action.UPDATE
    assert "stay as they are, with TTL 600" in change.reason
    world.apply(scope)
    assert f"shop.{ZONE}. 600 IN A 192.0.2.99" in zone_of(world)
    assert f"shop.{ZONE}. 600 IN A 192.0.2.1" in zone_of(world)
    assert not world.plan(scope)
    world.apply(world.scope(a("shop", "192.0.2.2")))
    assert dig("shop", "A") == ["192.0.2.2", "192.0.2.99"]


@pytest.mark.parametrize(
    "record",
    [
        a("shop", "192.0.2.99"),
        a("www", "ns", kind="CNAME"),
        a("www", "other", kind="CNAME"),
        a("www", "192.0.2.1"),
        a("txt", "ns", kind="CNAME"),
    ],
)
def test_what_stands_in_the_way_without_a_mark_is_named_and_left(
    world: World, server: Named, record: dict
) -> None:
    before = zone_of(world)
    with pytest.raises(ForeignObject) as caught:
        world.plan(world.scope(record, a("fine", "192.0.2.1")))
    assert caught.value.keys == (key(record["name"], record["type"]),)
    assert zone_of(world) == before


def test_adopting_marks_a_value_that_stands_and_replaces_a_foreign_cname(world: World, server: Named) -> None:
    scope = world.scope(a("shop", "192.0.2.99", ttl=60), a("www", "other", kind="CNAME"))
    result = world.apply(scope, adopt={key("shop"), key("www", "CNAME")})
    assert {change.action for change in result.done} == {Action.ADOPT}
    assert f"shop.{ZONE}. 60 IN A 192.0.2.99" in zone_of(world)
    assert dig("www", "CNAME") == [f"other.{ZONE}."]
    assert not world.plan(scope)
    world.apply(scope, absent=True)
    assert dig("shop", "A") == dig("www", "CNAME") == []


def test_adopting_cannot_make_room_for_a_cname_beside_other_types(world: World, server: Named) -> None:
    before = zone_of(world)
    with pytest.raises(ApplyFailed) as caught:
        world.apply(world.scope(a("txt", "ns", kind="CNAME")), adopt={key("txt", "CNAME")})
    assert "txt TXT" in caught.value.found
    assert zone_of(world) == before


def test_two_topologies_share_an_rrset_and_neither_takes_the_other_s(world: World, server: Named) -> None:
    one, two = world.scope(a("both", "192.0.2.1")), world.scope(a("both", "192.0.2.2"), name="other")
    world.apply(one)
    world.apply(two)
    assert dig("both", "A") == ["192.0.2.1", "192.0.2.2"]
    assert not world.plan(one)
    with pytest.raises(ForeignObject) as caught:
        world.plan(world.scope(a("both", "192.0.2.1", "192.0.2.2")))
    assert caught.value.keys == (key("both"),)
    world.apply(one, absent=True)
    assert dig("both", "A") == ["192.0.2.2"]
    assert not world.plan(two)


def test_another_topology_s_value_is_taken_over_with_its_mark(world: World, server: Named) -> None:
    one, two = world.scope(a("both", "192.0.2.1")), world.scope(a("both", "192.0.2.1"), name="other")
    world.apply(one)
    with pytest.raises(ForeignObject, match="owned by web"):
        world.plan(two)
    world.apply(two, adopt={key("both")})
    assert not world.plan(two)
    world.apply(one, absent=True)
    assert dig("both", "A") == ["192.0.2.1"]


def test_what_somebody_removed_by_hand_comes_back_and_what_they_added_stays(
    world: World, server: Named
) -> None:
    scope = world.scope(a("shop2", "192.0.2.1", "192.0.2.2"))
    world.apply(scope)
    nsupdate(world, f"update delete shop2.{ZONE} A 192.0.2.1", f"update add shop2.{ZONE} 300 A 192.0.2.3")
    (change,) = world.plan(scope).changes
    assert "removed by somebody else" in change.reason
    world.apply(scope)
    assert dig("shop2", "A") == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    world.apply(scope, absent=True)
    assert dig("shop2", "A") == ["192.0.2.3"]


def test_a_name_changes_between_cname_and_other_types_in_one_apply(world: World, server: Named) -> None:
    world.apply(world.scope(a("turn", "192.0.2.1"), a("turn", "text", kind="TXT")))
    scope = world.scope(a("turn", "a", kind="CNAME"))
    world.apply(scope)
    assert dig("turn", "CNAME") == [f"a.{ZONE}."]
    assert not world.plan(scope)
    back = world.scope(a("turn", "192.0.2.1"), a("turn", "text", kind="TXT"))
    world.apply(back)
    assert dig("turn", "A") == ["192.0.2.1"]
    assert not world.plan(back)


def test_a_ttl_of_ours_alone_follows_the_document(world: World, server: Named) -> None:
    world.apply(world.scope(a("ttl", "192.0.2.1", "192.0.2.2", ttl=300)))
    scope = world.scope(a("ttl", "192.0.2.1", "192.0.2.2", ttl="2m"))
    (change,) = world.plan(scope).changes
    assert change.reason == "TTL 120 instead of 300"
    world.apply(scope)
    assert f"ttl.{ZONE}. 120 IN A 192.0.2.2" in zone_of(world)
    assert not world.plan(scope)


def test_status_and_explain_tell_what_is_served(world: World, server: Named) -> None:
    scope = world.scope(a("shop3", "192.0.2.1"))
    (row,) = ROOM.status(scope, world.host)
    assert (row.present, row.health) == (False, Health.UP)
    world.apply(scope)
    (row,) = ROOM.status(scope, world.host)
    assert (row.present, row.health) == (True, Health.UP)
    assert row.facts["rrsets"] == 1
    assert list(ROOM.explainable(scope)) == [ZONE, f"{ZONE}/shop3"]
    findings = ROOM.explain(scope, world.host, [ZONE, "shop3"])
    assert findings is not None
    assert all(finding.good for finding in findings)
    nsupdate(world, f"update delete shop3.{ZONE} A")
    findings = ROOM.explain(scope, world.host, [ZONE, "shop3"])
    assert [finding.good for finding in findings or ()] == [False, False]
    assert ROOM.explain(scope, world.host, ["elsewhere.test"]) is None
    assert ROOM.explain(scope, world.host, [ZONE, "nothing"]) is None
