"""The pure way from a zone to an update, against a model of a server: what is foreign stays, ours comes and goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.dns.apply import wish_of
from lbkit.dns.edits import InTheWay, Wish, units
from lbkit.dns.message import octets, packed, update_message
from lbkit.dns.ownership import held, holding, in_the_way, mark_name, mark_value, marked
from lbkit.dns.plan import actual, desired
from lbkit.dns.resolved import KeySource, ResolvedRrset, ResolvedZone
from lbkit.dns.room import ROOM
from lbkit.dns.values import TYPES
from lbkit.dns.zonedata import Rrset, ZoneData
from lbkit.engine.change import Change
from lbkit.engine.diff import ForeignObject, diff

from .model_server import PrerequisiteFailed, carried_out

ZONE = "example.test"
NAMES = st.sampled_from(["@", "shop", "*.shop", "a.shop"])
TTLS = st.sampled_from([60, 300])
VALUES = {
    "A": ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
    "TXT": ['"one"', '"two"', '"' + "x" * 255 + '"'],
    "CNAME": ["one.test.", "two.test."],
}


@st.composite
def contents(draw: st.DrawFn, most: int = 4) -> dict[tuple[str, str], Rrset]:
    """Rrsets as a zone may hold them: a CNAME alone, and none at the apex."""
    found: dict[tuple[str, str], Rrset] = {}
    for _ in range(draw(st.integers(0, most))):
        name, kind = draw(NAMES), draw(st.sampled_from(["A", "TXT", "CNAME"]))
        beside = {other for owner, other in found if owner == name}
        if (kind == "CNAME" and (beside or name == "@")) or "CNAME" in beside:
            continue
        size = 1 if kind == "CNAME" else 3
        values = draw(st.sets(st.sampled_from(VALUES[kind]), min_size=1, max_size=size))
        found[name, kind] = Rrset(draw(TTLS), frozenset(values))
    return found


def declared(rrsets: dict[tuple[str, str], Rrset]) -> ResolvedZone:
    resolved = {
        place: ResolvedRrset(*place, rrset.ttl, tuple(sorted(rrset.values)))
        for place, rrset in rrsets.items()
    }
    return ResolvedZone(ZONE, (), KeySource("lbkit", "hmac-sha256", Path("x")), 1.0, resolved)


def planned(
    zone: ZoneData, wanted: ResolvedZone, topology: str, *, absent: bool = False, adopt=()
) -> list[Change]:
    found = list(actual(wanted, zone, topology))
    return diff(() if absent else desired([wanted]), found, owner=topology, judge=ROOM, adopt=adopt)


def applied(zone: ZoneData, wanted: ResolvedZone, topology: str, **more) -> ZoneData:
    changes = planned(zone, wanted, topology, **more)
    return carried_out(zone, units(zone, topology, [wish_of(change) for change in changes]))


def foreign(zone: ZoneData, topology: str) -> dict[tuple[str, str], tuple[int, frozenset[str]]]:
    """All that is not `topology`'s: values with their TTL, and the marks of others."""
    found = {}
    for (name, kind), rrset in zone.rrsets.items():
        place = marked(name) if kind == "TXT" else None
        if place is not None:
            values = frozenset(text for text in rrset.values if f'"lbkit:{topology}:rrset"' not in text)
        else:
            values = frozenset(holding(zone, topology, name, kind).others)
        if values:
            found[name, kind] = (rrset.ttl, values)
    return found


@st.composite
def worlds(draw: st.DrawFn) -> ZoneData:
    """A zone with things of nobody, of topology other, and of an earlier apply of web; some removed by hand."""
    zone = ZoneData(ZONE, 1, draw(contents()))
    for topology in ("other", "web"):
        try:
            zone = applied(zone, declared(draw(contents(3))), topology)
        except ForeignObject:
            continue
    gone = draw(st.sets(st.sampled_from(sorted(zone.rrsets)), max_size=2)) if zone.rrsets else set()
    return ZoneData(ZONE, 9, {place: rrset for place, rrset in zone.rrsets.items() if place not in gone})


@given(zone=worlds(), wanted=contents())
def test_an_apply_reaches_what_is_declared_and_touches_nothing_of_others(zone, wanted) -> None:
    document = declared(wanted)
    before = foreign(zone, "web")
    try:
        after = applied(zone, document, "web")
    except ForeignObject as error:
        for found in error.keys:
            _, name, kind = found.name.split(" ")
            have = holding(zone, "web", name, kind)
            going = {place for place in VALUES if place not in wanted}
            assert any(in_the_way(zone, "web", have, wanted[name, kind].values, going))
        return
    assert foreign(after, "web") == before
    for place, rrset in wanted.items():
        have = holding(after, "web", *place)
        assert have.ours == rrset.values
        assert have.others or have.rrset.ttl == rrset.ttl
    assert held(after, "web") == set(wanted)
    assert planned(after, document, "web") == []


