"""How long the keeper waits from one turn of its nodes to the next."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from lbkit.base.clock import Clock

EVERY = 1.0  # seconds, where nothing is under way
_LEAST = 0.01
_PART = 0.1  # of the time that a node takes, so much may be waited for in vain


@dataclass(slots=True)
class Pace:
    """`wake` is for any thread: something came up that nodes are to know at once."""

    clock: Clock
    woken: threading.Event = field(default_factory=threading.Event, init=False)
    _since: float | None = field(default=None, init=False)

    def wake(self) -> None:
        self.woken.set()

    def wait(self, *, busy: bool) -> None:
        """`busy`: a node does something now, which ends any time; it is asked the more often, the shorter it has been at it."""
        self.woken.wait(self.pause(busy=busy))
        self.woken.clear()

    def pause(self, *, busy: bool) -> float:
        """In seconds. To be asked once a turn."""
        if not busy:
            self._since = None
            return EVERY
        now = self.clock.monotonic()
        self._since = now if self._since is None else self._since
        return min(EVERY, max(_LEAST, _PART * (now - self._since)))
