"""Wait for what gives no sign of itself (a socket that appears, an address that moves): ask, a bounded time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lbkit.base.clock import Clock

T = TypeVar("T")

_LONGEST = 0.25  # seconds between two questions


def wait_for(clock: Clock, seconds: float, ask: Callable[[], T | None], *, every: float = 0.02) -> T | None:
    """The first answer of `ask` that is not None; None where there is none within `seconds`.

    Where questions take their time, as in an emulated guest, they are asked less: what is waited for has the same processor.
    """
    deadline = clock.monotonic() + seconds
    while True:
        began = clock.monotonic()
        if (answer := ask()) is not None:
            return answer
        now = clock.monotonic()
        if now >= deadline:
            return None
        clock.sleep(max(every, min(2 * (now - began), _LONGEST)))
