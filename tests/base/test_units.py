from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from lbkit.base.duration import seconds_of
from lbkit.base.units import Seconds

ADAPTER = TypeAdapter(Seconds)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("2s", 2.0), ("500ms", 0.5), ("10m", 600.0), ("6h", 21600.0), ("1d", 86400.0), ("1.5s", 1.5), (3, 3.0)],
)
def test_durations_as_people_write_them(written: object, seconds: float) -> None:
    assert ADAPTER.validate_python(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        "",
        "2",
        "s",
        "2 s",
        "2S",
        "-1s",
        "0s",
        0,
        -1,
        True,
        "1s\n",
        "1e3s",
        "32d",
        "٢s",
        None,
        [],
        "inf",
        "nan",
    ],
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(written)


@given(st.integers(1, 86_400_000))
def test_milliseconds_are_kept(count: int) -> None:
    assert seconds_of(f"{count}ms") == pytest.approx(count / 1000, abs=1e-9)
