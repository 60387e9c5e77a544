"""Several servers at once: what is waited for is waited for together, so that all have one deadline. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from lbkit.haproxy.direct.draining import UntilCut
from lbkit.haproxy.direct.planning import Way
from lbkit.haproxy.transition.steps import Step, UntilHeard, UntilIdle, UntilUnchecked, UntilUp

Wait = UntilUnchecked | UntilHeard | UntilUp | UntilIdle

_ORDER: tuple[type[Wait], ...] = (UntilUnchecked, UntilHeard, UntilUp, UntilIdle, UntilCut)
"""Who still comes is waited for before who leaves, and so nobody's sessions are waited for twice."""


def together(ways: Sequence[Way]) -> Way:
    """Each way's steps in their order, as far as possible before anything is waited for."""
    rest = [deque(way.steps) for way in ways]
    steps: list[Step] = []
    while any(rest):
        for left in rest:
            while left and not isinstance(left[0], Wait):
                steps.append(left.popleft())
        if wait := _next(rest):
            steps.append(wait)
    changes = tuple(change for way in ways for change in way.changes)
    notes = dict.fromkeys(note for way in ways for note in way.notes)
    return Way(changes, tuple(steps), tuple(notes))


def _next(rest: Sequence[deque[Step]]) -> Step | None:
    """The waits that are first in `rest`, of one kind, taken out of it as one."""
    for kind in _ORDER:
        alike = [left for left in rest if left and type(left[0]) is kind]
        waits = [wait for left in alike if isinstance(wait := left.popleft(), Wait)]
        if waits:
            names = tuple(name for wait in waits for name in wait.servers)
            return replace(waits[0], servers=names, seconds=max(wait.seconds for wait in waits))
    return None
