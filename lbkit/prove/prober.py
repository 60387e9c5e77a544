"""The prober: one thread that asks every target steadily, and a few that dial for it."""

from __future__ import annotations

import selectors
import socket
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import cast

from lbkit.base.clock import Clock
from lbkit.base.errors import Bug, LbkitError
from lbkit.engine.promise import Promise
from lbkit.prove.connection import Connection
from lbkit.prove.exchange import GOOD, Outcome
from lbkit.prove.places import NobodyThere, Place
from lbkit.prove.tally import Attempt, Tally
from lbkit.prove.target import DOWNLOAD_SECONDS, Target

LINGERS = 0.5  # seconds that are asked on for: what the last step did may show a moment later
PATIENCE = 10.0  # seconds until a request without a whole answer failed; for a download, without a byte more
FIRST_PATIENCE = 1.0  # seconds for a connection to a target that never answered yet
HOLDS_FOR = 0.25  # seconds that a connection of tcp mode is watched
DIALLERS = 8  # threads for each target, at most; made as they are needed
TICK = 0.05  # seconds between two looks at what is too late
READ = 256 * 1024  # bytes at a time

_Dialled = tuple[Target, Attempt, "Future[socket.socket]"]


class Prober:
    """Asks from `start` to `stop`. `rate`: requests a second for each target."""

    def __init__(
        self, asked: Sequence[tuple[Promise, Place]], clock: Clock, *, rate: float, slow_after: float
    ) -> None:
        self._clock = clock
        self.targets = [
            Target(
                promise,
                place,
                rate,
                Tally(slow_after),
                ThreadPoolExecutor(DIALLERS, thread_name_prefix="lbkit-dial"),
            )
            for promise, place in asked
        ]
        self._selector = selectors.DefaultSelector()
        self._asleep, self._waker = socket.socketpair()
        self._dialled: deque[_Dialled] = deque()
        self._dialling: set[tuple[Target, Attempt]] = set()
        self._busy: dict[Connection, Target] = {}
        self._last_byte: dict[Connection, float] = {}
        self._paused: list[tuple[float, Connection]] = []
        self._settled, self._stopping = threading.Event(), threading.Event()
        self._finishing = self._hurried = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lbkit-prober")
        self._end: Future[None] | None = None

    def start(self, *, settle: float) -> None:
        """Returns when something has come of asking each target, or after `settle` seconds."""
        for mine in (self._asleep, self._waker):
            mine.setblocking(False)
        self._selector.register(self._asleep, selectors.EVENT_READ)
        self._end = self._thread.submit(self._run)
        self._end.add_done_callback(lambda _end: self._settled.set())
        self._settled.wait(settle)

    def stop(self, *, wait: bool = True) -> None:
        """Ask on for a moment, everything once more, wait for what is under way, and end.

        Without `wait`: end at once, whatever is under way. Bug where the prober itself failed.
        """
        self._hurried = not wait
        self._stopping.set()
        self._wake()
        crash = self._end.exception() if self._end is not None else None
        self._thread.shutdown()
        for mine in (self._asleep, self._waker):
            mine.close()
        if crash is not None:
            raise Bug(
                "the prober was to ask until the end of the apply",
                found=f"{type(crash).__name__}: {crash}",
                remedy="what was to be done is done, but nothing is proved of it: report it",
            ) from crash

    def _wake(self) -> None:
        try:
            self._waker.send(b"\0")
        except OSError:
            return  # it has not yet taken the last call, or has ended

    def _run(self) -> None:
        try:
            self._ask()
        finally:
            self._clear()

    def _ask(self) -> None:
        last: float | None = None
        while True:
            now = self._clock.monotonic()
            if last is None and self._stopping.is_set():
                last = now + LINGERS
            if last is not None and not self._finishing and (now >= last or self._hurried):
                last = self._finish(now)
            if self._finishing:
                if self._hurried or last is None or now >= last or not self._is_awaited():
                    return
            else:
                self._send_due(now)
            self._give_up_late(now)
            self._resume(now)
            for key, events in self._selector.select(self._nap(now)):
                if key.fileobj is self._asleep:
                    self._asleep.recv(4096)
                else:
                    self._serve(cast("Connection", key.fileobj), events)
            while self._dialled:
                self._take(*self._dialled.popleft())
            if not self._settled.is_set() and all(target.tally.settled for target in self.targets):
                self._settled.set()

    def _nap(self, now: float) -> float:
        nexts = [] if self._finishing else [target.due for target in self.targets]
        nexts += [at for at, _ in self._paused]
        return max(0.0, min(min(nexts, default=now + TICK) - now, TICK))

    def _send_due(self, now: float) -> None:
        for target in self.targets:
            if target.is_due(now):
                if target.wants_kept():
                    self._ask_kept(target, now)
                else:
                    self._dial(target, Attempt("fresh", now))
            if target.is_download_due(now):
                target.downloads += 1
                self._dial(target, Attempt("download", now))

    def _ask_kept(self, target: Target, now: float) -> None:
        connection, closed = target.next_idle()
        for each in closed:
            self._drop(each, target, kept=True)
        if connection is not None:
            self._begin(connection, target, Attempt("kept", now))
        elif target.kept < target.most_kept:
            target.kept += 1
            self._dial(target, Attempt("kept", now))

    def _finish(self, now: float) -> float:
        """The last round: a fresh connection each, and every one that is kept. Until when its answers are awaited."""
        self._finishing = True
        for target in self.targets:
            if target.promised:
                self._dial(target, Attempt("fresh", now))
                while target.idle:
                    self._ask_kept(target, now)
        for _, connection in self._paused:  # what is left of downloads, at full speed
            self._selector.register(connection, selectors.EVENT_READ)
        self._paused.clear()
        return self._clock.monotonic() + PATIENCE + 1.0

    def _is_awaited(self) -> bool:
        under_way = [(target, connection.attempt) for connection, target in self._busy.items()]
        return any(
            attempt is not None and target.tally.counts(attempt)
            for target, attempt in [*under_way, *self._dialling]
        )

    def _dial(self, target: Target, attempt: Attempt) -> None:
        promise = target.promise
        patience = PATIENCE if target.promised else FIRST_PATIENCE
        target.in_flight += 1
        self._dialling.add((target, attempt))
        dialled = target.pool.submit(target.place.dial, promise.address.compressed, promise.port, patience)

        def answered(done: Future[socket.socket]) -> None:
            self._dialled.append((target, attempt, done))
            self._wake()

        dialled.add_done_callback(answered)

    def _take(self, target: Target, attempt: Attempt, dialled: Future[socket.socket]) -> None:
        self._dialling.discard((target, attempt))
        try:
            connection = Connection(dialled.result(), target.promise)
        except NobodyThere:
            target.nobody_there += 1
            target.tally.settled = True
            self._over(target, attempt)
        except (OSError, LbkitError) as error:
            target.tally.add(attempt, Outcome(_words(error)), self._clock.monotonic())
            self._over(target, attempt)
        else:
            target.in_flight -= 1
            self._begin(connection, target, attempt)

    def _over(self, target: Target, attempt: Attempt) -> None:
        """No connection came of it."""
        target.in_flight -= 1
        target.kept -= attempt.kind == "kept"
        target.downloads -= attempt.kind == "download"

    def _begin(self, connection: Connection, target: Target, attempt: Attempt) -> None:
        promise = target.promise
        path = (promise.download or "/") if attempt.kind == "download" else promise.path
        target.in_flight += 1
        self._busy[connection] = target
        self._last_byte[connection] = self._clock.monotonic()
        outcome = connection.begin(attempt, path, last=attempt.kind != "kept")
        if outcome is not None:
            self._judge(connection, target, outcome)
        else:
            self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.wants_to_write else 0)
        if connection.fileno() in self._selector.get_map():
            self._selector.modify(connection, events)
        else:
            self._selector.register(connection, events)

    def _serve(self, connection: Connection, events: int) -> None:
        target = self._busy.get(connection)
        if target is None or connection.attempt is None:
            return
        if events & selectors.EVENT_WRITE:
            connection.write()
        outcome = None
        if events & selectors.EVENT_READ:
            slowly = connection.attempt.kind == "download" and not self._finishing
            portion = _portion(connection.exchange.length) if slowly else READ
            outcome = connection.read(portion)
            self._last_byte[connection] = self._clock.monotonic()
            if outcome is None and slowly:
                self._selector.unregister(connection)
                self._paused.append((self._clock.monotonic() + TICK, connection))
                return
        if outcome is None:
            self._watch(connection)
        else:
            self._judge(connection, target, outcome)

    def _resume(self, now: float) -> None:
        for at, connection in list(self._paused):
            if at <= now:
                self._paused.remove((at, connection))
                self._selector.register(connection, selectors.EVENT_READ)

    def _give_up_late(self, now: float) -> None:
        for connection, target in list(self._busy.items()):
            attempt = connection.attempt
            if attempt is None:
                continue
            since = self._last_byte[connection] if attempt.kind == "download" else attempt.began
            if connection.exchange.holds and connection.established:
                if now >= self._last_byte[connection] + HOLDS_FOR:
                    self._judge(connection, target, GOOD)
            elif now >= since + PATIENCE:
                self._judge(connection, target, connection.exchange.broken(f"nothing more in {PATIENCE:g} s"))

    def _judge(self, connection: Connection, target: Target, outcome: Outcome) -> None:
        attempt = connection.attempt
        if attempt is None:
            return
        # of a connection that is only to be kept, that it was accepted is the answer
        answered = self._last_byte[connection] if connection.exchange.holds else None
        target.tally.add(attempt, outcome, self._clock.monotonic(), answered=answered)
        connection.attempt = None
        target.in_flight -= 1
        target.downloads -= attempt.kind == "download"
        del self._busy[connection], self._last_byte[connection]
        kept = attempt.kind == "kept"
        if kept and not outcome.why and connection.exchange.reusable and not self._finishing:
            self._unwatch(connection)
            target.idle.append(connection)
        else:
            self._drop(connection, target, kept=kept)

    def _unwatch(self, connection: Connection) -> None:
        self._paused = [(at, each) for at, each in self._paused if each is not connection]
        if connection.fileno() in self._selector.get_map():
            self._selector.unregister(connection)

    def _drop(self, connection: Connection, target: Target, *, kept: bool) -> None:
        self._unwatch(connection)
        connection.close()
        target.kept -= kept

    def _clear(self) -> None:
        for target in self.targets:
            target.pool.shutdown(cancel_futures=True)
            target.tally.unfinished += target.downloads
            for connection in target.idle:
                connection.close()
        for connection in self._busy:
            connection.close()
        for _, _, dialled in self._dialled:
            if not dialled.cancelled() and dialled.exception() is None:
                dialled.result().close()
        self._selector.close()


def _portion(length: int | None) -> int:
    """Bytes of a download to read each tick, so that it lasts its time."""
    if length is None:
        return READ // 16
    return max(1024, min(READ, int(length * TICK / DOWNLOAD_SECONDS)))


def _words(error: OSError | LbkitError) -> str:
    """Why there is no connection."""
    cause = error if isinstance(error, OSError) else error.__cause__
    if isinstance(cause, TimeoutError):
        return "no connection in time"
    if isinstance(cause, OSError):
        return f"no connection: {(cause.strerror or str(cause)).lower()}"
    return f"no connection: {error.found if isinstance(error, LbkitError) else error}"
