"""Serials of generations: 1 to 2**32 - 1, compared around the end of their range (RFC 1982, as DNS does).

0 is nobody's: a machine that has no generation yet. The master alone mints them.
"""

from __future__ import annotations

from collections.abc import Iterable

_HALF = 1 << 31
_MOST = (1 << 32) - 1

NONE = 0
MARGIN = 1000
"""What a master that begins anew leaves out: serials that one before it may have made, and nobody it hears of knows."""


def after(serial: int, steps: int = 1) -> int:
    """The serial so many steps on (RFC 1982, 3.1); 0 is passed over."""
    if not 0 < steps < _HALF:
        raise ValueError(f"{steps} steps: RFC 1982 knows 1 to {_HALF - 1}")
    found = serial + steps
    return found if found <= _MOST else found - _MOST


def behind(serial: int, committed: int) -> int:
    """How many generations `serial` is behind `committed`; negative where it is ahead."""
    if serial == committed:
        return 0
    if NONE in {serial, committed}:  # nothing is older than all
        return _HALF if serial == NONE else -_HALF
    forward = (committed - serial) % _MOST
    return forward if forward < _HALF else forward - _MOST


def newer(serial: int, than: int) -> bool:
    return behind(serial, than) < 0


def highest(serials: Iterable[int]) -> int:
    found = NONE
    for serial in serials:
        if serial != NONE and newer(serial, found):
            found = serial
    return found


def minted(newest: int, known: int) -> int:
    """The next one of a master whose newest is that; `known` is the highest that anybody is known to have."""
    return after(known, MARGIN) if outrun(newest, known) else after(newest)


def outrun(newest: int, known: int) -> bool:
    """Whether there are serials that this master's disk knows nothing of: another one made them, or it lost them."""
    return known != NONE and newer(known, newest)
