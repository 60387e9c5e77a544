"""The pure way from a zone and a wish to an update, against a model of a server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.problems import InvalidDocument
from lbkit.dns.direct.asked import Asked, asked
from lbkit.dns.direct.planning import Decision, InTheWay, OfATopology, decide, place_of
from lbkit.dns.ownership import mark_name, mark_value, owners
from lbkit.dns.zonedata import Rrset, ZoneData
from tests.dns.model_server import PrerequisiteFailed, carried_out
from tests.dns.test_edits import VALUES, contents, worlds

ZONE = "example.test"
APEX = {("@", "SOA"): Rrset(600), ("@", "NS"): Rrset(600, frozenset({"ns.example.test."}))}
SIGNED = {("@", "RRSIG"): Rrset(600), ("@", "DNSKEY"): Rrset(600)}
KEEPS = st.lists(st.sampled_from(["*.shop", "shop TXT", "* CNAME", "@", "sh*"]), max_size=2)


@st.composite
def zones(draw: st.DrawFn) -> ZoneData:
    return ZoneData(ZONE, 1, {**APEX, **draw(worlds()).rrsets, **(SIGNED if draw(st.booleans()) else {})})


@st.composite
def wishes(draw: st.DrawFn) -> Asked:
    absent, prune = draw(st.sampled_from([(True, False), (False, False), (False, True)]))
    records: list[dict[str, Any]] = []
    for (name, kind), rrset in draw(contents()).items():
        record: dict[str, Any] = {"name": name, "type": kind, "ttl": draw(st.sampled_from([None, rrset.ttl]))}
        if not (absent and draw(st.booleans())):
            record["values"] = sorted(rrset.values)
        records.append(record)
    return asked(
        ZONE,
        records,
        state="absent" if absent else "present",
        values=draw(st.sampled_from(["exact", "append"])),
        prune=prune and bool(records),
        keep=draw(KEEPS),
    )


def decided(zone: ZoneData, wish: Asked) -> Decision | None:
    """None: the wish cannot be had in that zone, or would change what is a topology's."""
    try:
        return decide(zone, wish)
    except InTheWay:
        return None


@given(zones(), wishes())
def test_carried_out_it_is_as_wished_and_the_second_plan_is_empty(zone: ZoneData, wish: Asked) -> None:
    decision = decided(zone, wish)
    if decision is None:
        return
    after = carried_out(zone, decision.units)
    again = decide(after, wish)
    assert not again.plan
    assert not again.units
    assert again.plan.notes == decision.plan.notes
    assert {place: after.rrsets.get(place) for place in decision.after} == decision.after
    for record in wish.records:
        have, now = zone.rrsets.get(record.place), after.rrsets.get(record.place)
        stood = have.values if have else frozenset()
        stand = now.values if now else frozenset()
        if wish.absent:
            assert stand == (stood - record.values if record.values is not None else frozenset())
            assert not now or not have or now.ttl == have.ttl
            continue
        assert now is not None
        assert stand == ((record.values or frozenset()) | (stood if wish.append else frozenset()))
        assert now.ttl == (record.ttl if record.ttl is not None else have.ttl if have else 300)


@given(zones(), wishes())
def test_nothing_else_changes_and_what_is_a_topology_s_never(zone: ZoneData, wish: Asked) -> None:
    decision = decided(zone, wish)
    if decision is None:
        return
    after = carried_out(zone, decision.units)
    listed = {record.place for record in wish.records}
    changed = {
        place
        for place in zone.rrsets.keys() | after.rrsets.keys()
        if zone.rrsets.get(place) != after.rrsets.get(place)
    }
    assert changed == {place_of(change) for change in decision.plan.changes}
    if not wish.prune:
        assert changed <= listed
    for name, kind in zone.rrsets:
        for value, topology in owners(zone, name, kind).items():
            assert owners(after, name, kind)[value] == topology
            assert after.rrsets[name, kind].ttl == zone.rrsets[name, kind].ttl
    for place in zone.rrsets:
        if place in APEX or place in SIGNED or place[0].endswith("_lbkit"):
            assert after.rrsets[place] == zone.rrsets[place]
        elif wish.prune and place not in listed and place in after.rrsets:
            assert owners(zone, *place) or any(keep.covers(*place) for keep in wish.keep)


