"""One run after the other: on schedule, on push, again after one that failed, and what a person asks for. A push is never lost, and
never makes two at a time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lbkit.base.clock import Clock
from lbkit.base.errors import Failure, LbkitError
from lbkit.mirror.keeper.schedule import Schedule
from lbkit.mirror.sync.runs import Run, Runs

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
"""Before the first try again after a run that failed, and at most; each doubles the one before."""

_NOT_ENDED = frozenset({"failed", "partial", "paused", "killed"})
_LOOK = 3600.0  # seconds that it sleeps at most: clocks are set, too

Sync = Callable[[str], Run]
"""Carry out one run for that cause ("schedule", "push", "retry"); what came of it."""


@dataclass(slots=True)
class Asked:
    """A run that somebody asked for, `done` when it has had its turn. `all_pushed`: what was pushed before it has been had then, too."""

    cause: str
    work: Callable[[], Run]
    all_pushed: bool = False
    begun: bool = field(default=False, init=False)
    done: threading.Event = field(default_factory=threading.Event, init=False)
    run: Run | None = field(default=None, init=False)
    error: LbkitError | None = field(default=None, init=False)

    def came(self) -> Run:
        """Of one that is done. Raises what went wrong."""
        if self.run is None:
            raise self.error or Failure("a run was to be made", found="the keeper ends")
        return self.run


@dataclass(slots=True)
class Turns:
    """For one thread, that calls `run`; `push`, `ask` and `stop` are for any. `schedule` None: on push alone. `held`: nothing runs but what is asked for.

    Who has `alone` writes into the store: a run while it lasts. `running` is the cause of the run under way, and when it began; `ran` is told after each.
    `trouble` is why the last run left not even its evidence, or could not be begun; "": it did.
    `idle` is called with `alone` when there is nothing to do: after each run, and when `wake` was called.
    """

    name: str
    runs: Runs
    sync: Sync
    schedule: Schedule | None
    clock: Clock
    told: Callable[[str], None] = lambda _words: None
    held: Callable[[], bool] = lambda: False
    ran: Callable[[], None] = lambda: None
    idle: Callable[[], None] = lambda: None
    alone: threading.Lock = field(default_factory=threading.Lock, init=False)
    running: tuple[str, float] | None = field(default=None, init=False)
    trouble: str = field(default="", init=False)
    _asked: deque[Asked] = field(default_factory=deque, init=False)
    _wake: threading.Event = field(default_factory=threading.Event, init=False)
    _stopping: bool = field(default=False, init=False)

    def push(self) -> int:
        """There will be a run that begins after this call. It is on the disk when it returns."""
        number = self.runs.want()
        self._wake.set()
        return number

    def ask(self, asked: Asked, *, first: bool = False) -> Asked:
        """It is the next one, after those that others asked for; `first`: before them. Forgotten where this program ends before."""
        self._asked.appendleft(asked) if first else self._asked.append(asked)
        self._wake.set()
        return asked

    def wake(self) -> None:
        """What is to be next may be another thing now."""
        self._wake.set()

    @property
    def waiting(self) -> int:
        return len(self._asked)

    def stop(self) -> None:
        """No further run begins; one that is under way is waited for by who joins the thread."""
        self._stopping = True
        self._wake.set()

    def run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            if self._asked:
                self._give(self._asked.popleft())
                continue
            try:
                cause, due = self.next(self.clock.now())
            except LbkitError as error:  # what it goes by cannot be read: somebody may mend that
                self._went_wrong(error)
                self._wake.wait(FIRST_PAUSE.total_seconds())
                continue
            if due is not None and due <= self.clock.now():
                self._take(cause)
                continue
            self._rest()
            left = _LOOK if due is None else (due - self.clock.now()).total_seconds()
            self._wake.wait(max(0.0, min(left, _LOOK)))

    def next(self, now: datetime) -> tuple[str, datetime | None]:
        """Why the next run will be, and when; None: when somebody pushes, or asks for one."""
        if self._asked:
            return self._asked[0].cause, now
        if self.held():
            return "person", None
        if self.runs.wanted() > self.runs.taken():
            return "push", now
        last = next(iter(self.runs.all()), None)
        due: tuple[str, datetime | None] = ("schedule", None)
        if self.schedule is not None:
            began = None if last is None else datetime.fromtimestamp(last.began, UTC)
            if (
                began is not None and began > now
            ):  # the clock was set back: one at once, and it goes on from there
                began = None
            due = ("schedule", self.schedule.due(self.name, began, now))
        if (
            last is not None
            and (again := self._again(last, now)) is not None
            and (due[1] is None or again < due[1])
        ):
            return "retry", again
        return due

    def _again(self, last: Run, now: datetime) -> datetime | None:
        """When a run that did not come to its end is tried anew: in the window, but for what somebody asked for. One that waits for a
        person is not.
        """
        if last.came not in _NOT_ENDED or last.ended is None:
            return None
        failed, asked = 0, False
        for run in self.runs.all():
            if run.came not in _NOT_ENDED:
                break
            failed += run.came != "paused"
            asked = asked or run.cause in {"push", "person"}
        again = min(datetime.fromtimestamp(last.ended, UTC), now)
        if last.came != "paused" and last.ended <= now.timestamp():  # else the clock was set back
            again += min(FIRST_PAUSE * 2 ** min(failed - 1, 10), LONGEST_PAUSE)
        return again if asked or self.schedule is None else self.schedule.allowed(again)

    def _rest(self) -> None:
        try:
            with self.alone:
                self.idle()
        except LbkitError as error:
            self.told(str(error))

    def _take(self, cause: str) -> None:
        try:
            self._carry_out(cause, lambda: self.sync(cause), all_pushed=True)
        except LbkitError as error:  # not even its evidence could be written: a full disk
            self._went_wrong(error)
            self._wake.wait(FIRST_PAUSE.total_seconds())

    def _give(self, asked: Asked) -> None:
        asked.begun = True
        try:
            asked.run = self._carry_out(asked.cause, asked.work, all_pushed=asked.all_pushed)
        except LbkitError as error:
            self._went_wrong(error)
            asked.error = error
        finally:
            asked.done.set()

    def _went_wrong(self, error: LbkitError) -> None:
        self.trouble = str(error)
        self.told(self.trouble)

    def _carry_out(self, cause: str, work: Callable[[], Run], *, all_pushed: bool) -> Run:
        with self.alone:
            number = self.runs.wanted()
            self.running = cause, self.clock.now().timestamp()
            try:
                run = work()
                if all_pushed:  # what failed is tried again in its time, and has all that was pushed
                    self.runs.take(number)
            finally:
                self.running = None
                self.ran()
        self.trouble = ""
        self.told(f"run {run.id}: {run.came}{': ' if run.why else ''}{run.why}")
        return run
