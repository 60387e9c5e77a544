"""A part of a plan is what was named and what that needs, and nothing beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest

from lbkit.base.errors import Mistake
from lbkit.base.host import Host
from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.diff import ForeignObject
from lbkit.engine.plan import Plan
from lbkit.engine.planning import make_plan
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.engine.selecting import chooser, selected, things_of
from tests.engine.model_room import ModelRoom, room, scope, stand, thing


def key(text: str) -> Key:
    return Key(*text.split("/"))


def made(name: str, *requires: str, within: str = "") -> Change:
    want = Desired(
        key(name), {}, requires=frozenset(map(key, requires)), within=key(within) if within else None
    )
    return Change(want.key, Action.CREATE, Impact.NONE, "new", want, None)


class Anything(ModelRoom):
    """Its things are its resources."""

    kinds = frozenset({"network", "machine", "service", "haproxy", "zone"})


def things(*declared: str) -> Mapping[str, frozenset[Key]]:
    keys = {*map(key, declared), *(change.key for change in PLAN.changes)}
    return things_of([Anything()], scope(), keys)


def gone(name: str, *requires: str) -> Change:
    have = Actual(key(name), {}, "web", requires=frozenset(map(key, requires)))
    return Change(have.key, Action.DELETE, Impact.NONE, "gone", None, have)


PLAN = Plan(
    "web",
    (
        made("network/front"),
        made("network/back"),
        made("machine/web-1", "network/back"),
        made("machine/web-2", "network/back"),
        made("service/web-1-app", "machine/web-1", within="machine/web-1"),
        made("haproxy/lb", "network/front", "service/web-1-app"),
        gone("network/old"),
        gone("machine/old-1", "network/old"),
    ),
    ("a note",),
)
PARTS: Mapping[tuple[str, ...], set[str]] = {
    ("network/back",): {"network/back"},
    ("network/*",): {"network/front", "network/back", "network/old", "machine/old-1"},
    ("machine/web-*",): {"network/back", "machine/web-1", "machine/web-2"},
    ("haproxy",): {"network/front", "network/back", "machine/web-1", "service/web-1-app", "haproxy/lb"},
    ("machine/old-1",): {"machine/old-1"},
    ("machine/web-2", "network/front"): {"network/back", "machine/web-2", "network/front"},
    ("zone/declared",): set(),
    ("*",): {f"{change.key.kind}/{change.key.name}" for change in PLAN.changes},
}


@pytest.mark.parametrize("only", PARTS, ids=" ".join)
def test_it_is_what_was_named_and_what_that_needs(only: tuple[str, ...]) -> None:
    found = selected(PLAN, only, things("zone/declared"))
    assert {f"{change.key.kind}/{change.key.name}" for change in found.changes} == PARTS[only]
    assert [change for change in PLAN.changes if change in found.changes] == list(found.changes)
    assert found.notes == PLAN.notes


def test_a_name_of_nothing_is_a_mistake() -> None:
    with pytest.raises(Mistake, match="'machine/web-3' was to name a part of web") as caught:
        selected(PLAN, ["network/back", "machine/web-3"], things())
    assert "machine/web-" in caught.value.remedy


def test_what_is_foreign_is_in_the_way_of_what_needs_it_alone() -> None:
    wanted = [thing("a"), thing("b", requires=["a"]), thing("c")]
    model = room(*wanted, world=[stand(thing("a", 9), "somebody")])

    def chosen(*only: str, adopt: Collection[Key] = ()) -> set[str]:
        plan = make_plan([model], scope(), Host(), adopt=adopt, partly=True)
        part = chooser([model], scope(), Host(), only, absent=False, adopt=adopt)(plan)
        return {str(change) for change in part.changes}

    assert chosen("thing/c") == {"create thing c"}
    for name in ("thing/a", "thing/b", "thing"):
        with pytest.raises(ForeignObject, match="thing a was to be made") as caught:
            chosen(name)
        assert caught.value.owners == {key("thing/a"): "somebody"}
    assert chosen("thing/b", adopt=[key("thing/a")]) == {"adopt thing a", "create thing b"}
