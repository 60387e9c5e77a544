"""Serials go around, and are compared so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.mirror.tree import serial

MOST = 2**32 - 1
serials = st.integers(1, MOST)
steps = st.integers(1, 2**31 - 1)


@given(serials, steps)
def test_what_comes_after_is_newer_by_so_many(first: int, count: int) -> None:
    later = serial.after(first, count)
    assert 1 <= later <= MOST
    assert serial.newer(later, first)
    assert not serial.newer(first, later)
    assert (serial.behind(first, later), serial.behind(later, first)) == (count, -count)


@given(serials)
def test_nothing_is_older_than_all(any_one: int) -> None:
    assert serial.newer(any_one, serial.NONE)
    assert not serial.newer(serial.NONE, any_one)
    assert serial.behind(any_one, any_one) == serial.behind(0, 0) == 0


def test_the_first_comes_after_the_last_and_after_nothing() -> None:
    assert serial.after(MOST) == serial.after(serial.NONE) == 1


@pytest.mark.parametrize("count", [0, -1, 2**31])
def test_more_steps_than_can_be_told_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="RFC 1982"):
        serial.after(1, count)


def test_a_master_that_knows_less_than_others_leaves_serials_out() -> None:
    assert serial.minted(serial.NONE, serial.NONE) == 1
    assert serial.minted(7, 7) == serial.minted(7, 5) == serial.minted(7, serial.NONE) == 8
    assert serial.minted(serial.NONE, 7) == serial.minted(3, 7) == 7 + serial.MARGIN
    assert serial.minted((1 << 32) - 1, 5) == 5 + serial.MARGIN


@given(st.lists(st.integers(1, 1000)))
def test_the_highest_is_the_one_that_none_is_newer_than(found: list[int]) -> None:
    start = (1 << 32) - 500
    around = [serial.after(start, each) for each in found]
    assert serial.highest([serial.NONE, *around]) == (serial.after(start, max(found)) if found else 0)
