"""One target while it is asked: when the next request is due, and over which connection it goes."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from lbkit.engine.promise import Promise
from lbkit.prove.connection import Connection
from lbkit.prove.places import Place
from lbkit.prove.tally import Tally

KEPT = 4  # connections that are kept, at the usual rate: each is used some times a second
IN_FLIGHT = 32  # requests at a time
DOWNLOADS = 2  # at a time, one begun in the middle of the other
DOWNLOAD_SECONDS = 5.0  # what one is to last: through several steps, and less than any drain's patience
UNPROMISED_RATE = 10.0  # requests a second of a target that never answered yet
UNPROMISED_IN_FLIGHT = 2


@dataclass(slots=True, eq=False)
class Target:
    """`kept` counts connections that are kept, in use, idle or being dialled. Times are monotonic."""

    promise: Promise
    place: Place
    rate: float
    tally: Tally
    pool: ThreadPoolExecutor
    due: float = 0.0
    download_due: float = 0.0
    turn: int = 0
    in_flight: int = 0
    kept: int = 0
    downloads: int = 0
    nobody_there: int = 0
    idle: deque[Connection] = field(default_factory=deque)

    @property
    def promised(self) -> bool:
        return self.tally.since is not None

    @property
    def most_kept(self) -> int:
        """Few enough that each is used more often than a server's patience with idle ones ends."""
        return max(1, min(KEPT, int(self.rate / 4)))

    def is_due(self, now: float) -> bool:
        """Whether a request is to be sent; moves on to the next. What was missed is not made up for."""
        if now < self.due:
            return False
        rate = self.rate if self.promised else min(self.rate, UNPROMISED_RATE)
        self.due = max(self.due + 1 / rate, now)
        return self.in_flight < (IN_FLIGHT if self.promised else UNPROMISED_IN_FLIGHT)

    def is_download_due(self, now: float) -> bool:
        if self.promise.download is None or not self.promised:
            return False
        if now < self.download_due or self.downloads >= DOWNLOADS:
            return False
        self.download_due = now + DOWNLOAD_SECONDS / DOWNLOADS
        return True

    def wants_kept(self) -> bool:
        """Whether this turn's request goes over a connection that is kept: every other."""
        self.turn += 1
        return self.promise.mode == "http" and self.turn % 2 == 0

    def next_idle(self) -> tuple[Connection | None, list[Connection]]:
        """One to ask over, and those that the server has closed meanwhile, as it may."""
        closed: list[Connection] = []
        while self.idle:
            connection = self.idle.popleft()
            if connection.is_quiet():
                return connection, closed
            closed.append(connection)
        return None, closed
