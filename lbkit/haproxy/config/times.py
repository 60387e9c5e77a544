"""HAProxy's own unit of time."""

from __future__ import annotations


def ms(seconds: float) -> int:
    """Milliseconds, at least 1: to HAProxy, 0 is for ever."""
    return max(1, round(seconds * 1000))
