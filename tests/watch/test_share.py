"""What of a plan may be carried out unattended never needs what may not."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.limiting import limited
from lbkit.engine.order import in_waves
from lbkit.engine.plan import Plan
from lbkit.engine.resource import Desired, Key
from lbkit.watch.share import share_of
from tests.engine.model_room import stand, thing

NAMES = [f"t{number}" for number in range(8)]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    changes = []
    for number, name in enumerate(NAMES[: draw(st.integers(1, len(NAMES)))]):
        action = draw(st.sampled_from(Action))
        below = draw(st.sets(st.sampled_from(NAMES[:number]))) if number else set()
        claims = draw(st.sets(st.sampled_from(["address 1", "address 2"]), max_size=1))
        want = thing(name, requires=below, claims=claims)
        if draw(st.booleans()):
            want = replace(want, key=Key("part", name))
        if changes and draw(st.booleans()):
            want = replace(want, within=draw(st.sampled_from(changes)).key, last=draw(st.booleans()))
        changes.append(
            Change(
                want.key,
                action,
                Impact.NONE,
                "so",
                None if action is Action.DELETE else want,
                None if action is Action.CREATE else stand(want),
            )
        )
    return Plan("shop", tuple(changes))


@given(
    plan=plans(),
    only=st.lists(st.sampled_from(["thing", "part", "thing/t1", "part/t*", "*"]), max_size=2),
    deletes=st.booleans(),
)
def test_it_is_part_of_the_plan_and_needs_nothing_of_the_rest(
    *, plan: Plan, only: list[str], deletes: bool
) -> None:
    share = share_of(plan, only=only, deletes=deletes)
    assert [change for change in plan.changes if change in share.changes] == list(share.changes)
    assert deletes or not any(change.action is Action.DELETE for change in share.changes)
    rest = [change for change in plan.changes if change not in share.changes]
    for change in share.changes:
        if change.want is not None:
            assert not change.want.requires & {other.key for other in rest}
            assert change.want.within not in {other.key for other in rest}
        for other in rest:
            if other.have is not None and change.want is not None:
                assert not change.want.claims & other.have.claims, "it would take what nobody gave up"
            if change.action in {Action.DELETE, Action.REPLACE} and other.have is not None:
                assert change.key not in other.have.requires, "something still stands on it"
        if change.action is Action.REPLACE:
            alive = {other.want.within for other in rest if other.want is not None}
            assert change.key not in alive, "what is replaced takes with it what lives in it"
    assert share_of(share, only=only, deletes=deletes) == share


@given(plans())
def test_where_all_may_be_it_is_the_plan_itself(plan: Plan) -> None:
    assert share_of(plan, only=(), deletes=True) is plan
    assert not limited(plan, lambda _change: False)


def test_kinds_and_names_choose() -> None:
    plan = Plan(
        "shop", in_waves([_create(thing("a")), _create(thing("b")), _create(thing("c", requires=["a"]))])
    )

    def chosen(*only: str) -> list[str]:
        return [change.key.name for change in share_of(plan, only=only, deletes=True).changes]

    assert chosen("thing") == ["a", "b", "c"]
    assert chosen("thing/b") == ["b"]
    assert chosen("thing/c") == [], "what it stands on is left to a person"
    assert chosen("thing/[ac]") == ["a", "c"]
    assert chosen("part", "thing/b") == ["b"]


def _create(want: Desired) -> Change:
    return Change(want.key, Action.CREATE, Impact.NONE, "new", want, None)
