"""Carry out the steps of a plan at a runtime socket; told of a failure is what was done before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lbkit.base.errors import Failure, LbkitError
from lbkit.haproxy.live import Live
from lbkit.haproxy.runtime import RuntimeFailure
from lbkit.haproxy.transition.steps import Do, Step

_REMEDIES = {
    "Permission denied": "write `level admin` at the end of its `stats socket` line",
    "dynamic load balancing": "its `balance` takes no server and no weight at run time without `hash-type consistent`",
    "static LB algorithm": "its `balance` takes no server and no weight at run time without `hash-type consistent`",
    "other configuration elements": "it is in maintenance now; its configuration names it elsewhere (`use-server`): "
    "list it with `state: maint`",
}


class Stopped(Failure):
    """`done` are the lines of what was carried out before, which stays; empty: nothing was touched."""

    def __init__(self, cause: LbkitError, done: Sequence[str]) -> None:
        self.cause = cause
        self.done = tuple(done)
        remedy = next((remedy for words, remedy in _REMEDIES.items() if words in cause.found), cause.remedy)
        stays = f"{len(done)} steps before it are done and stay" if done else "nothing was changed"
        super().__init__(
            cause.wanted,
            found=cause.found,
            where=cause.where,
            remedy="; ".join(filter(None, [remedy, stays])),
        )

    def as_data(self) -> dict[str, Any]:
        return {**super().as_data(), "cause": self.cause.as_data(), "done": list(self.done)}


def carry_out(live: Live, steps: Sequence[Step], after: Callable[[Step], None] | None = None) -> list[str]:
    """The lines of what was done. `after` each step; what it raises ends it too."""
    done: list[str] = []
    try:
        for step in steps:
            try:
                live.takes(step)
            except RuntimeFailure as error:
                done += _before(step, error)
                raise
            if isinstance(step, Do):
                done += step.lines
            if after is not None:
                after(step)
    except LbkitError as error:
        raise Stopped(error, done) from error
    return done


def _before(step: Step, error: RuntimeFailure) -> list[str]:
    """Commands that went with the one that failed, and were done."""
    if not isinstance(step, Do) or step.retry:
        return []
    return [*step.lines[: error.done], *(each.command for each in error.later if each.done)]
