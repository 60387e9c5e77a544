"""A plan is made anew where one room finds that what another told before is not so."""

from __future__ import annotations

import pytest

from lbkit.engine.again import LookAgain, looked


def test_it_is_looked_again_until_nothing_turns_out_otherwise() -> None:
    wrong = ["a", "b"]

    def look() -> str:
        if wrong:
            raise LookAgain(f"{wrong.pop()} was to be so")
        return "all"

    assert looked(look) == "all"


def test_it_is_not_looked_for_ever() -> None:
    times = []

    def look() -> str:
        times.append(1)
        raise LookAgain("it was to be so")

    with pytest.raises(LookAgain):
        looked(look)
    assert len(times) < 50
