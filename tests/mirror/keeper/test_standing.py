"""What a person is told of a keeper, beyond how its nodes are."""

from __future__ import annotations

from pathlib import Path

from lbkit.mirror.keeper.standing import PATIENT, in_vain
from tests.mirror.keeper.test_turns import World


def test_an_upstream_that_cannot_be_had_is_an_alarm_once_it_is_no_passing_one(tmp_path: Path) -> None:
    """Each of those runs is tried again by itself: that it never comes to anything nobody else says."""
    world = World(tmp_path)
    world.turns._take("person")
    world.comes = "partial"
    for _ in range(PATIENT - 1):
        world.turns._take("retry")
        assert in_vain("debian", world.runs) == []
    world.runs.begin("retry", 0)  # one that is under way says nothing yet
    assert in_vain("debian", world.runs) == []
    world.comes = "failed"
    world.turns._take("retry")
    (words,) = in_vain("debian", world.runs)
    assert f"in {PATIENT} runs" in words
    world.comes = "nothing"
    world.turns._take("retry")
    assert in_vain("debian", world.runs) == []
