"""Of changes those that can be carried out without others. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from lbkit.engine.change import Action, Change
from lbkit.engine.plan import Plan


def limited(plan: Plan, may: Callable[[Change], bool]) -> Plan:
    """The changes that `may` be, but for those that need one of the others: each would fail, or do harm."""
    kept = that_can_be(plan.changes, may)
    return plan if len(kept) == len(plan.changes) else replace(plan, changes=tuple(kept))


def part(plan: Plan, wanted: Callable[[Change], bool]) -> Plan:
    """The changes that are `wanted`, with all others that they need."""
    chosen = [change for change in plan.changes if wanted(change)]
    others = [change for change in plan.changes if not wanted(change)]
    while more := [other for other in others if any(_needs(change, other) for change in chosen)]:
        chosen += more
        others = [other for other in others if other not in more]
    kept = {change.key for change in chosen}
    return replace(plan, changes=tuple(change for change in plan.changes if change.key in kept))


def that_can_be(changes: Sequence[Change], may: Callable[[Change], bool]) -> list[Change]:
    """As `limited`, of changes in any order."""
    kept = [change for change in changes if may(change)]
    while True:
        chosen = {change.key for change in kept}
        others = [change for change in changes if change.key not in chosen]
        fit = [change for change in kept if not any(_needs(change, other) for other in others)]
        if len(fit) == len(kept):
            return kept
        kept = fit


def _needs(change: Change, other: Change) -> bool:
    """Whether `other` has to be carried out for `change` to be: it stands on it, takes what it gives up, or lives with it."""
    if change.want is not None:
        if other.key in change.want.requires:
            return True
        if other.have is not None and change.want.claims & other.have.claims:
            return True
        if change.want.last and change.want.within is not None and change.want.within == other.within:
            return True
    if other.key == change.within or (change.action is Action.REPLACE and change.key == other.within):
        return True
    if other.have is None or change.action not in _TAKES_DOWN:
        return False
    return change.key in other.have.requires or change.key in other.have.any_of


_TAKES_DOWN = {Action.DELETE, Action.REPLACE}
