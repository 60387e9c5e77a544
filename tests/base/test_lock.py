from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lbkit.base import lock
from lbkit.base.clock import SystemClock
from lbkit.base.files import FileFailure
from lbkit.base.lock import Locked, locked

HOLD = """
import sys
from pathlib import Path
from lbkit.base.clock import SystemClock
from lbkit.base.lock import locked
with locked(Path(sys.argv[1]), SystemClock()):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_it_is_held_for_the_block_and_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "web.lock"
    with locked(path, SystemClock()):
        assert path.exists()
    assert not path.exists()
    with locked(path, SystemClock()):
        assert path.exists()


def test_it_is_given_back_on_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "lock", SystemClock()):
        raise ZeroDivisionError
    with locked(tmp_path / "lock", SystemClock()):
        pass


def test_the_second_is_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as first:
        with pytest.raises(Locked, match=f"pid {first.pid}") as caught, locked(path, SystemClock()):
            pass
        assert caught.value.exit_code == 1
        assert "--lock-timeout" in caught.value.remedy
        first.communicate(b"")
    with locked(path, SystemClock()):
        pass


def test_the_second_waits_until_the_first_is_done(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as first:
        threading.Timer(0.3, first.stdin.close).start()
        with locked(path, SystemClock(), timeout=30):
            assert first.wait(timeout=30) == 0


def test_kill_9_gives_it_back(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as first:
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=30)
    assert path.exists()  # the file stays, the lock does not
    with locked(path, SystemClock()):
        pass
    assert not path.exists()


LEAVE_A_CHILD = """
import os, sys, time
from pathlib import Path
from lbkit.base.clock import SystemClock
from lbkit.base.lock import locked
with locked(Path(sys.argv[1]), SystemClock()):
    if os.fork():
        os.kill(os.getpid(), 9)
    time.sleep(float(sys.argv[2]))
    os._exit(0)
"""


def test_a_child_that_outlives_its_killed_parent_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    done = subprocess.run([sys.executable, "-c", LEAVE_A_CHILD, path, "0.5"], check=False)
    assert done.returncode == -signal.SIGKILL
    with locked(path, SystemClock()):
        pass


def test_one_that_stays_is_not_waited_for_long(tmp_path: Path) -> None:
    path, clock = tmp_path / "lock", ClockThatLets()
    subprocess.run([sys.executable, "-c", LEAVE_A_CHILD, path, "5"], check=False)
    with pytest.raises(Locked), locked(path, clock):
        pass
    assert clock.time == pytest.approx(lock.LINGER, abs=0.1)


class ClockThatLets:
    """At each sleep the world moves on by one step."""

    def __init__(self, *steps) -> None:
        self.steps = list(steps)
        self.time = 0.0

    def now(self):
        return SystemClock().now()

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        if self.steps:
            self.steps.pop(0)()


def test_a_waiter_takes_no_lock_of_a_removed_file(tmp_path: Path) -> None:
    """The first leaves and a third takes a new file of that name: the waiter must not hold a lock on the old one."""
    path = tmp_path / "lock"
    first = locked(path, SystemClock())
    third = locked(path, SystemClock())
    first.__enter__()

    def change_hands() -> None:
        first.__exit__(None, None, None)
        third.__enter__()

    with (
        pytest.raises(Locked, match=f"pid {os.getpid()}"),
        locked(path, ClockThatLets(change_hands), timeout=1),
    ):
        pass
    third.__exit__(None, None, None)
    assert not path.exists()


def test_waiting_ends_in_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    clock = ClockThatLets()
    with (
        locked(path, SystemClock()),
        pytest.raises(Locked, match="after 2 s of waiting"),
        locked(path, clock, timeout=2.0),
    ):
        pass
    assert clock.time == pytest.approx(2.0, abs=0.1)


def test_a_folder_that_another_removes_in_between_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last to leave removes it, between its making and the opening of the lock in it."""
    folder, made = tmp_path / "lbkit", lock.make_folder

    def overtaken(path: Path) -> None:
        made(path)
        path.rmdir()
        monkeypatch.setattr(lock, "make_folder", made)

    monkeypatch.setattr(lock, "make_folder", overtaken)
    with locked(folder / "lock", SystemClock()):
        assert (folder / "lock").exists()


def test_a_lock_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.symlink_to(tmp_path / "none" / "lock")
    with pytest.raises(FileFailure, match="opened as a lock"), locked(path, SystemClock()):
        pass
