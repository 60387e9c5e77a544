"""How far a run is: files and bytes of how many, how fast of late, and how long it will take. Told by one thread, read by others."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from lbkit.base.clock import Clock

WINDOW = 10.0  # seconds that the rate is of
_LEAST = 0.001  # seconds: of less nothing is told
_STEP = 0.25  # seconds between two points that it is measured at


@dataclass(slots=True)
class Progress:
    """A file counts when the next one begins: rsync tells of one before it comes."""

    clock: Clock
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _phase: str = field(default="", init=False)
    _of: tuple[int | None, int | None] = field(default=(None, None), init=False)
    _files: int = field(default=0, init=False)
    _size: int = field(default=0, init=False)
    _coming: int | None = field(default=None, init=False)
    _began: float = field(default=0.0, init=False)
    _points: deque[tuple[float, int]] = field(default_factory=deque, init=False)

    def phase(self, name: str, files: int | None = None, size: int | None = None) -> None:
        with self._lock:
            self._phase, self._of = name, (files, size)
            self._files = self._size = 0
            self._coming = None
            self._began = self.clock.monotonic()
            self._points.clear()
            self._points.append((self._began, 0))

    def came(self, size: int) -> None:
        with self._lock:
            if self._coming is not None:
                self._files += 1
                self._size += self._coming
            self._coming = size
            now = self.clock.monotonic()
            if not self._points or now - self._points[-1][0] >= _STEP:
                self._points.append((now, self._size))
            while len(self._points) > 2 and now - self._points[1][0] >= WINDOW:
                self._points.popleft()

    def as_data(self) -> dict[str, Any]:
        """PROGRESS of control.py."""
        with self._lock:
            now = self.clock.monotonic()
            rate = self._rate(now)
            of = self._of[1]
            left = None if of is None or rate <= 0 else max(0.0, (of - self._size) / rate)
            return {
                "phase": self._phase,
                "files": self._files,
                "of_files": self._of[0],
                "size": self._size,
                "of_size": of,
                "rate": round(rate),
                "left": None if left is None else round(left, 1),
                "seconds": round(now - self._began, 1) if self._phase else 0.0,
            }

    def _rate(self, now: float) -> float:
        """Bytes a second over the last WINDOW seconds; what stands still gets slower."""
        since = next(((at, size) for at, size in reversed(self._points) if now - at >= WINDOW), None)
        at, size = since or (self._points[0] if self._points else (now, 0))
        return (self._size - size) / max(now - at, _LEAST) if now > at else 0.0
