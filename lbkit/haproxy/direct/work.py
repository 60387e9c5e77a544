"""What is to be done at one HAProxy: changes, each with what carries it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lbkit.base.errors import LbkitError
from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.plan import Plan
from lbkit.engine.resource import Actual, Desired, Key, State
from lbkit.haproxy.direct.carrying import carried_out
from lbkit.haproxy.direct.stepping import Stopped
from lbkit.haproxy.runtime import Command, Runtime, RuntimeFailure

Act = Callable[[], None] | tuple[Command, ...]
"""What carries out a change: all of it or nothing; or commands one after the other, none after one that is refused."""


@dataclass(slots=True)
class Work:
    """In the order in which it is done."""

    changes: list[Change] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(
        self,
        key: Key,
        reason: str,
        act: Act,
        *,
        before: State | None,
        after: State | None,
        impact: Impact = Impact.HITLESS,
        steps: Sequence[str] = (),
    ) -> None:
        """`before` None: it is new; `after` None: it goes. `steps` are the commands themselves where `act` is that."""
        action = Action.CREATE if before is None else Action.DELETE if after is None else Action.UPDATE
        want = None if after is None else Desired(key, after)
        have = None if before is None else Actual(key, before, owner=None)
        lines = tuple(map(str, act)) if isinstance(act, tuple) else tuple(steps)
        self.changes.append(Change(key, action, impact, reason, want, have, len(self.changes), lines))
        self.acts.append(act)

    @property
    def plan(self) -> Plan:
        return Plan("", tuple(self.changes), tuple(self.notes))

    def carry_out(self, runtime: Runtime) -> None:
        """Stopped, with what was done before, where something is refused."""
        done: list[str] = []
        for change, act in zip(self.changes, self.acts, strict=True):
            try:
                if isinstance(act, tuple):
                    runtime.run(act, window=1)
                else:
                    act()
            except LbkitError as error:
                if isinstance(act, tuple) and isinstance(error, RuntimeFailure):
                    done += change.steps[: error.done]
                raise Stopped(error, done) from error
            done += change.steps


def carry(look: Callable[[Runtime], Work], runtime: Runtime, promised: Plan | None, where: str) -> Plan:
    """Do what `look` finds to do; see `carried_out`."""
    found = Work()

    def planned() -> Plan:
        nonlocal found
        found = look(runtime)
        return found.plan

    return carried_out(planned, lambda _: found.carry_out(runtime), promised, where)
