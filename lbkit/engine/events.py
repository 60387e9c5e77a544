"""That something may have changed, told at once: what a room can give beside `observe`, for who waits for drift."""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from collections.abc import Sequence
from typing import Protocol, Self

from lbkit.base.errors import Failure

_KEPT = 100  # of what happened since the last read; a storm says no more than that


class Events(Protocol):
    """Readable where something happened. What it was is a hint for people: what is so now, `observe` says."""

    def fileno(self) -> int: ...

    def read(self) -> Sequence[str]:
        """What happened since the last time, in words. Never waits; Failure where nothing more will be told."""
        ...


class Bell:
    """Events that any thread rings, and a signal's handler: `ring` takes no lock and never waits.

    To be closed once nobody rings it any more, or as a context manager.
    """

    def __init__(self) -> None:
        self._out, self._in = socket.socketpair()
        self._out.setblocking(False)
        self._in.setblocking(False)
        self._rung: deque[str] = deque(maxlen=_KEPT)
        self._broken: Failure | None = None

    def ring(self, what: str) -> None:
        self._rung.append(what)
        self._wake()

    def break_off(self, why: Failure) -> None:
        """Nothing more will be told: `read` raises it, and who listens may open anew."""
        self._broken = why
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it rings already; closed: nobody listens
            self._in.send(b"!")

    def fileno(self) -> int:
        return self._out.fileno()

    def read(self) -> list[str]:
        with contextlib.suppress(BlockingIOError):
            while self._out.recv(4096):
                pass
        if self._broken is not None:
            raise self._broken
        heard: list[str] = []
        while self._rung:
            heard.append(self._rung.popleft())
        return heard

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._in.close()
        self._out.close()
