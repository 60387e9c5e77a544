"""What a transition asks of a running HAProxy at its runtime socket alone: commands, and waits with their deadlines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from lbkit.base.clock import Clock
from lbkit.base.errors import Failure
from lbkit.haproxy.runtime import Row, Runtime, RuntimeFailure, ServerState
from lbkit.haproxy.runtime.command import Command
from lbkit.haproxy.runtime.questions import servers_of
from lbkit.haproxy.runtime.servers_state import Check as CheckState
from lbkit.haproxy.runtime.servers_state import OpState
from lbkit.haproxy.transition.steps import (
    Do,
    Guard,
    Names,
    Step,
    UntilHeard,
    UntilIdle,
    UntilUnchecked,
    UntilUp,
    listed,
)
from lbkit.haproxy.waiting import wait_for

_FOR_GOOD = "other configuration elements"
"""Of what `del server` says where a server is named elsewhere in the configuration (`track`, `use-server`)."""


@dataclass(slots=True)
class Live:
    """One connection for all steps between two processes. `up`: servers that passed a probe of lbkit's own.

    `notes`: what a person should know of how it went, though nothing failed.
    """

    connect: Callable[[], Runtime]
    where: str
    clock: Clock
    notes: list[str] = field(default_factory=list)
    up: set[str] = field(default_factory=set)
    _connection: Runtime | None = None

    @property
    def runtime(self) -> Runtime:
        if self._connection is None:
            self._connection = self.connect()
        return self._connection

    def hang_up(self) -> None:
        if self._connection is not None:
            self._connection.__exit__(None, None, None)
            self._connection = None

    def takes(self, step: Step) -> bool:
        """Carry out a step of these kinds; False: it is of another kind, and nothing was done."""
        match step:
            case Do(commands, retry):
                if retry:
                    for command in commands:
                        self._insist(command, retry)
                else:
                    self.runtime.run(commands)
            case UntilUp(names, seconds):
                self._until_up(names, seconds)
            case UntilHeard(names, seconds):
                self._until_heard(names, seconds)
            case UntilUnchecked(names, seconds):
                self._until_unchecked(names, seconds)
            case UntilIdle(names, seconds):
                self._until_idle(names, seconds)
            case Guard():
                self._guard(step)
            case _:
                return False
        return True

    def _insist(self, command: Command, seconds: float) -> None:
        """Ask again while it is refused: what keeps a server is its last connections, which are ending."""
        refused: list[RuntimeFailure] = []

        def done() -> bool | None:
            try:
                self.runtime.do(command)
            except RuntimeFailure as error:
                refused.append(error)
                return False if _FOR_GOOD in error.found else None
            return True

        if not wait_for(self.clock, seconds, done, every=0.02):
            raise refused[-1]

    def states(self, names: Iterable[str]) -> dict[str, ServerState]:
        backends = dict.fromkeys(name.partition("/")[0] for name in names)
        return {
            f"{state.backend}/{state.server}": state
            for backend in backends
            for state in self.runtime.read(servers_of(backend))
        }

    def rows(self) -> dict[str, Row]:
        return {f"{row.proxy}/{row.server}": row for row in self.runtime.stat() if row.is_server}

    def _until_up(self, names: Names, seconds: float) -> None:
        missing = list(names)

        def all_up() -> bool | None:
            states = self.states(missing)
            missing[:] = [name for name in missing if name not in states or not _serves(states[name])]
            return None if missing else True

        if wait_for(self.clock, seconds, all_up, every=0.05) is None:
            rows = self.rows()
            said = [f"{name} ({_words(rows.get(name))})" for name in missing[:5]]
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            self.notes.append(f"not up within {seconds:g} s, and without requests: {', '.join(said)}{more}")

    def _until_heard(self, names: Names, seconds: float) -> None:
        silent = list(names)

        def all_heard() -> bool | None:
            rows = self.rows()
            silent[:] = [name for name in silent if name in rows and rows[name].agent in {"", "INI"}]
            return None if silent else True

        if wait_for(self.clock, seconds, all_heard, every=0.05) is None:
            self.notes.append(
                f"no agent of {listed(tuple(silent))} was asked within {seconds:g} s: no requests until then"
            )

    def _until_unchecked(self, names: Names, seconds: float) -> None:
        def quiet() -> bool | None:
            states = self.states(names)
            busy = any(name in states and states[name].check & CheckState.IN_PROGRESS for name in names)
            return None if busy else True

        if wait_for(self.clock, seconds, quiet, every=0.01) is None:
            raise Failure(
                f"the check of {listed(names)} that was under way was to end",
                found=f"it goes on after {seconds:g} s",
                where=self.where,
                remedy="its server holds it open; apply again, or set the server to maintenance first",
            )

    def _until_idle(self, names: Names, seconds: float) -> None:
        wanted = frozenset(names)

        def idle() -> bool | None:
            busy = any(row.sessions for name, row in self.rows().items() if name in wanted)
            return None if busy else True

        if wait_for(self.clock, seconds, idle, every=0.05) is None:
            rows = self.rows()
            left = sum(rows[name].sessions for name in names if name in rows)
            self.notes.append(f"{left} sessions of {listed(names)} had not ended within {seconds:g} s")

    def _guard(self, step: Guard) -> None:
        def others_up() -> bool | None:
            states = self.states([f"{step.backend}/"])
            if self.up.intersection(step.probed):
                return True
            if any(name in states and in_use(states[name]) for name in step.others):
                return True
            # of those that leave none serves either: nobody loses anything by their leaving
            return None if any(name in states and in_use(states[name]) for name in step.leaving) else True

        if wait_for(self.clock, step.seconds, others_up, every=0.05) is None:
            rows = self.rows()
            said = [f"{name} is {_words(rows.get(name))}" for name in step.others[:3]]
            said += [f"{name} did not pass a probe" for name in step.probed[:3]]
            raise Failure(
                f"backend {step.backend} was to have another server up before {listed(step.leaving)} leave",
                found=f"after {step.seconds:g} s {', '.join(said) or 'there is no other'}",
                where=self.where,
                remedy="what serves now serves on; bring one of the others up, then apply again",
            )


def _serves(state: ServerState) -> bool:
    return state.op_state in {OpState.RUNNING, OpState.STARTING}


def in_use(state: ServerState) -> bool:
    return _serves(state) and state.weight > 0 and not (state.admin.maint or state.admin.drain)


def _words(row: Row | None) -> str:
    if row is None:
        return "not there"
    return ", ".join(filter(None, [row.status, row.check, row.detail or row.words]))
