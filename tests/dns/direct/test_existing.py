"""Rrsets that stand otherwise: left and told, or all named before anything is done."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from lbkit.base.problems import InvalidDocument
from lbkit.dns.direct.asked import Asked, asked
from lbkit.dns.direct.planning import InTheWay, StandsOtherwise, decide, place_of
from lbkit.dns.zonedata import Rrset, ZoneData
from tests.dns.direct.test_planning import APEX, ZONE, decided, held, wishes, zones
from tests.dns.model_server import carried_out


@given(zones(), wishes().filter(lambda wish: not wish.absent))
def test_kept_is_what_would_be_changed_and_the_second_plan_keeps_it_too(zone: ZoneData, wish: Asked) -> None:
    keeping = replace(wish, on_existing="keep")
    decision = decided(zone, keeping)
    if decision is None:
        return
    after = carried_out(zone, decision.units)
    again = decide(after, keeping)
    assert not again.plan
    assert again.plan.notes == decision.plan.notes
    told = " ".join(decision.plan.notes)
    for record in wish.records:
        have, now = zone.rrsets.get(record.place), after.rrsets[record.place]
        if have is None:
            assert now.values == record.values
            continue
        assert now == have
        as_asked = (
            (record.values or frozenset()) <= have.values if wish.append else record.values == have.values
        )
        as_asked = as_asked and record.ttl in {None, have.ttl}
        assert (f"stays so: {record.name} {record.kind}," in told) is not as_asked
    replacing = decided(zone, wish)
    if replacing is not None:
        updates = {place_of(change) for change in replacing.plan.changes if change.before and change.after}
        assert len([note for note in decision.plan.notes if "stands otherwise" in note]) == len(updates)


@given(zones(), wishes().filter(lambda wish: not wish.absent))
def test_failing_names_all_that_would_be_kept_and_else_does_the_same(zone: ZoneData, wish: Asked) -> None:
    keeping, replacing = decided(zone, replace(wish, on_existing="keep")), decided(zone, wish)
    told = [note for note in keeping.plan.notes if "stands otherwise" in note] if keeping else []
    if told:
        with pytest.raises(StandsOtherwise) as caught:
            decide(zone, replace(wish, on_existing="fail"))
        assert told == [f"stands otherwise, and stays so: {one}" for one in caught.value.obstacles]
        return
    failing = decided(zone, replace(wish, on_existing="fail"))
    if failing is not None:
        assert replacing is not None
        assert failing.plan == replacing.plan


def test_a_topology_s_set_is_kept_and_a_cname_in_the_way_fails_still() -> None:
    zone = ZoneData(
        ZONE,
        1,
        {**APEX, **held("shop", "A", "192.0.2.1"), ("www", "CNAME"): Rrset(1, frozenset({"a.test."}))},
    )
    shop = {"name": "shop", "type": "A", "values": ["192.0.2.9"]}
    decision = decide(zone, asked(ZONE, [shop], on_existing="keep"))
    assert not decision.plan
    (note,) = decision.plan.notes
    assert note.startswith("stands otherwise, and stays so: shop A, with TTL 60 and 192.0.2.1")
    www = {"name": "www", "type": "A", "values": ["192.0.2.9"]}
    with pytest.raises(InTheWay, match="a CNAME stands alone"):
        decide(zone, asked(ZONE, [www], on_existing="keep"))


def test_another_single_value_is_kept_also_where_values_are_appended() -> None:
    zone = ZoneData(ZONE, 1, {**APEX, ("www", "CNAME"): Rrset(1, frozenset({"a.test."}))})
    www = {"name": "www", "type": "CNAME", "values": ["shop"]}
    plan = decide(zone, asked(ZONE, [www], values="append", on_existing="keep")).plan
    assert plan.notes == ("stands otherwise, and stays so: www CNAME, with TTL 1 and a.test.",)


@pytest.mark.parametrize(
    ("word", "state", "words"),
    [("leave", "present", "replace or keep or fail"), ("keep", "absent", "state absent")],
)
def test_what_cannot_be_meant_is_said(word: str, state: str, words: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        asked(ZONE, [{"name": "a", "type": "A", "values": ["192.0.2.1"]}], state=state, on_existing=word)
    assert words in str(caught.value)
