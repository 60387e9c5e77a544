"""How far a run is, by a clock in hand."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from lbkit.mirror.keeper.progress import WINDOW, Progress
from tests.clocks import HandClock


def of(progress: Progress) -> tuple[Any, ...]:
    data = progress.as_data()
    return data["files"], data["size"], data["rate"], data["left"]


def test_before_anything_nobody_knows_anything() -> None:
    assert Progress(HandClock()).as_data() == {
        "phase": "",
        "files": 0,
        "of_files": None,
        "size": 0,
        "of_size": None,
        "rate": 0,
        "left": None,
        "seconds": 0.0,
    }


def test_rate_and_time_left() -> None:
    clock = HandClock()
    progress = Progress(clock)
    progress.phase("fetch", 10, 1000)
    for _ in range(4):
        progress.came(100)
        clock.sleep(1)
    assert of(progress) == (3, 300, 75, 9.3), "the last one is on its way"
    clock.sleep(6)
    assert of(progress) == (3, 300, 30, 23.3), "what stands still gets slower"
    clock.sleep(10 * WINDOW)
    assert of(progress) == (3, 300, 0, None)
    progress.phase("build")
    assert of(progress) == (0, 0, 0, None)
    assert progress.as_data()["phase"] == "build"


@given(st.lists(st.tuples(st.integers(0, 1000), st.floats(0, 30)), max_size=200))
@example([(1, 5e-324), (1, 0.0)])
def test_it_never_says_what_cannot_be(steps: list[tuple[int, float]]) -> None:
    clock = HandClock()
    progress = Progress(clock)
    total = sum(size for size, _ in steps)
    progress.phase("fetch", len(steps), total)
    before = 0
    for size, seconds in steps:
        progress.came(size)
        clock.sleep(seconds)
        data = progress.as_data()
        assert before <= data["size"] <= total
        assert data["files"] <= len(steps)
        assert data["rate"] >= 0
        assert data["left"] is None or data["left"] >= 0
        before = data["size"]
    assert len(progress._points) <= WINDOW / 0.25 + 3, "it does not grow with the files"
