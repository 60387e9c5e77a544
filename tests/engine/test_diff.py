from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.errors import Bug
from lbkit.base.host import Host
from lbkit.engine.change import Action, Impact
from lbkit.engine.diff import ForeignObject, diff
from lbkit.engine.planning import make_plan
from lbkit.engine.resource import Actual, Desired, Key

from .model_room import OWNER, ModelRoom, room, scope, stand, thing

NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f"])
WANTED = st.dictionaries(NAMES, st.integers(0, 2)).map(lambda d: {n: thing(n, v) for n, v in d.items()})
WORLD = st.dictionaries(NAMES, st.tuples(st.integers(0, 2), st.sampled_from([OWNER, OWNER, "another", None])))


def changes_of(wanted: dict[str, Desired], world: dict[str, Actual], **more: object):
    return diff(wanted.values(), world.values(), owner=OWNER, judge=ModelRoom(), **more)


def test_a_thing_that_stands_as_wanted_is_no_change() -> None:
    assert changes_of({"a": thing("a")}, {"a": stand(thing("a"))}) == []


def test_what_the_world_has_beyond_the_wanted_fields_is_no_difference() -> None:
    have = Actual(Key("thing", "a"), {"value": 1, "uptime": 7}, OWNER)
    assert changes_of({"a": thing("a")}, {"a": have}) == []


@pytest.mark.parametrize("owner", [None, "another"])
def test_a_foreign_thing_on_a_wanted_key_is_an_error_that_names_it(owner: str | None) -> None:
    with pytest.raises(ForeignObject) as caught:
        changes_of({"a": thing("a"), "b": thing("b")}, {"a": stand(thing("a"), owner)})
    assert caught.value.keys == (Key("thing", "a"),)
    assert caught.value.exit_code == 1
    assert "thing a" in str(caught.value)
    assert "--adopt thing/a" in caught.value.remedy


def test_a_foreign_thing_beside_the_wanted_keys_is_passed_over() -> None:
    assert changes_of({}, {"a": stand(thing("a"), None), "b": stand(thing("b"), "another")}) == []


def test_adopting_is_a_change_even_where_the_thing_is_as_wanted() -> None:
    (change,) = changes_of({"a": thing("a")}, {"a": stand(thing("a"), None)}, adopt={Key("thing", "a")})
    assert (change.action, change.impact) == (Action.ADOPT, Impact.NONE)


def test_what_several_may_share_takes_ours_in_without_taking_anything_over() -> None:
    have = Actual(Key("thing", "a"), {"value": 0}, None, free=True)
    (change,) = changes_of({"a": thing("a")}, {"a": have})
    assert (change.action, change.have) == (Action.UPDATE, have)
    assert changes_of({}, {"a": have}) == []


def test_where_another_s_part_stands_in_the_way_of_ours_it_is_foreign_unless_adopted() -> None:
    have = Actual(Key("thing", "a"), {"value": 0}, OWNER, free=False)
    with pytest.raises(ForeignObject) as caught:
        changes_of({"a": thing("a")}, {"a": have})
    assert "not made by lbkit" in caught.value.found
    (change,) = changes_of({"a": thing("a")}, {"a": have}, adopt={Key("thing", "a")})
    assert change.action is Action.ADOPT
    (change,) = changes_of({}, {"a": have})
    assert change.action is Action.DELETE


def test_one_key_desired_twice_is_a_bug() -> None:
    with pytest.raises(Bug):
        diff([thing("a"), thing("a")], [], owner=OWNER, judge=ModelRoom())


@given(wanted=WANTED, world=WORLD)
def test_the_plan_applied_to_the_world_gives_the_wanted_one_and_the_next_plan_is_empty(wanted, world) -> None:
    actual = {name: stand(thing(name, value), owner) for name, (value, owner) in world.items()}
    foreign = {name: have for name, have in actual.items() if have.owner != OWNER}
    model = room(*wanted.values(), world=actual.values())
    if set(foreign) & set(wanted):
        with pytest.raises(ForeignObject) as caught:
            make_plan([model], scope(), Host())
        assert {key.name for key in caught.value.keys} == set(foreign) & set(wanted)
        return
    plan = make_plan([model], scope(), Host())
    model.apply(plan.changes, scope(), Host(), lambda _change, _detail: None)
    assert not make_plan([model], scope(), Host())
    ours = {key.name: have.state for key, have in model.world.items() if have.owner == OWNER}
    assert ours == {name: want.state for name, want in wanted.items()}
    assert {name: model.world[Key("thing", name)] for name in foreign} == foreign


@given(wanted=WANTED)
def test_absent_leaves_nothing_of_ours(wanted) -> None:
    other = stand(thing("zz"), None)
    model = room(*wanted.values(), world=[*map(stand, wanted.values()), other])
    plan = make_plan([model], scope(), Host(), absent=True)
    model.apply(plan.changes, scope(), Host(), lambda _change, _detail: None)
    assert list(model.world.values()) == [other]