@given(zones(), wishes())
def test_the_plan_tells_what_stands_and_what_will(zone: ZoneData, wish: Asked) -> None:
    decision = decided(zone, wish)
    if decision is None:
        return
    for change in decision.plan.changes:
        place = place_of(change)
        for state, rrset in ((change.before, zone.rrsets.get(place)), (change.after, decision.after[place])):
            assert state == ({"ttl": rrset.ttl, "values": sorted(rrset.values)} if rrset else None)
        assert change.reason
        assert change.steps
    assert decision.plan.topology == ""


@given(zones(), wishes(), st.data())
def test_what_was_changed_meanwhile_stops_the_update(
    zone: ZoneData, wish: Asked, data: st.DataObject
) -> None:
    decision = decided(zone, wish)
    if decision is None or not decision.plan:
        return
    name, kind = place_of(data.draw(st.sampled_from(decision.plan.changes)))
    moved = dict(zone.rrsets)
    found = moved.get((name, kind))
    new = {'"new"'} if kind == "TXT" else {"192.0.2.77"}
    moved[name, kind] = Rrset(found.ttl if found else 60, (found.values if found else frozenset()) | new)
    with pytest.raises(PrerequisiteFailed):
        carried_out(ZoneData(ZONE, 2, moved), decision.units)


@given(zones(), wishes(), st.data())
def test_a_mark_that_came_meanwhile_stops_the_update(
    zone: ZoneData, wish: Asked, data: st.DataObject
) -> None:
    decision = decided(zone, wish)
    standing = [change for change in decision.plan.changes if change.before] if decision else []
    if decision is None or not standing:
        return
    change = data.draw(st.sampled_from(standing))
    place = place_of(change)
    marks = (mark_name(*place), "TXT")
    found = zone.rrsets.get(marks)
    mark = mark_value("late", zone.rrsets[place].values.__iter__().__next__())
    moved = {**zone.rrsets, marks: Rrset(300, (found.values if found else frozenset()) | {mark})}
    with pytest.raises(PrerequisiteFailed):
        carried_out(ZoneData(ZONE, 2, moved), decision.units)


def held(name: str, kind: str, value: str, ttl: int = 60) -> dict[tuple[str, str], Rrset]:
    return {
        (name, kind): Rrset(ttl, frozenset({value, *VALUES[kind][1:]})),
        (mark_name(name, kind), "TXT"): Rrset(300, frozenset({mark_value("web", value)})),
    }


@pytest.mark.parametrize(
    ("record", "more"),
    [
        ({"values": ["192.0.2.9"]}, {}),
        ({"values": ["192.0.2.1"]}, {"state": "absent"}),
        ({}, {"state": "absent"}),
        ({"values": ["192.0.2.9"], "ttl": 99}, {"values": "append"}),
    ],
)
def test_a_topology_s_value_is_named_and_left(record: dict[str, Any], more: dict[str, Any]) -> None:
    zone = ZoneData(ZONE, 1, {**APEX, **held("shop", "A", "192.0.2.1")})
    wish = asked(ZONE, [{"name": "shop", "type": "A", **record}], **more)
    with pytest.raises(OfATopology, match=r"192\.0\.2\.1.* topology web"):
        decide(zone, wish)


def test_beside_a_topology_s_value_others_come_and_go() -> None:
    zone = ZoneData(ZONE, 1, {**APEX, **held("shop", "A", "192.0.2.1")})
    for values in (["192.0.2.1", "192.0.2.9"], ["192.0.2.1"]):
        decision = decide(zone, asked(ZONE, [{"name": "shop", "type": "A", "values": values}]))
        zone = carried_out(zone, decision.units)
        assert zone.rrsets["shop", "A"] == Rrset(60, frozenset(values))


def test_a_prune_leaves_a_topology_s_rrset_and_says_so() -> None:
    zone = ZoneData(
        ZONE, 1, {**APEX, **held("shop", "A", "192.0.2.1"), ("old", "A"): Rrset(1, frozenset({"192.0.2.7"}))}
    )
    plan = decide(zone, asked(ZONE, [{"name": "new", "type": "A", "values": ["192.0.2.1"]}], prune=True)).plan
    assert [str(change) for change in plan.changes] == [
        f"create rrset {ZONE} new A",
        f"delete rrset {ZONE} old A",
    ]
    assert plan.notes == ("of topology web, so they stay: shop A",)


