"""Of what stands a part goes: what was named and what dies with it, nothing that something else cannot do without."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from lbkit.base.errors import Failure, Mistake
from lbkit.base.host import Host
from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.order import in_waves
from lbkit.engine.plan import Plan
from lbkit.engine.planning import make_plan
from lbkit.engine.removing import StillNeeded, Unseen, removal
from lbkit.engine.resource import Actual, Key
from lbkit.engine.selecting import chooser
from tests.engine.model_room import OWNER, room, scope, stand, thing

Worlds = dict[Key, Actual]


def key(text: str) -> Key:
    return Key(*text.split("/"))


def keys(*texts: str) -> frozenset[Key]:
    return frozenset(map(key, texts))


def standing(name: str, *requires: str, within: str = "", any_of: tuple[str, ...] = ()) -> Actual:
    on = key(within) if within else None
    needs = keys(*requires, *([within] if within else []))
    return Actual(key(name), {}, OWNER, requires=needs, within=on, any_of=keys(*any_of))


def all_of(*world: Actual) -> Plan:
    return Plan(
        OWNER, in_waves(Change(have.key, Action.DELETE, Impact.NONE, "gone", None, have) for have in world)
    )


def things(plan: Plan, **more: frozenset[Key]) -> dict[str, frozenset[Key]]:
    alone = {f"{each.key.kind}/{each.key.name}": frozenset({each.key}) for each in plan.changes}
    return alone | {name.replace("_", "/"): its for name, its in more.items()}


def gone(plan: Plan) -> set[str]:
    return {f"{change.key.kind}/{change.key.name}" for change in plan.changes}


WORLD = (
    standing("network/n"),
    standing("machine/a", "network/n"),
    standing("machine/b", "network/n"),
    standing("service/a", within="machine/a"),
    standing("service/b", within="machine/b"),
    standing("proxy/p", "network/n", any_of=("machine/a", "machine/b")),
    standing("name/p", any_of=("proxy/p",)),
)


@pytest.mark.parametrize(
    ("names", "goes"),
    [
        ({"service/a"}, {"service/a"}),
        ({"machine/a"}, {"machine/a", "service/a"}),
        ({"name/p"}, {"name/p"}),
        ({"name/p", "proxy/p"}, {"name/p", "proxy/p"}),
        ({"name/p", "proxy/p", "machine/a", "machine/b"}, {each for each in gone(all_of(*WORLD)) if each != "network/n"}),
    ],
)  # fmt: skip
def test_what_is_named_goes_with_what_dies_with_it(names: set[str], goes: set[str]) -> None:
    plan = all_of(*WORLD)
    part = removal(plan, names, things(plan))
    assert gone(part) == goes
    assert [change for change in plan.changes if change in part.changes] == list(part.changes), (
        "in the order of the whole"
    )


@pytest.mark.parametrize(
    ("names", "needed"),
    [
        ({"network/n"}, {f"{name}": ["network n"] for name in ("machine a", "machine b", "proxy p")}),
        ({"machine/a", "machine/b"}, {"proxy p": ["machine a", "machine b"]}),
        ({"proxy/p"}, {"name p": ["proxy p"]}),
    ],
)
def test_all_that_cannot_do_without_it_is_named(names: set[str], needed: dict[str, list[str]]) -> None:
    plan = all_of(*WORLD)
    with pytest.raises(StillNeeded, match="to be removed") as caught:
        removal(plan, names, things(plan))
    assert caught.value.as_data()["needed"] == needed
    assert all(user in str(caught.value) for user in needed)


def test_one_that_is_elsewhere_is_enough_and_one_that_does_not_stand_is_not() -> None:
    servers = ("machine/a", "machine/b")
    plan = all_of(standing("machine/a"), standing("proxy/p", any_of=servers))
    assert gone(removal(plan, {"machine/a"}, things(plan))) == {"machine/a"}
    with pytest.raises(StillNeeded, match="proxy p needs machine a"):
        removal(plan, {"machine/a"}, things(plan, machine_b=keys("machine/b")))


def test_what_goes_on_with_less_is_said() -> None:
    plan = all_of(*WORLD)
    assert removal(plan, {"machine/a"}, things(plan)).notes == (
        "proxy p stays, and goes on without machine a",
    )
    assert not removal(plan, {"service/a"}, things(plan)).notes


def test_what_cannot_be_seen_stays_with_all_that_it_would_need() -> None:
    plan = all_of(*WORLD[:2])
    named = things(plan, machine_far=keys("machine/far"))
    far = {key("machine/far"): Unseen("host h cannot be reached", keys("network/n"))}
    assert gone(removal(plan, {"machine/a"}, named, far)) == {"machine/a"}
    with pytest.raises(StillNeeded, match="machine far needs network n"):
        removal(plan, {"machine/a", "network/n"}, named, far)
    with pytest.raises(
        Failure, match="machine far of shop was to be removed\n  found: host h cannot be reached"
    ):
        removal(plan, {"machine/far"}, named, far)


def test_what_belongs_to_several_goes_with_the_last_that_stands() -> None:
    one, two = keys("service/one", "service/web"), keys("service/two", "service/web")
    both = all_of(standing("service/one"), standing("service/two"), standing("service/web"))
    named = things(both, mirror_one=one, mirror_two=two)
    assert gone(removal(both, {"mirror/one"}, named)) == {"service/one"}
    assert gone(removal(both, {"mirror/one", "mirror/two"}, named)) == gone(both)
    last = all_of(standing("service/two"), standing("service/web"))
    assert gone(removal(last, {"mirror/two"}, named)) == {"service/two", "service/web"}
    assert not removal(last, {"mirror/one"}, named)
    left = all_of(standing("service/web"))
    assert gone(removal(left, {"mirror/one"}, named)) == {"service/web"}, "killed before that"


def test_a_group_and_its_members_are_not_several() -> None:
    plan = all_of(standing("machine/web-1"), standing("machine/web-2"), standing("spare/web"))
    named = things(plan, machine_web=keys("machine/web-1", "machine/web-2", "spare/web"))
    assert gone(removal(plan, {"machine/web-1"}, named)) == {"machine/web-1"}
    assert gone(removal(plan, {"machine/web"}, named)) == gone(plan)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Actual, ...]:
    """Each stands on some of those before it."""
    found: list[Actual] = []
    for number in range(draw(st.integers(0, 9))):
        before = (
            st.frozensets(st.sampled_from([have.key for have in found]), max_size=2)
            if found
            else st.just(frozenset())
        )
        requires, any_of = draw(before), draw(before)
        within = draw(st.sampled_from(sorted(requires))) if requires and draw(st.booleans()) else None
        found.append(
            Actual(
                Key(draw(st.sampled_from("xyz")), str(number)),
                {},
                OWNER,
                requires,
                within=within,
                any_of=any_of,
            )
        )
    return tuple(found)


def removed_or_why(plan: Plan, names: set[str], named: dict[str, frozenset[Key]]) -> Plan | StillNeeded:
    try:
        return removal(plan, names, named)
    except StillNeeded as error:
        return error


@given(worlds(), st.data())
def test_nothing_is_left_that_stands_on_nothing_and_a_second_one_is_empty(
    world: tuple[Actual, ...], data: st.DataObject
) -> None:
    plan = all_of(*world)
    named = things(plan)
    names = data.draw(st.sets(st.sampled_from(sorted(named)))) if named else set()
    wanted = {next(iter(named[name])) for name in names}
    part = removed_or_why(plan, names, named)
    if isinstance(part, StillNeeded):
        assert part.needed.keys() <= {have.key for have in world} - wanted
        for user, needs in part.needed.items():
            have = next(have for have in world if have.key == user)
            assert needs <= have.requires | have.any_of
        return
    goes = {change.key for change in part.changes}
    assert wanted <= goes
    left = [have for have in world if have.key not in goes]
    for have in left:
        assert not have.requires & goes
        assert not have.any_of or have.any_of - goes
        assert have.within not in goes
    for each in goes - wanted:
        assert next(have for have in world if have.key == each).within in goes, "more than was named"
    rest = all_of(*left)
    assert not removal(rest, names & things(rest).keys(), things(rest))
    assert removal(plan, set(named), named) == plan


def test_the_engine_gives_the_part_of_what_stands_and_leaves_what_is_foreign() -> None:
    wanted = [thing("a"), thing("b", requires=["a"]), thing("c")]
    model = room(*wanted, world=[*map(stand, wanted), stand(thing("theirs"), "somebody")])

    def part(*only: str) -> Plan:
        choose = chooser([model], scope(), Host(), only, absent=True)
        return choose(make_plan([model], scope(), Host(), absent=True))

    assert gone(part("thing/c")) == {"thing/c"}
    assert gone(part("thing/[ab]")) == {"thing/a", "thing/b"}
    assert gone(part("thing")) == {"thing/a", "thing/b", "thing/c"}
    assert not part("thing/theirs")
    assert not part("part/gone"), "what is not there is gone"
    with pytest.raises(StillNeeded, match="thing a of shop"):
        part("thing/a")
    with pytest.raises(Mistake, match="'thnig/a' was to name a part of shop"):
        part("thnig/a")
