"""Of a plan the part that may be carried out unattended. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from lbkit.engine.change import Action, Change
from lbkit.engine.plan import Plan
from lbkit.engine.resource import Key


def share_of(plan: Plan, *, only: Sequence[str], deletes: bool) -> Plan:
    """`plan` without what is not to be touched, and without what cannot be carried out then.

    `only` are patterns of KIND or KIND/NAME; none: all. Without `deletes` nothing goes that no person agreed to.
    """

    def may(change: Change) -> bool:
        key = change.key
        named = not only or any(
            fnmatchcase(f"{key.kind}/{key.name}" if "/" in pattern else key.kind, pattern) for pattern in only
        )
        return named and (deletes or change.action is not Action.DELETE)

    return limited(plan, may)


def limited(plan: Plan, may: Callable[[Change], bool]) -> Plan:
    """The changes that `may` be, but for those that need one of the others: each would fail, or do harm."""
    kept = [change for change in plan.changes if may(change)]
    while True:
        chosen = {change.key for change in kept}
        others = [change for change in plan.changes if change.key not in chosen]
        fit = [change for change in kept if not any(_needs(change, other) for other in others)]
        if len(fit) == len(kept):
            return plan if not others else replace(plan, changes=tuple(kept))
        kept = fit


def _needs(change: Change, other: Change) -> bool:
    """Whether `other` has to be carried out for `change` to be: it stands on it, takes what it gives up, or lives with it."""
    if change.want is not None:
        if other.key in change.want.requires:
            return True
        if other.have is not None and change.want.claims & other.have.claims:
            return True
        if change.want.last and change.want.within is not None and change.want.within == _within(other):
            return True
    if other.key == _within(change) or (change.action is Action.REPLACE and change.key == _within(other)):
        return True
    return other.have is not None and change.key in other.have.requires and change.action in _TAKES_DOWN


def _within(change: Change) -> Key | None:
    """What it lives and dies with: replaced, it takes all of that with it, and both are one piece of work."""
    thing = change.want or change.have
    return thing.within if thing else None


_TAKES_DOWN = {Action.DELETE, Action.REPLACE}