def test_a_prune_makes_room_for_a_cname_and_nothing_else_does() -> None:
    zone = ZoneData(ZONE, 1, {**APEX, ("www", "A"): Rrset(1, frozenset({"192.0.2.7"}))})
    records = [{"name": "www", "type": "CNAME", "values": ["shop"]}]
    with pytest.raises(InTheWay, match="a CNAME stands alone"):
        decide(zone, asked(ZONE, records))
    after = carried_out(zone, decide(zone, asked(ZONE, records, prune=True)).units)
    assert after.kinds_at("www") == {"CNAME"}


def test_the_zone_keeps_a_name_server_in_every_update() -> None:
    zone = ZoneData(ZONE, 1, APEX)
    for more in ({"values": ["other.test."]}, {"values": ["ns"], "state": "absent"}, {"state": "absent"}):
        given_ = {
            "name": "@",
            "type": "NS",
            **{name: value for name, value in more.items() if name == "values"},
        }
        with pytest.raises(InTheWay, match="name servers"):
            decide(zone, asked(ZONE, [given_], state=str(more.get("state", "present"))))


@pytest.mark.parametrize(
    ("record", "more", "words"),
    [
        ({"values": []}, {}, "at least one value"),
        ({"values": []}, {"state": "absent"}, "leave `values` out"),
        ({}, {}, "values that shall stand"),
        ({"values": ["x"]}, {}, "an IPv4 address"),
        ({"values": ["192.0.2.1", "192.0.2.1"]}, {}, "each value once"),
        ({"values": ["192.0.2.1"], "type": "SOA"}, {}, "does not keep by itself"),
        ({"values": ["192.0.2.1"], "type": "AXFR"}, {}, "a type of records that a zone can hold"),
        ({"values": ["192.0.2.1"], "type": "X"}, {}, "did you mean 'MX'"),
        ({"values": ["a", "b"], "type": "CNAME"}, {}, "one value for a CNAME"),
        ({"values": ["b"], "type": "CNAME", "name": "@"}, {}, "apex"),
        ({"values": ["192.0.2.1"], "name": f"www.{ZONE}"}, {}, "relative to its zone"),
        ({"values": ["192.0.2.1"], "name": "www.other.test."}, {}, "a name in the zone"),
        ({"values": ["192.0.2.1"], "name": "a._lbkit"}, {}, "owner marks"),
        ({"values": ["192.0.2.1"], "name": "a b"}, {}, "escaped"),
        ({"values": ["192.0.2.1"], "name": "x" * 64}, {}, "63 octets"),
        ({"values": ["192.0.2.1"], "name": "stra\u00dfe"}, {}, "xn--"),
        ({"values": ["192.0.2.1"], "ttl": "1.5s"}, {}, "whole seconds"),
        ({"values": ["192.0.2.1"], "ttl": -1}, {}, "whole seconds"),
        ({"values": ["192.0.2.1"], "tll": 5}, {}, "did you mean 'ttl'"),
        ({"values": ["192.0.2.1"]}, {"state": "absent", "prune": True}, "state present alone"),
        ({"values": ["192.0.2.1"]}, {"keep": ["a b c"]}, "NAME or 'NAME TYPE'"),
        ({"values": ["192.0.2.1"]}, {"state": "gone"}, "present or absent"),
    ],
)
def test_what_cannot_be_meant_is_said(record: dict[str, Any], more: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        asked(ZONE, [{"name": "www", "type": "A", **record}], **more)
    assert words in str(caught.value)


def test_a_prune_to_nothing_is_refused_and_one_rrset_is_listed_once() -> None:
    with pytest.raises(InvalidDocument, match="the whole zone would go"):
        asked(ZONE, [], prune=True)
    with pytest.raises(InvalidDocument, match="each name and type once"):
        asked(
            ZONE, [{"name": name, "type": "A", "values": ["192.0.2.1"]} for name in ("www", f"WWW.{ZONE}.")]
        )
    with pytest.raises(InvalidDocument, match="a CNAME alone"):
        asked(
            ZONE,
            [
                {"name": "a", "type": kind, "values": [value]}
                for kind, value in (("CNAME", "b"), ("TXT", "c"))
            ],
        )
