"""One run after the other: on schedule, on push, again after one that failed. A push is never lost, and never makes two at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lbkit.base.clock import Clock
from lbkit.base.errors import LbkitError
from lbkit.mirror.keeper.schedule import Schedule
from lbkit.mirror.sync.runs import Run, Runs

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
"""Before the first try again after a run that failed, and at most; each doubles the one before."""

_LOOK = 3600.0  # seconds that it sleeps at most: clocks are set, too

Sync = Callable[[str], Run]
"""Carry out one run for that cause ("schedule", "push", "retry"); what came of it."""


@dataclass(slots=True)
class Turns:
    """For one thread, that calls `run`; `push` and `stop` are for any. `schedule` None: on push alone."""

    name: str
    runs: Runs
    sync: Sync
    schedule: Schedule | None
    clock: Clock
    told: Callable[[str], None] = lambda _words: None
    _wake: threading.Event = field(default_factory=threading.Event, init=False)
    _stopping: bool = field(default=False, init=False)

    def push(self) -> int:
        """There will be a run that begins after this call. It is on the disk when it returns."""
        number = self.runs.want()
        self._wake.set()
        return number

    def stop(self) -> None:
        """No further run begins; one that is under way is waited for by who joins the thread."""
        self._stopping = True
        self._wake.set()

    def run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            cause, due = self.next(self.clock.now())
            if due is not None and due <= self.clock.now():
                self._take(cause)
                continue
            left = _LOOK if due is None else (due - self.clock.now()).total_seconds()
            self._wake.wait(max(0.0, min(left, _LOOK)))

    def next(self, now: datetime) -> tuple[str, datetime | None]:
        """Why the next run will be, and when; None: when somebody pushes."""
        if self.runs.wanted() > self.runs.taken():
            return "push", now
        last = next(iter(self.runs.all()), None)
        due: tuple[str, datetime | None] = ("schedule", None)
        if self.schedule is not None:
            began = None if last is None else datetime.fromtimestamp(last.began, UTC)
            due = ("schedule", self.schedule.due(self.name, began, now))
        if (
            last is not None
            and (again := self._again(last)) is not None
            and (due[1] is None or again < due[1])
        ):
            return "retry", again
        return due

    def _again(self, last: Run) -> datetime | None:
        """When a run that did not come to its end is tried anew. One that waits for a person is not."""
        if last.came not in {"failed", "partial", "killed"} or last.ended is None:
            return None
        in_turn = 0
        for run in self.runs.all():
            if run.came not in {"failed", "partial", "killed"}:
                break
            in_turn += 1
        pause: timedelta = min(FIRST_PAUSE * 2 ** min(in_turn - 1, 10), LONGEST_PAUSE)
        return datetime.fromtimestamp(last.ended, UTC) + pause

    def _take(self, cause: str) -> None:
        number = self.runs.wanted()
        try:
            run = self.sync(cause)
        except LbkitError as error:  # not even its evidence could be written: a full disk
            self.told(str(error))
            self._wake.wait(FIRST_PAUSE.total_seconds())
            return
        self.told(f"run {run.id}: {run.came}{': ' if run.why else ''}{run.why}")
        # what failed is tried again in its time, and has all that was pushed
        self.runs.take(number)
