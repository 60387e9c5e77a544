from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.errors import Bug
from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.order import in_waves
from lbkit.engine.resource import Actual, Desired, Key

from .model_room import stand, thing


def change(want: Desired | None = None, have: Actual | None = None) -> Change:
    action = Action.CREATE if have is None else Action.DELETE if want is None else Action.UPDATE
    key = want.key if want else have.key  # type: ignore[union-attr]
    return Change(key, action, Impact.NONE, "because", want, have)


def waves(*changes: Change) -> dict[str, int]:
    return {placed.key.name: placed.wave for placed in in_waves(changes)}


def test_what_needs_nothing_goes_in_one_wave() -> None:
    assert waves(change(thing("a")), change(thing("b"))) == {"a": 0, "b": 0}


def test_a_thing_is_made_after_what_it_requires_and_removed_before_it() -> None:
    below, above = thing("below"), thing("above", requires=["below"])
    assert waves(change(above), change(below)) == {"below": 0, "above": 1}
    assert waves(change(have=stand(above)), change(have=stand(below))) == {"above": 0, "below": 1}


def test_what_stands_already_is_not_waited_for() -> None:
    assert waves(change(thing("above", requires=["below"]))) == {"above": 0}


def test_a_thing_goes_only_after_the_update_that_no_longer_needs_it() -> None:
    old, new = thing("proxy", 1, requires=["web-2"]), thing("proxy", 2, requires=["web-3"])
    placed = waves(change(have=stand(thing("web-2"))), change(new, stand(old)), change(thing("web-3")))
    assert placed == {"web-3": 0, "proxy": 1, "web-2": 2}


def test_a_claim_is_taken_after_it_is_given_up() -> None:
    gone, new = thing("old", claims=["address 10.0.0.1"]), thing("new", claims=["address 10.0.0.1"])
    assert waves(change(new), change(have=stand(gone))) == {"old": 0, "new": 1}


def test_two_that_swap_a_claim_do_not_wait_for_ever() -> None:
    a, b = thing("a", claims=["x"]), thing("b", claims=["y"])
    swapped = [change(thing("a", 2, claims=["y"]), stand(a)), change(thing("b", 2, claims=["x"]), stand(b))]
    assert sorted(waves(*swapped).values()) == [0, 1]


def test_a_circle_of_requirements_is_a_bug_that_names_it() -> None:
    with pytest.raises(Bug, match="thing a, thing b"):
        in_waves([change(thing("a", requires=["b"])), change(thing("b", requires=["a"]))])


@st.composite
def worlds(draw):
    """Changes over up to eight things; a thing requires only things before it, so no circle can be asked for."""
    changes = []
    for index in range(draw(st.integers(1, 8))):
        earlier = [f"t{i}" for i in range(index)]
        needs = st.sets(st.sampled_from(earlier)) if earlier else st.just(set())
        claims = st.sets(st.sampled_from(["x", "y", "z"]), max_size=2)
        want, have = (
            draw(st.builds(lambda r, c, i=index: thing(f"t{i}", requires=r, claims=c), needs, claims)),
            draw(
                st.builds(lambda r, c, i=index: stand(thing(f"t{i}", 0, requires=r, claims=c)), needs, claims)
            ),
        )
        kind = draw(st.sampled_from(["create", "update", "delete"]))
        changes.append(change(None if kind == "delete" else want, None if kind == "create" else have))
    return changes


@given(worlds(), st.randoms())
def test_every_requirement_is_kept_whatever_the_order_given(changes, random) -> None:
    placed = {c.key: c for c in in_waves(changes)}
    assert set(placed) == {c.key for c in changes}
    for c in placed.values():
        for needed in c.want.requires if c.want else ():
            other = placed.get(needed)
            if other is not None and other.action is not Action.DELETE:
                assert other.wave < c.wave, f"{c} before {other}"
        for needed in c.have.requires if c.have else ():
            other = placed.get(needed)
            if other is not None and other.action is Action.DELETE:
                assert c.wave < other.wave, f"{other} before {c}"
    shuffled = list(changes)
    random.shuffle(shuffled)
    assert in_waves(shuffled) == tuple(placed.values())


def test_waves_are_without_holes() -> None:
    chain = [change(thing(f"t{i}", requires=[f"t{i - 1}"] if i else [])) for i in range(5)]
    assert sorted(waves(*chain).values()) == [0, 1, 2, 3, 4]


def test_keys_sort_by_kind_and_name() -> None:
    assert Key("a", "z") < Key("b", "a")
