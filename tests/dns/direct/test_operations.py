"""Zones by their server and key, against a real named: what is promised of the plan, of others' records, and of failures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbkit import zones
from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.dns import client as client_module
from lbkit.dns.client import Client
from lbkit.dns.errors import Refused, ServerFailure, Unreachable, ZoneMoved
from lbkit.dns.keygen import write_key
from lbkit.dns.settle import Lagging
from lbkit.engine.applying import ApplyFailed, NotAsPlanned, PlanChanged
from tests.dns.named import ALLOW, PRIMARY, ZONE, Named, running
from tests.dns.test_server import dig, nsupdate, zone_of
from tests.dns.world import World, a, key_file

pytestmark = pytest.mark.sandbox

RECORDS = """
old 600 A 192.0.2.99
old 600 A 192.0.2.98
www CNAME ns
_443._tcp.www TLSA 3 1 1 ( 00112233445566778899aabbccddeeff 00112233445566778899AABBCCDDEEFF )
web HTTPS 1 . alpn=h2 ipv6hint=2001:db8::1
odd\\032name.0/25 PTR Host.0/25.other.test.
text TXT "say \\"hi\\"" "two" ""
sub NS ns.other.test.
sub DS 1 8 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
"""


@pytest.fixture
def world(tmp_path: Path, host: Host) -> World:
    key_file(tmp_path)
    return World(tmp_path, host)


@pytest.fixture
def server(world: World) -> Iterator[Named]:
    with running(Named(world.folder / "ns", world.folder / "tsig.key", records=RECORDS)) as named:
        yield named


@pytest.fixture
def at(world: World) -> zones.ZoneServer:
    return place(world)


def place(world: World, zone: str = ZONE, **key: Any) -> zones.ZoneServer:
    given = {"name": "lbkit", "secret_file": world.folder / "tsig.key", **key}
    return zones.ZoneServer("127.0.0.1", zone, key=zones.tsig_key(**given))


def wish(*records: dict[str, Any], **more: Any) -> zones.Asked:
    return zones.asked(ZONE, records, **more)


def test_every_kind_of_record_comes_as_planned_and_goes_value_by_value(
    world: World, server: Named, at: zones.ZoneServer
) -> None:
    before = zone_of(world)
    asked = wish(
        a("a", "192.0.2.1", "192.0.2.2", ttl="2m"),
        a("a", "2001:DB8::1", kind="AAAA"),
        a("*.wild", "192.0.2.3"),
        a("@", "10 mail.other.test.", "0 a", kind="MX"),
        a("_http._tcp", "0 5 80 a", kind="SRV"),
        a("sub2", "ns.Other.test.", kind="NS"),
        a("quotes", 'say "hi" \\ and ; so', "x" * 700, "\u00fc", '"one" "two"', "", kind="TXT"),
        a("b\u00fccher", "a", kind="CNAME"),
        a("key", "1 1 " + "AB" * 20, kind="SSHFP"),
        a("other", "\\# 2 0102", kind="TYPE65280"),
    )
    planned = zones.plan_records(at, asked)
    assert zone_of(world) == before
    assert zones.apply_records(at, asked, promised=planned) == planned
    assert not zones.plan_records(at, asked)
    assert not zones.apply_records(at, asked)
    assert set(before) < set(zone_of(world))
    assert dig("xn--bcher-kva", "CNAME") == [f"a.{ZONE}."]
    assert f"a.{ZONE}. 120 IN A 192.0.2.2" in zone_of(world)
    one = wish(a("a", "192.0.2.1"), state="absent")
    (change,) = zones.apply_records(at, one).changes
    assert (change.before, change.after) == (
        {"ttl": 120, "values": ["192.0.2.1", "192.0.2.2"]},
        {"ttl": 120, "values": ["192.0.2.2"]},
    )
    assert dig("a", "A") == ["192.0.2.2"]
    assert dig("a", "AAAA") == ["2001:db8::1"]
    assert not zones.apply_records(at, one)
    rest = [{"name": record.name, "type": record.kind} for record in asked.records]
    zones.apply_records(at, wish(*rest, state="absent"))
    assert zone_of(world) == before


def test_append_leaves_others_and_exact_replaces_them(
    world: World, server: Named, at: zones.ZoneServer
) -> None:
    zones.apply_records(at, wish(a("old", "192.0.2.1"), values="append"))
    assert dig("old", "A") == ["192.0.2.1", "192.0.2.98", "192.0.2.99"]
    assert f"old.{ZONE}. 600 IN A 192.0.2.1" in zone_of(world)
    (change,) = zones.apply_records(at, wish(a("old", "192.0.2.2", ttl=60))).changes
    assert change.reason == (
        "adds 192.0.2.2; removes 192.0.2.1, 192.0.2.98, 192.0.2.99, which resolvers may keep for 600 s; TTL 60 instead of 600"
    )
    assert [line for line in zone_of(world) if line.startswith("old.")] == [f"old.{ZONE}. 60 IN A 192.0.2.2"]


def test_what_is_read_is_what_stands_as_records_and_a_prune_to_it_is_empty(
    world: World, server: Named, at: zones.ZoneServer
) -> None:
    told = zones.contents(at).as_data()
    assert (told["serial"], told["transferred"], told["name_servers"]) == (1, True, [f"ns.{ZONE}."])
    assert {
        "name": "odd\\032name.0/25",
        "type": "PTR",
        "ttl": 600,
        "values": ["host.0/25.other.test."],
    } in told["records"]
    assert not zones.plan_records(at, wish(*told["records"], prune=True))
    zones.apply_records(at, wish(a("only", "192.0.2.1"), prune=True, keep=["ns", "* DS", "sub"]))
    left = {(record["name"], record["type"]) for record in zones.contents(at).records()}
    assert left == {("only", "A"), ("ns", "A"), ("sub", "NS"), ("sub", "DS")}
    zones.apply_records(at, wish(*told["records"], prune=True))
    assert zones.contents(at).records() == told["records"]


def test_a_topology_s_records_are_told_and_stay(world: World, server: Named, at: zones.ZoneServer) -> None:
    scope = world.scope(a("shop", "192.0.2.1"))
    world.apply(scope)
    told = zones.contents(at).as_data()
    assert told["marked"] == [{"name": "shop", "type": "A", "topology": "web", "values": ["192.0.2.1"]}]
    plan = zones.apply_records(at, wish(a("new", "192.0.2.2"), prune=True, keep=["ns"]))
    assert plan.notes == ("of topology web, so they stay: shop A",)
    for asked in (wish(a("shop", "192.0.2.2")), wish(a("shop", "192.0.2.1"), state="absent")):
        before = zone_of(world)
        with pytest.raises(zones.OfATopology, match="topology web"):
            zones.apply_records(at, asked)
        assert zone_of(world) == before
    zones.apply_records(at, wish(a("shop", "192.0.2.2"), values="append"))
    assert not world.plan(scope)


def test_thousands_of_records_take_several_messages_and_one_plan(
    world: World, server: Named, at: zones.ZoneServer
) -> None:
    asked = wish(*(a(f"host-{number}", f"10.0.{number // 250}.{number % 250}") for number in range(5000)))
    plan = zones.apply_records(at, asked)
    assert len(plan.changes) == 5000
    assert not zones.plan_records(at, asked)


class Between:
    """Does something each time after the zone was read for an update, and before that is sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *commands: tuple[str, ...], world: World) -> None:
        self.left = list(commands)
        sent = Client.update

        def update(client: Client, units: Any) -> Any:
            if self.left:
                nsupdate(world, *self.left.pop(0))
            return sent(client, units)

        monkeypatch.setattr(Client, "update", update)