@given(zone=worlds(), wanted=contents())
def test_destroying_removes_ours_and_our_marks_and_nothing_else(zone, wanted) -> None:
    before = foreign(zone, "web")
    after = applied(zone, declared(wanted), "web", absent=True)
    assert foreign(after, "web") == before
    assert held(after, "web") == frozenset()
    assert planned(after, declared(wanted), "web", absent=True) == []


@given(zone=worlds(), wanted=contents())
def test_adopting_makes_the_wanted_values_ours_and_keeps_those_that_are_not_wanted(zone, wanted) -> None:
    document = declared(wanted)
    keys = {document.key_of(*place) for place in wanted}
    try:
        after = applied(zone, document, "web", adopt=keys)
    except InTheWay:
        return
    for place, rrset in wanted.items():
        have = holding(after, "web", *place)
        assert have.ours == rrset.values
        kept = set(holding(zone, "web", *place).others) - rrset.values
        assert set(have.others) == (set() if place[1] == "CNAME" else kept)
    assert planned(after, document, "web") == []


@given(zone=worlds(), wanted=contents(), data=st.data())
def test_a_change_in_between_is_refused_by_a_prerequisite_or_does_no_harm(zone, wanted, data) -> None:
    """Somebody adds a value, or removes one, at a name that an update is about to touch."""
    try:
        changes = planned(zone, declared(wanted), "web")
    except ForeignObject:
        return
    todo = units(zone, "web", [wish_of(change) for change in changes])
    touched = sorted({(edit.name, edit.kind) for unit in todo for edit in unit.edits})
    if not touched:
        return
    name, kind = data.draw(st.sampled_from(touched))
    found = zone.rrsets.get((name, kind))
    moved = dict(zone.rrsets)
    if found is None:
        moved[name, kind] = Rrset(60, frozenset({VALUES.get(kind, ["x"])[0]}))
    else:
        moved[name, kind] = Rrset(found.ttl, found.values | {'"new"' if kind == "TXT" else "new.test."})
    with pytest.raises(PrerequisiteFailed):
        carried_out(ZoneData(ZONE, 2, moved), todo)


def test_what_is_as_wished_gives_no_edit() -> None:
    assert units(ZoneData(ZONE, 1, {}), "web", [Wish("a", "A", 60, frozenset())]) == []


def test_marks_are_read_back_where_they_are_written() -> None:
    for kind in TYPES:
        for name in ("@", "shop", "*.shop", "a.a", "_x._tcp"):
            assert marked(mark_name(name, kind)) == (name, kind)
    assert marked("shop") is None
    assert marked("x.shop._lbkit") is None
    assert marked("_lbkit") is None


@given(st.sampled_from(VALUES["TXT"] + ['"say \\"hi\\" \\\\"', '"' + "y" * 255 + '" "z"']))
def test_a_mark_is_one_string_beside_the_owner_s_and_belongs_to_its_value_alone(value: str) -> None:
    mark = mark_value("web", value)
    place = ("t", "TXT")
    zone = ZoneData(
        ZONE,
        1,
        {place: Rrset(1, frozenset({value})), (mark_name(*place), "TXT"): Rrset(1, frozenset({mark}))},
    )
    assert holding(zone, "web", *place).ours == {value}
    assert holding(zone, "we", *place).ours == frozenset()
    assert holding(zone, "we", *place).others == {value: "web"}
    assert len(mark) < 300


LONG = st.text("ab", min_size=1, max_size=60)


@given(
    st.lists(st.tuples(LONG, st.sampled_from(["A", "AAAA", "TXT"]), st.booleans()), max_size=300), st.data()
)
def test_a_batch_is_never_larger_on_the_wire_than_it_was_reckoned(records, data) -> None:
    values = {
        "A": "255.255.255.255",
        "AAAA": "::",
        "TXT": '"' + "\\000" * data.draw(st.integers(0, 255)) + '" ""',
    }
    rrsets = {}
    for name, kind, standing in records:
        if standing:
            rrsets[name, kind] = Rrset(60, frozenset({values[kind]}))
    zone = ZoneData(ZONE, 1, rrsets)
    wishes = [Wish(name, kind, 60, frozenset({values[kind]}), adopt=True) for name, kind, _ in records]
    todo = units(zone, "web", list(dict.fromkeys(wishes)))
    room = data.draw(st.sampled_from([2000, 65535]))
    batches = list(packed(todo, room))
    assert [unit for batch in batches for unit in batch] == todo
    for batch in batches:
        reckoned = sum(octets(unit) for unit in batch)
        assert reckoned <= room or len(batch) == 1
        assert len(update_message(ZONE, batch).to_wire()) <= reckoned + 12 + len(ZONE) + 2 + 4
