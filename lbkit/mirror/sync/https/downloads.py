"""A queue of files that are downloaded, several at once: gone on with after a cut, again after a pause, each held against its digest."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from lbkit.base.clock import Clock
from lbkit.base.errors import LbkitError
from lbkit.base.files import FileFailure
from lbkit.mirror.sync.ended import Outcome, TransferFailed
from lbkit.mirror.sync.fetching import Paused, Tried
from lbkit.mirror.sync.https.curl import Answer, Curl, Ended, Order
from lbkit.mirror.sync.https.ended import meaning_of, words_of
from lbkit.mirror.sync.https.kept import Kept, Wanted

TRIES = 5  # of one file, that bring nothing of it
IN_TURN = 15  # tries that fail, of all files, with nothing that comes in between
LONGEST_WAIT = (
    600.0  # seconds that upstream may ask to be left alone for: else the run ends, and another one comes
)
_PROGRESS = 1 << 20  # bytes more of a file, after which its tries are counted anew
_SMALL, _BATCH = 1 << 20, 32  # files of so few bytes are asked for over one connection, so many at once


@dataclass(slots=True)
class _Job:
    wanted: Wanted
    tries: int = 0
    wrong: int = 0
    after: float = 0.0  # by the monotonic clock


@dataclass(frozen=True, slots=True)
class _Fault:
    outcome: Outcome
    code: int
    words: str


_Told = tuple[Wanted, Path] | tuple[int, str] | None
"""What a worker says: a file that came, or a try that failed, or that it ended."""


@dataclass(slots=True)
class Downloads:
    """For one `run`. `bandwidth` is of all connections together, in bytes a second: each has its part, whether the others use theirs
    or not. `pause` is before the second try of a file, in seconds, and doubles with each.
    """

    curl: Curl
    kept: Kept
    clock: Clock
    connections: int = 4
    bandwidth: int | None = None
    pause: float = 1.0
    until: datetime | None = None
    _pending: deque[_Job] = field(default_factory=deque, init=False)
    _later: list[_Job] = field(default_factory=list, init=False)
    _under_way: int = field(default=0, init=False)
    _after: float = field(default=0.0, init=False)
    _in_turn: int = field(default=0, init=False)
    _faults: list[_Fault] = field(default_factory=list, init=False)
    _ended: bool = field(default=False, init=False)
    _paused: bool = field(default=False, init=False)
    _error: Exception | None = field(default=None, init=False)
    _changed: threading.Condition = field(default_factory=threading.Condition, init=False)
    _said: queue.SimpleQueue[_Told] = field(default_factory=queue.SimpleQueue, init=False)

    def run(self, wanted: Iterable[Wanted], came: Callable[[Wanted, Path], None], tried: Tried) -> None:
        """Each digest once. `came` is told where the whole file lies, and `tried` of what failed, in this thread.

        Raises TransferFailed at the end, where not all came, and Paused.
        """
        self._pending.extend(_Job(each) for each in wanted)
        count = len(self._pending)
        if not count:
            return
        self.kept.make()
        workers = [
            threading.Thread(target=self._work, args=(min(self.connections, count),), daemon=True)
            for _ in range(min(self.connections, count))
        ]
        for worker in workers:
            worker.start()
        left, had = len(workers), 0
        try:
            while left:
                match self._said.get():
                    case None:
                        left -= 1
                    case (int(code), str(words)):
                        tried(code, words)
                    case (Wanted() as one, Path() as path):
                        had += 1
                        came(one, path)
        finally:
            self._end()
            self.curl.close()
            for worker in workers:
                worker.join()
        if self._error is not None:
            raise self._error
        self._judge(count, had)

    def _judge(self, count: int, had: int) -> None:
        if worst := next((each for each in self._faults if each.outcome == "refused"), None):
            raise self._failed("refused", worst, count, had)
        if worst := next((each for each in self._faults if each.outcome == "cut"), None):
            raise self._failed("cut", worst, count, had)
        if self._paused and had < count:
            raise Paused(
                "downloads were to come to their end",
                found=f"the window ended; {had} of {count} came, and what came of the others is kept",
            )
        if self._faults:
            raise self._failed("partial", self._faults[0], count, had)

    def _failed(self, outcome: Outcome, fault: _Fault, count: int, had: int) -> TransferFailed:
        more = f"; {count - had} of {count} files did not come" if count > 1 else ""
        return TransferFailed(
            "downloads were to succeed",
            outcome,
            fault.code,
            fault.words,
            f"{fault.words}{more}",
            self.curl.upstream.source,
        )

    def _work(self, workers: int) -> None:
        try:
            while jobs := self._next(workers):
                try:
                    self._carry_out(jobs, workers)
                finally:
                    with self._changed:
                        self._under_way -= len(jobs)
                        self._changed.notify_all()
        except (LbkitError, OSError) as error:
            self._error = (
                FileFailure("written", self.kept.folder, error) if isinstance(error, OSError) else error
            )
            self._end()
        finally:
            self._said.put(None)

    def _next(self, workers: int) -> list[_Job]:
        """Those that may be asked for now, waited for; none: it is over."""
        with self._changed:
            while True:
                if self._left() == 0.0:
                    self._paused = self._ended = True
                if self._ended or not (self._pending or self._later or self._under_way):
                    self._changed.notify_all()
                    return []
                now = self.clock.monotonic()
                self._pending.extend(job for job in self._later if job.after <= now)
                self._later = [job for job in self._later if job.after > now]
                if self._pending and self._after <= now:
                    jobs = self._batch(workers)
                    self._under_way += len(jobs)
                    return jobs
                if self._pending:
                    due = self._after
                else:
                    due = min((max(job.after, self._after) for job in self._later), default=now + 3600.0)
                self._changed.wait(min(due - now, self._left() or 3600.0))

    def _batch(self, workers: int) -> list[_Job]:
        """The first, and with one that is small those after it that are, so many that each connection has its part."""
        most = min(_BATCH, -(-len(self._pending) // workers))
        jobs = [self._pending.popleft()]
        while _small(jobs[0]) and len(jobs) < most and _small(self._pending[0]):
            jobs.append(self._pending.popleft())
        return jobs

    def _carry_out(self, jobs: Sequence[_Job], workers: int) -> None:
        asked = []
        for job in jobs:
            if self.kept.has(job.wanted):
                self._came(job)
            else:
                asked.append(job)
        if not asked:
            return
        before = [self.kept.size(job.wanted) for job in asked]
        rate = None if self.bandwidth is None else max(1, self.bandwidth // workers)
        began = self.clock.monotonic()
        ended = self.curl.call(
            [Order(job.wanted.url, self.kept.part(job.wanted)) for job in asked], rate=rate, left=self._left()
        )
        if self._ended:
            return
        moved = sum(self.kept.size(job.wanted) for job in asked) - sum(before)
        # of one that was killed all answers are of whole files
        good = max(0, len(ended.answers) - (ended.code > 0))
        for job in asked[:good]:
            self._verify(job)
        rest = asked[good:]
        if rest and not ended.late:
            bad = rest.pop(0)
            self._fail(bad, ended, before[good])
        with self._changed:
            self._pending.extend(rest)
            self._changed.notify_all()
        if rate is not None:
            self._hold_back(began + moved / rate)

    def _hold_back(self, until: float) -> None:
        """For the first part of a second curl lets a file pass as fast as it comes: of small ones, all of them."""
        with self._changed:
            while not self._ended and (left := until - self.clock.monotonic()) > 0 and self._left() != 0.0:
                self._changed.wait(min(left, self._left() or left))

    def _verify(self, job: _Job) -> None:
        wrong = self.kept.verify(job.wanted)
        if not wrong:
            self._came(job)
            return
        job.wrong += 1
        if job.wrong > 1:
            self._give_up(_Fault("partial", 0, wrong))
            return
        self._said.put((0, wrong))
        self._again(job)

    def _fail(self, job: _Job, ended: Ended, before: int) -> None:
        answer = ended.answers[-1] if ended.answers else Answer(0, {})
        words = f"{job.wanted.url}: {words_of(ended.code, ended.words)}"
        meaning = meaning_of(ended.code, answer.status)
        if meaning == "refused":
            self._give_up(_Fault("refused", ended.code, words), end=True)
            return
        if meaning == "gone":
            self._give_up(_Fault("partial", ended.code, words))
            return
        job.tries += 1
        with self._changed:
            self._in_turn += 1
        if self.kept.size(job.wanted) - before >= _PROGRESS:
            job.tries = 1
            with self._changed:
                self._in_turn = 0
        if meaning == "afresh":
            self.kept.drop(job.wanted)
        asks = retry_after(answer, self.clock.now())
        wait = max(asks, 0.0 if meaning == "afresh" else self.pause * 2 ** (job.tries - 1))
        if wait > LONGEST_WAIT:
            self._give_up(
                _Fault("cut", ended.code, f"{words}; it asks to come again in {wait:.0f} s"), end=True
            )
        elif self._in_turn >= IN_TURN:
            self._give_up(_Fault("cut", ended.code, words), end=True)
        elif job.tries >= TRIES:
            self._give_up(_Fault("cut", ended.code, words))
        else:
            self._said.put((ended.code, words))
            job.after = self.clock.monotonic() + wait
            if meaning == "wait" or asks:
                with self._changed:
                    self._after = max(self._after, job.after)
            self._again(job)

    def _came(self, job: _Job) -> None:
        with self._changed:
            self._in_turn = 0
        self._said.put((job.wanted, self.kept.whole(job.wanted)))

    def _again(self, job: _Job) -> None:
        with self._changed:
            self._later.append(job)
            self._changed.notify_all()

    def _give_up(self, fault: _Fault, *, end: bool = False) -> None:
        with self._changed:
            self._faults.append(fault)
        if end:
            self._end()

    def _end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self.curl.close()

    def _left(self) -> float | None:
        """Seconds until it is time to pause."""
        return None if self.until is None else max(0.0, (self.until - self.clock.now()).total_seconds())


def _small(job: _Job) -> bool:
    size = job.wanted.about if job.wanted.size is None else job.wanted.size
    return size is not None and size <= _SMALL and not job.tries and not job.wrong


def retry_after(answer: Answer, now: datetime) -> float:
    """Seconds that upstream asks to be left alone for (RFC 9110, 10.2.3); 0 where it does not."""
    text = answer.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return float(text)
    with suppress(ValueError):
        at = parsedate_to_datetime(text)
        return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())
    return 0.0
