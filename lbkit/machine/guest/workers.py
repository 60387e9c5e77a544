"""Threads for what may take long. They are kept, and there are as many as are busy at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

_MOST = 128


class Workers:
    """`do` is for one thread. What ends with an exception is reported by threading.excepthook, and its thread is lost."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()
        self._busy = self._threads = 0

    @property
    def busy(self) -> int:
        """Tasks that are not done."""
        return self._busy

    def do(self, task: Callable[[], None]) -> None:
        """Have it done soon; where too many are under way, after one of them."""
        with self._lock:
            self._busy += 1
            more = self._busy > self._threads and self._threads < _MOST
            self._threads += more
        self._tasks.put(task)
        if more:
            threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        try:
            while True:
                task = self._tasks.get()
                try:
                    task()
                finally:
                    with self._lock:
                        self._busy -= 1
        finally:
            with self._lock:
                self._threads -= 1
