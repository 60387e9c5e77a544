"""Of a plan the part that may be carried out unattended. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lbkit.engine.change import Action, Change
from lbkit.engine.limiting import limited
from lbkit.engine.plan import Plan
from lbkit.engine.selecting import named


def share_of(plan: Plan, *, only: Sequence[str], deletes: bool) -> Plan:
    """`plan` without what is not to be touched, and without what cannot be carried out then.

    `only` are patterns of KIND or KIND/NAME; none: all. Without `deletes` nothing goes that no person agreed to.
    """

    def may(change: Change) -> bool:
        return (not only or named(change.key, only)) and (deletes or change.action is not Action.DELETE)

    return limited(plan, may)
