"""What to do now, given a plan, what was done before, and the time. Pure.

Two clocks: `wall` (seconds since 1970) for what outlives this process, `ticks` (monotonic) for pauses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lbkit.engine.plan import Plan

WINDOW = 3600.0  # seconds in which the budget counts
FIRST_PAUSE = 5.0  # seconds after a failure; each further one of the same doubles it
LONGEST_PAUSE = 600.0


@dataclass(frozen=True, slots=True)
class Now:
    wall: float
    ticks: float


@dataclass(frozen=True, slots=True)
class Tried:
    """The last apply, which failed by `cause`: so many `times` one after the other. Not `again` before that tick.

    `left`: what was to be done. Something else to do is no reason to wait.
    """

    cause: str
    times: int
    again: float
    left: frozenset[str]


@dataclass(frozen=True, slots=True)
class Begin:
    """Carry the plan out now."""


@dataclass(frozen=True, slots=True)
class Pause:
    """After a failure, until this tick."""

    until: float


@dataclass(frozen=True, slots=True)
class Exhausted:
    """The budget has `left` changes. `until` (wall) there is enough; None: the plan is larger than all of it."""

    left: int
    until: float | None


Decision = Begin | Pause | Exhausted


def decide(plan: Plan, *, budget: int, spent: Iterable[float], tried: Tried | None, now: Now) -> Decision:
    """`plan` has changes. `spent`: when (wall) each change was begun that nobody watched."""
    if tried is not None and now.ticks < tried.again and work(plan) <= tried.left:
        return Pause(tried.again)
    counted = counting(spent, now.wall)
    wanted = len(plan.changes)
    left = max(0, budget - len(counted))
    if wanted <= left:
        return Begin()
    if wanted > budget:
        return Exhausted(left, None)
    # so many of the oldest have to leave the window
    return Exhausted(left, counted[len(counted) + wanted - budget - 1] + WINDOW)


def work(plan: Plan) -> frozenset[str]:
    return frozenset(str(change) for change in plan.changes)


def counting(spent: Iterable[float], wall: float) -> list[float]:
    """Those of `spent` within the window, oldest first. What a clock set back puts far in the future is passed over."""
    return sorted(time for time in spent if abs(wall - time) < WINDOW)


def failed(cause: str, plan: Plan, before: Tried | None, *, ticks: float, chance: float) -> Tried:
    """After one more failure. `chance` (0 to 1) spreads the pause over its upper half, so that many do not meet."""
    times = before.times + 1 if before is not None and before.cause == cause else 1
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(times - 1, 30)) * (0.5 + chance / 2)
    return Tried(cause, times, ticks + pause, work(plan))


def spent_of(records: Iterable[Mapping[str, Any]], by: str) -> list[float]:
    """When (wall) each change was begun by `by`, as the journal tells. Lines that tell no time are passed over."""
    found = []
    for record in records:
        if record.get("event") == "begin" and record.get("by") == by:
            try:
                found.append(datetime.fromisoformat(str(record.get("time"))).timestamp())
            except ValueError:
                continue
    return found
