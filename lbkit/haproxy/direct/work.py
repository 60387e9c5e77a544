"""What is to be done at one HAProxy: changes, each with what carries it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.plan import Plan
from lbkit.engine.resource import Actual, Desired, Key, State
from lbkit.haproxy.direct.carrying import carried_out


@dataclass(slots=True)
class Work:
    """In the order in which it is done."""

    changes: list[Change] = field(default_factory=list)
    acts: list[Callable[[], None]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(
        self,
        key: Key,
        reason: str,
        act: Callable[[], None],
        *,
        before: State | None,
        after: State | None,
        impact: Impact,
        steps: tuple[str, ...],
    ) -> None:
        """`before` None: it is new; `after` None: it goes."""
        action = Action.CREATE if before is None else Action.DELETE if after is None else Action.UPDATE
        want = None if after is None else Desired(key, after)
        have = None if before is None else Actual(key, before, owner=None)
        wave = len(self.changes)
        self.changes.append(Change(key, action, impact, reason, want, have, wave, steps))
        self.acts.append(act)

    @property
    def plan(self) -> Plan:
        return Plan("", tuple(self.changes), tuple(self.notes))


def carry(look: Callable[[], Work], promised: Plan | None, where: str) -> Plan:
    """Do what `look` finds to do; see `carried_out`."""
    found = Work()

    def planned() -> Plan:
        nonlocal found
        found = look()
        return found.plan

    def act(_plan: Plan) -> None:
        for each in found.acts:
            each()

    return carried_out(planned, act, promised, where)
