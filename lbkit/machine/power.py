"""The room of machines for as long as a person has some of them stopped or restarted: the rest of it is as ever.

What is wanted of such a machine is not what is declared, so it is judged by that: `Stopping` finds nothing to do where it
does not run. What is declared comes back with the next plan of the room itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from lbkit.base.host import Host
from lbkit.engine.applying import one_by_one
from lbkit.engine.change import Action, Change, Verdict
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.engine.room import Done
from lbkit.engine.scope import Scope
from lbkit.machine import halting
from lbkit.machine.halting import Halt, halt
from lbkit.machine.handle import driver
from lbkit.machine.room import MachineRoom

_WORKERS = 8  # machines at a time


class Stopping(MachineRoom):
    """`members`, all of them declared, shall not run. Of the others nothing is judged otherwise."""

    def __init__(self, members: Collection[str], how: Halt, scope: Scope) -> None:
        self._members = frozenset(members)
        self._how = how
        self._scope = scope

    def _mine(self, key: Key) -> bool:
        return key.kind == "machine" and key.name in self._members

    def judge_create(self, want: Desired) -> Verdict | None:
        return None if self._mine(want.key) else super().judge_create(want)

    def judge_update(self, want: Desired, have: Actual) -> Verdict | None:
        if not self._mine(want.key):
            return super().judge_update(want, have)
        if not driver(str(have.state["driver"])).runs(have.state):
            return None
        return halting.stopped(self._scope, want.key.name, self._members, self._how)

    def apply(self, changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
        def stop(change: Change) -> str:
            return halt(change, str((change.before or {})["driver"]), scope, host, self._how, done)

        one_by_one(changes, stop, done)


class Restarting(MachineRoom):
    """Machines that are restarted because a person asks for it are stopped first."""

    def __init__(self, how: Halt) -> None:
        self._how = how

    def judge_anew(
        self, want: Desired, have: Actual, scope: Scope, anew: Mapping[Key, Action]
    ) -> Verdict | None:
        """One that does not run, or is to be made anew to be as declared, becomes as any apply has it."""
        if want.key.kind != "machine":
            return None
        told = self.judge_update(want, have)
        if told is not None and (told.action is Action.REPLACE or not _runs(have)):
            return told
        members = frozenset(key.name for key in anew)
        return halting.restarted(scope, want.key.name, members, self._how)

    def apply(self, changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
        running = [
            change
            for change in changes
            if change.key.kind == "machine"
            and change.action is Action.RESTART
            and change.have is not None
            and _runs(change.have)
        ]

        def stop(change: Change) -> None:
            halt(change, str((change.before or {})["driver"]), scope, host, self._how, done)

        with ThreadPoolExecutor(max(1, min(_WORKERS, len(running)))) as pool:
            list(pool.map(stop, running))
        super().apply(changes, scope, host, done)


def _runs(have: Actual) -> bool:
    return driver(str(have.state["driver"])).runs(have.state)