def test_a_zone_that_moves_is_planned_anew(
    world: World, server: Named, at: zones.ZoneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = (f"update add old.{ZONE} 600 A 192.0.2.50",)
    Between(monkeypatch, added, world=world)
    (change,) = zones.apply_records(at, wish(a("old", "192.0.2.1"))).changes
    assert "192.0.2.50" in change.reason
    assert dig("old", "A") == ["192.0.2.1"]


def test_a_zone_that_never_rests_and_a_plan_that_was_agreed_to(
    world: World, server: Named, at: zones.ZoneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [(f"update add old.{ZONE} 600 A 192.0.2.{50 + number}",) for number in range(5)]
    between = Between(monkeypatch, *steps, world=world)
    asked = wish(a("old", "192.0.2.1"))
    planned = zones.plan_records(at, asked)
    with pytest.raises(ZoneMoved):
        zones.apply_records(at, asked)
    assert len(between.left) == 1
    with pytest.raises(PlanChanged):
        zones.apply_records(at, asked, promised=planned)
    assert len(between.left) == 1
    assert "192.0.2.1" not in dig("old", "A")


def test_where_it_fails_half_way_what_was_done_is_told(
    world: World, server: Named, at: zones.ZoneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "MESSAGE_OCTETS", 1024 + 600)
    sent = Client._receive
    answers: list[object] = []

    def receive(client: Client, question: Any, doing: str, **more: Any) -> Any:
        if doing == "an update" and len(answers) == 1:
            server.stop()
        message = sent(client, question, doing, **more)
        answers.extend([message] if doing == "an update" else [])
        return message

    monkeypatch.setattr(Client, "_receive", receive)
    with pytest.raises(ApplyFailed) as caught:
        zones.apply_records(at, wish(*(a(f"h{number}", "192.0.2.1") for number in range(40))))
    told = caught.value.as_data()
    assert told["done"]
    assert told["not_done"]
    assert len(told["done"]) + len(told["not_done"]) == 40


def test_what_was_done_though_the_answer_was_lost_is_told(
    world: World, server: Named, at: zones.ZoneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = Client._receive

    def receive(client: Client, question: Any, doing: str, **more: Any) -> Any:
        message = sent(client, question, doing, **more)
        if doing == "an update":
            raise Unreachable(ZONE, "127.0.0.1", "it closed the connection without an answer")
        return message

    monkeypatch.setattr(Client, "_receive", receive)
    with pytest.raises(ApplyFailed) as caught:
        zones.apply_records(at, wish(a("x", "192.0.2.1")))
    assert caught.value.as_data()["done"] == [f"create rrset {ZONE} x A"]
    assert dig("x", "A") == ["192.0.2.1"]


def test_what_is_read_back_otherwise_is_a_failure(
    world: World, server: Named, at: zones.ZoneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Client, "update", lambda _client, units: iter([units]))
    with pytest.raises(ApplyFailed) as caught:
        zones.apply_records(at, wish(a("new", "192.0.2.1")), settle=0.3)
    assert isinstance(caught.value.cause, NotAsPlanned)


def test_answers_that_are_no_success_fail_with_words(
    world: World, server: Named, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = wish(a("x", "192.0.2.1"))
    write_key(world.folder / "other.key")
    write_key(world.folder / "another.key", "another", "hmac-sha256")
    with pytest.raises(ServerFailure, match="BADSIG"):
        zones.apply_records(place(world, secret_file=world.folder / "other.key"), asked)
    with pytest.raises(ServerFailure, match="BADKEY"):
        zones.apply_records(place(world, name="another", secret_file=world.folder / "another.key"), asked)
    with pytest.raises(Refused, match="NOTAUTH"):
        zones.apply_records(place(world, "elsewhere.test"), asked)
    with pytest.raises(Refused, match="allow-transfer"):
        zones.apply_records(zones.ZoneServer("127.0.0.1", ZONE), asked)
    with pytest.raises(Unreachable):
        zones.apply_records(zones.ZoneServer("127.0.0.1", ZONE, 54), asked)
    with pytest.raises(Unreachable):
        zones.plan_records(zones.ZoneServer("no.such.host.invalid", ZONE), asked)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    with pytest.raises(ServerFailure, match="BADTIME"):
        zones.apply_records(place(world), asked)


def test_a_key_that_may_read_and_not_write(world: World) -> None:
    clause = PRIMARY.format(allow="allow-update { none; }; allow-transfer { key lbkit; };")
    with running(Named(world.folder / "ns", world.folder / "tsig.key", zone_clause=clause)):
        asked = wish(a("x", "192.0.2.1"))
        assert zones.plan_records(place(world), asked)
        with pytest.raises(Refused, match="REFUSED") as caught:
            zones.apply_records(place(world), asked)
        assert caught.value.rcode == "REFUSED"


def test_without_the_right_to_transfer_single_names_are_told(world: World) -> None:
    clause = PRIMARY.format(allow="allow-update { key lbkit; }; allow-transfer { none; };")
    named = Named(world.folder / "ns", world.folder / "tsig.key", zone_clause=clause, records=RECORDS)
    names = [
        {"name": name, "type": kind}
        for name, kind in (("old", "A"), ("www", "A"), ("none", "A"), ("sub", "A"))
    ]
    with running(named):
        for at in (place(world), zones.ZoneServer("127.0.0.1", ZONE)):
            told = zones.contents(at, zones.places(ZONE, names)).as_data()
            assert (told["serial"], told["transferred"], told["name_servers"]) == (1, False, [f"ns.{ZONE}."])
            assert told["records"] == [
                {"name": "old", "type": "A", "ttl": 600, "values": ["192.0.2.98", "192.0.2.99"]},
                {"name": "www", "type": "CNAME", "ttl": 600, "values": [f"ns.{ZONE}."]},
            ]


def test_a_secondary_is_waited_for_and_one_that_lags_is_named(world: World) -> None:
    key = world.folder / "tsig.key"
    primary = Named(
        world.folder / "ns",
        key,
        notify="explicit",
        zone_clause=PRIMARY.format(allow=ALLOW + " also-notify { 127.0.0.1 port 5353; };"),
    )
    clause = 'type secondary; file "zone"; primaries { 127.0.0.1 key lbkit; };'
    secondary = Named(world.folder / "two", key, port=5353, zone_clause=clause)
    at = place(world)
    waiting = [zones.secondary("127.0.0.1:5353", 53)]
    with running(primary):
        with pytest.raises(ApplyFailed) as caught:
            zones.apply_records(at, wish(a("x", "192.0.2.1")), wait_for=waiting, settle=0.3)
        assert isinstance(caught.value.cause, Lagging)
        assert caught.value.as_data()["done"] == [f"create rrset {ZONE} x A"]
        with pytest.raises(Lagging, match=r"port 5353"):
            zones.apply_records(at, wish(a("x", "192.0.2.1")), wait_for=waiting, settle=0.3)
        with running(secondary):
            zones.apply_records(at, wish(a("y", "192.0.2.1")), wait_for=waiting, settle=20)
            asked = zones.contents(zones.ZoneServer("127.0.0.1", ZONE, 5353), [("y", "A")])
            assert asked.data.rrsets["y", "A"].values == {"192.0.2.1"}


def test_a_secret_is_in_no_error(world: World, server: Named) -> None:
    secret = (world.folder / "tsig.key").read_text().split('"')[3]
    at = place(world, secret_file=None, secret=secret)
    assert zones.plan_records(at, wish(a("x", "192.0.2.1")))
    assert secret not in repr(at)
    with pytest.raises(Failure) as caught:
        zones.plan_records(
            place(world, "elsewhere.test", secret_file=None, secret=secret), wish(a("x", "192.0.2.1"))
        )
    assert secret not in str(caught.value.as_data())
