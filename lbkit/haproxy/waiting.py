"""Wait for what gives no sign of itself (a socket that appears, an address that moves): ask, a bounded time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lbkit.base.clock import Clock

T = TypeVar("T")


def wait_for(clock: Clock, seconds: float, ask: Callable[[], T | None], *, every: float = 0.02) -> T | None:
    """The first answer of `ask` that is not None; None where there is none within `seconds`."""
    deadline = clock.monotonic() + seconds
    while (answer := ask()) is None:
        if clock.monotonic() >= deadline:
            return None
        clock.sleep(every)
    return answer
