"""One thread that moves bytes between descriptors, and does what other threads ask of it.

Everything is watched by its edges (EPOLLET, epoll(7)): a virtio port whose host end is closed is always readable, with
nothing to read, and would never let a thread rest that is woken by levels. Who is woken remembers what it can still
do, and asks for another turn until the descriptor says EAGAIN.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable

_EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET

HANGS_UP = select.EPOLLHUP | select.EPOLLERR

IN_A_TURN = 64
"""Reads or writes of one descriptor, before others have theirs."""

Ready = Callable[[int], None]
"""Gets the events of epoll_wait(2)."""


class Pump:
    """`submit` is for any thread; all else is for the one that calls `turn`."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._ready: dict[int, Ready] = {self._wake: self._woken}
        self._asked: deque[Callable[[], None]] = deque()
        self._again: dict[Callable[[], None], None] = {}
        self._lock = threading.Lock()  # a number of a descriptor that was closed may be another's
        self._closed = False

    def submit(self, do: Callable[[], None]) -> None:
        """Have it done by the pump's thread, soon. After `close` nobody does it."""
        with self._lock:
            if not self._closed:
                self._asked.append(do)
                os.eventfd_write(self._wake, 1)

    @property
    def asked(self) -> bool:
        """Whether something was submitted and is not done."""
        return bool(self._asked)

    def watch(self, descriptor: int, ready: Ready) -> None:
        self._ready[descriptor] = ready
        self._epoll.register(descriptor, _EDGES)

    def forget(self, descriptor: int) -> None:
        """Before it is closed."""
        if self._ready.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def again(self, work: Callable[[], None]) -> None:
        """Have `work` done in the next turn, once."""
        self._again[work] = None

    def turn(self, timeout: float | None) -> bool:
        """Wait for something to do, at most so many seconds, and do it. False: there was nothing."""
        found = self._epoll.poll(0 if self._again else timeout)
        for descriptor, events in found:
            ready = self._ready.get(descriptor)
            if ready is not None:  # forgotten by one before it
                ready(events)
        todo, self._again = self._again, {}
        for work in todo:
            work()
        return bool(found or todo)

    def close(self) -> None:
        """What was submitted is still done."""
        with self._lock:
            self._closed = True
            self._epoll.close()
            os.close(self._wake)
        while self._asked:
            self._asked.popleft()()

    def abandon(self) -> None:
        """In a forked child: close what was the parent's, and do nothing of it."""
        self._epoll.close()
        os.close(self._wake)

    def _woken(self, _events: int) -> None:
        os.eventfd_read(self._wake)
        for _ in range(len(self._asked)):
            self._asked.popleft()()
