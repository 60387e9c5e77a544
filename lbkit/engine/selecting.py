"""Of a plan the part that a person names. Pure."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase

from lbkit.base.errors import Mistake
from lbkit.base.problems import near
from lbkit.engine.limiting import part
from lbkit.engine.plan import Plan
from lbkit.engine.resource import Key


def named(key: Key, patterns: Collection[str]) -> bool:
    """Whether one of them names it: patterns of KIND, or of KIND/NAME (fnmatch)."""
    return any(
        fnmatchcase(f"{key.kind}/{key.name}" if "/" in pattern else key.kind, pattern) for pattern in patterns
    )


def selected(plan: Plan, only: Collection[str], declared: Collection[Key]) -> Plan:
    """The changes of what `only` names, and those that these need. Mistake where one of them names nothing."""
    known = {*declared, *(change.key for change in plan.changes)}
    for pattern in only:
        if not any(named(key, [pattern]) for key in known):
            names = {f"{key.kind}/{key.name}" for key in known} | {key.kind for key in known}
            raise Mistake(
                f"{pattern!r} was to name a part of {plan.topology}",
                found="nothing of that name is declared, or stands",
                remedy=near(pattern, names) or "name it as KIND or KIND/NAME, as `lbkit plan` does",
            )
    return part(plan, lambda change: named(change.key, only))
