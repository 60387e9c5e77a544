"""Sizes as people write and read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.size import bytes_of, size_of


@given(st.integers(0, 1 << 60))
def test_what_is_shown_is_what_was_meant_but_for_its_last_digit(count: int) -> None:
    shown = size_of(count)
    if shown.endswith(" bytes"):
        assert count < 1 << 10
        assert shown == f"{count} bytes"
    else:
        assert abs(bytes_of(shown) - count) <= count * 0.06


@pytest.mark.parametrize("text", ["", "5", "5G", "5 GiB", "5GB", "GiB", "-1GiB", "1.GiB", "٣GiB", "1GiB\n"])
def test_what_is_no_size_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="a size such as 512MiB or 4GiB"):
        bytes_of(text)
