"""What lives within a thing that is replaced: made anew in it, in order, and gone with the old one."""

from __future__ import annotations

from dataclasses import replace

from lbkit.base.host import Host
from lbkit.engine.change import Action, Change, Impact, Verdict
from lbkit.engine.planning import make_plan
from lbkit.engine.resource import Actual, Desired, Key

from .model_room import ModelRoom, room, scope, stand, thing

HOUSE = Key("thing", "house")


class Houses(ModelRoom):
    """`house` is replaced where its value changes; a key that says "presence" comes and goes with the house."""

    def judge_update(self, want: Desired, have: Actual) -> Verdict | None:
        if want.state == have.state:
            return None
        action = Action.REPLACE if want.key == HOUSE else Action.UPDATE
        return Verdict(action, Impact.DISRUPTIVE, "value differs")

    def judge_create(self, want: Desired) -> Verdict | None:
        return None if want.key.name == "presence" else super().judge_create(want)

    def judge_again(self, want: Desired, replaced: Change) -> Verdict | None:
        if want.key.name == "presence":
            return Verdict(Action.REPLACE, Impact.HITLESS, "takes over")
        return super().judge_again(want, replaced)

    def judge_delete(self, have: Actual) -> Verdict | None:
        return None if have.key.name == "presence" else super().judge_delete(have)


def inside(name: str, value: int = 1, *, requires: tuple[str, ...] = (), last: bool = False) -> Desired:
    return replace(thing(name, value, requires=["house", *requires]), within=HOUSE, last=last)


def standing(want: Desired, **state: int) -> Actual:
    have = replace(stand(want), within=want.within)
    return replace(have, state={**have.state, **state})


def plan_of(wanted: list[Desired], world: list[Actual], *, absent: bool = False) -> dict[str, object]:
    model = Houses(wanted={want.key: want for want in wanted}, world={have.key: have for have in world})
    plan = make_plan([model], scope(), Host(), absent=absent)
    return {change.key.name: change for change in plan.changes}


WANTED = [
    thing("house", 2),
    inside("oven"),
    inside("table", 2),
    inside("presence", last=True),
    inside("guest", requires=("presence",)),
    thing("street"),
]


def test_what_stood_within_is_made_anew_and_in_order() -> None:
    changes = plan_of(
        WANTED, [standing(thing("house", 1)), *(standing(want, value=1) for want in WANTED[1:])]
    )
    waves = {name: change.wave for name, change in changes.items()}
    assert waves == {"house": 0, "oven": 1, "table": 1, "presence": 2, "guest": 3}
    assert {name: change.action for name, change in changes.items()} == {
        "house": Action.REPLACE,
        "oven": Action.CREATE,
        "table": Action.CREATE,
        "presence": Action.REPLACE,
        "guest": Action.CREATE,
    }
    assert all(change.have is None for name, change in changes.items() if name != "house")
    assert changes["oven"].reason.startswith("thing house is replaced")


def test_what_is_no_longer_wanted_goes_with_the_old_one() -> None:
    old = standing(inside("stove"))
    changes = plan_of(WANTED[:2], [standing(thing("house", 1)), standing(inside("oven")), old])
    assert set(changes) == {"house", "oven"}


def test_where_it_is_not_replaced_what_stands_within_stays() -> None:
    changes = plan_of(WANTED, [standing(thing("house", 2)), *(standing(want) for want in WANTED[1:])])
    assert changes == {}


def test_what_comes_and_goes_by_itself_is_no_change() -> None:
    assert "presence" not in plan_of(WANTED, [])
    assert "presence" not in plan_of([], [standing(want) for want in WANTED], absent=True)


def test_a_last_thing_waits_for_every_other_within_but_not_for_the_rest() -> None:
    world = [
        standing(thing("house", 2)),
        standing(inside("presence"), value=0),
        standing(inside("guest", requires=("presence",)), value=0),
    ]
    waves = {name: change.wave for name, change in plan_of(WANTED, world).items()}
    assert waves == {"oven": 0, "table": 0, "street": 0, "presence": 1, "guest": 2}


def test_a_room_without_such_things_plans_as_before() -> None:
    plan = make_plan([room(thing("a"))], scope(), Host())
    assert [change.key.name for change in plan.changes] == ["a"]


def test_members_of_a_group_take_turns_with_all_that_stands_on_them() -> None:
    houses = [f"house-{number}" for number in (2, 1, 10)]
    wanted = []
    for house in houses:
        on = Key("thing", house)
        wanted += [
            thing(house),
            replace(thing(f"presence of {house}", requires=[house]), within=on, last=True, turn="houses"),
            replace(thing(f"guest of {house}", requires=[f"presence of {house}"]), within=on),
        ]
    world = [standing(want) for want in wanted if want.within is None]
    waves = {name: change.wave for name, change in plan_of(wanted, world).items()}
    order = [f"{what} of house-{number}" for number in (1, 2, 10) for what in ("presence", "guest")]
    assert [waves[name] for name in order] == list(range(6))


class Spares(Houses):
    def judge_again(self, want: Desired, replaced: Change) -> Verdict | None:
        return Verdict(Action.UPDATE, Impact.NONE, f"used up by {replaced.key}")


def test_spares_that_may_be_used_up_are_made_anew_after_all_else() -> None:
    on = Key("thing", "house-1")
    houses = frozenset({on, Key("thing", "house-2")})
    spares = [replace(thing(f"spare-{number}"), spare_for=houses) for number in (10, 2, 1)]
    wanted = [thing("house-1"), thing("house-2"), replace(thing("oven", requires=["house-1"]), within=on)]
    model = Spares(wanted={want.key: want for want in [*wanted, *spares]})
    model.world = {want.key: standing(want) for want in [thing("house-2"), *spares]}
    changes = {change.key.name: change for change in make_plan([model], scope(), Host()).changes}
    assert {name: change.wave for name, change in changes.items()} == {"house-1": 0, "oven": 1, "spare-1": 2}
    model.world |= {want.key: standing(want) for want in wanted}
    assert not make_plan([model], scope(), Host())
