"""What holds runs is on the disk, and holds where it cannot be read."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lbkit.base.clock import SystemClock
from lbkit.base.errors import Failure
from lbkit.mirror.keeper.hold import Held, Hold
from lbkit.mirror.keeper.turns import Turns
from lbkit.mirror.sync.runs import Runs
from tests.machine.world import until

HELD = Held("rollback", 7, "0" * 64, 5.0)


def test_it_holds_until_it_is_released(tmp_path: Path) -> None:
    hold = Hold(tmp_path / "runs" / "held")
    assert (hold.is_held, hold.found(), hold.release()) == (False, None, None)
    hold.hold(HELD)
    again = Hold(tmp_path / "runs" / "held")
    assert (again.is_held, again.found()) == (True, HELD)
    assert again.release() == HELD
    assert not hold.is_held


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"why": 1, "serial": "x"}'])
def test_what_cannot_be_read_holds_too(tmp_path: Path, content: bytes) -> None:
    hold = Hold(tmp_path / "held")
    hold.file.write_bytes(content)
    assert hold.is_held
    with pytest.raises(Failure, match="what holds runs"):
        hold.found()
    assert hold.release() is None
    assert not hold.is_held


def test_runs_go_on_when_what_they_go_by_can_be_read_again(tmp_path: Path) -> None:
    runs = Runs(tmp_path, SystemClock())
    said: list[str] = []
    turns = Turns(
        "debian", runs, lambda cause: runs.end(runs.begin(cause, 0), "made"), None, SystemClock(), said.append
    )
    (tmp_path / "wanted").write_text("many")
    threading.Thread(target=turns.run, daemon=True).start()
    until(lambda: said, "it says so")
    assert "a number of runs was to be read" in said[0]
    (tmp_path / "wanted").unlink()
    turns.push()
    until(lambda: runs.taken() == 1, "it goes on")
    turns.stop()
