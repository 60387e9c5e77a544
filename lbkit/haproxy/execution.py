"""Carry out a transition, step by step: each is told before it is done, every reply is checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lbkit.base.clock import Clock
from lbkit.base.errors import Failure
from lbkit.haproxy import process
from lbkit.haproxy.config.paths import CONFIG, STATE_FILE
from lbkit.haproxy.instance import Instance
from lbkit.haproxy.probing import Passed
from lbkit.haproxy.runtime import Row, Runtime, RuntimeFailure, ServerState
from lbkit.haproxy.runtime.commands import patterns, tls
from lbkit.haproxy.runtime.questions import CERTIFICATES, PENDING_AUTHORITY, servers_of
from lbkit.haproxy.runtime.servers_state import Check as CheckState
from lbkit.haproxy.runtime.servers_state import OpState
from lbkit.haproxy.transition import written
from lbkit.haproxy.transition.server import Server
from lbkit.haproxy.transition.state import Running, Wanted
from lbkit.haproxy.transition.statefile import state_file
from lbkit.haproxy.transition.steps import (
    Certify,
    Check,
    Discard,
    Do,
    Forget,
    Guard,
    Names,
    Probe,
    Put,
    Reload,
    Remember,
    Replace,
    Start,
    Step,
    UntilHeard,
    UntilIdle,
    UntilLeft,
    UntilUnchecked,
    UntilUp,
    listed,
)
from lbkit.haproxy.waiting import wait_for

Ask = Callable[[Names, float], Passed]
"""Probe servers by name, all within so many seconds: who passed, and what was said of the others."""


@dataclass(slots=True)
class Execution:
    """One transition of one HAProxy."""

    instance: Instance
    running: Running
    wanted: Wanted
    ask: Ask
    tell: Callable[[Sequence[str]], None]
    clock: Clock
    notes: list[str] = field(default_factory=list)
    workers: list[str] = field(default_factory=list)
    up: set[str] = field(default_factory=set)
    _connection: Runtime | None = None

    def carry_out(self, steps: Iterable[Step]) -> list[str]:
        """What was found on the way: the pids of a reload, and what a person should know, which `notes` has alone."""
        try:
            for step in steps:
                self.tell(step.lines)
                self._do(step)
        finally:
            self._hang_up()
        return [*self.workers, *self.notes]

    def _do(self, step: Step) -> None:
        match step:
            case Check():
                process.check(self.instance, self._files([*self.wanted.files, CONFIG]))
            case Put(paths, marks):
                for path, (content, mode) in self._files(paths, marks).items():
                    self.instance.put(path, content, mode)
            case Discard(paths):
                for path in paths:
                    self.instance.machine.discard(self.instance.path(path))
            case Do(commands, retry):
                if retry:
                    for command in commands:
                        self._insist(command, retry)
                else:
                    self.runtime.run(commands)
            case Replace():
                self._replace(step)
            case Certify():
                self._certify(step)
            case Forget(paths):
                self._drop_pending()
                self.runtime.run(tls.del_cert(path) for path in paths)
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
            case Probe(names, seconds, must):
                self._probe(names, seconds, must=must)
            case Remember():
                self._remember(step)
            case Reload():
                self._hang_up()
                self.workers.append(process.reload(self.instance, self.running, self.wanted, self.clock))
            case UntilLeft(seconds):
                if not process.alone(self.instance, self.clock, seconds):
                    self.notes.append(
                        f"a worker from before has connections that had not ended within {seconds:g} s"
                    )
            case Start():
                self._hang_up()
                process.start(self.instance, self.clock)

    @property
    def runtime(self) -> Runtime:
        """One connection for all steps between two processes."""
        if self._connection is None:
            self._connection = self.instance.runtime(timeout=30.0)
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.__exit__(None, None, None)
            self._connection = None

    def _files(self, paths: Iterable[str], marks: Sequence[str] = ()) -> dict[str, tuple[bytes, int]]:
        found: dict[str, tuple[bytes, int]] = {}
        for path in paths:
            if path == CONFIG:
                found[path] = (written.with_marks(self.wanted.text, marks).encode(), 0o640)
                continue
            file = self.wanted.files[path]
            found[path] = (file.content, 0o600 if file.secret else 0o640)
        return found

    def _insist(self, command: Any, seconds: float) -> None:
        """Ask again while it is refused: what keeps a server is its last connections, which are ending."""
        refused: list[RuntimeFailure] = []

        def done() -> bool | None:
            try:
                self.runtime.do(command)
            except RuntimeFailure as error:
                refused.append(error)
                return None
            return True

        if wait_for(self.clock, seconds, done, every=0.02) is None:
            raise refused[-1]

    def _replace(self, step: Replace) -> None:
        if step.kind == "map":
            version = patterns.version_created(self.runtime.ask(patterns.prepare_map(step.path)))
            pairs = [(key, value) for key, _, value in (entry.partition(" ") for entry in step.entries)]
            self.runtime.run(patterns.add_map_entries(step.path, pairs, version=version))
            self.runtime.do(patterns.commit_map(step.path, version))
        else:
            version = patterns.version_created(self.runtime.ask(patterns.prepare_acl(step.path)))
            self.runtime.run(patterns.add_acl(step.path, entry, version=version) for entry in step.entries)
            self.runtime.do(patterns.commit_acl(step.path, version))

    def _certify(self, step: Certify) -> None:
        content = self.wanted.files[step.path].content
        if step.authority:
            if pending := self.runtime.read(PENDING_AUTHORITY):
                self.runtime.do(tls.abort_ca_file(pending))
            self.runtime.run([tls.set_ca_file(step.path, content), tls.commit_ca_file(step.path)], window=1)
        else:
            self._drop_pending()
            if step.new:
                self.runtime.do(tls.new_cert(step.path))
            try:
                self.runtime.run([tls.set_cert(step.path, content), tls.commit_cert(step.path)], window=1)
            except RuntimeFailure:
                self.runtime.ask(str(tls.abort_cert(step.path)))
                raise
        for path, (data, mode) in self._files([step.path]).items():
            self.instance.put(path, data, mode)

    def _drop_pending(self) -> None:
        """What somebody began and left would refuse every other."""
        if pending := self.runtime.read(CERTIFICATES).pending:
            self.runtime.do(tls.abort_cert(pending))
            self.notes.append(f"a change of {pending} that somebody had begun was dropped")

    def _states(self, names: Iterable[str]) -> dict[str, ServerState]:
        backends = dict.fromkeys(name.partition("/")[0] for name in names)
        return {
            f"{state.backend}/{state.server}": state
            for backend in backends
            for state in self.runtime.read(servers_of(backend))
        }

    def _rows(self) -> dict[str, Row]:
        return {f"{row.proxy}/{row.server}": row for row in self.runtime.stat() if row.is_server}

    def _until_up(self, names: Names, seconds: float) -> None:
        missing = list(names)

        def all_up() -> bool | None:
            states = self._states(missing)
            missing[:] = [name for name in missing if name not in states or not _serves(states[name])]
            return None if missing else True

        if wait_for(self.clock, seconds, all_up, every=0.05) is None:
            rows = self._rows()
            said = [f"{name} ({_words(rows.get(name))})" for name in missing[:5]]
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            self.notes.append(f"not up within {seconds:g} s, and without requests: {', '.join(said)}{more}")

    def _until_heard(self, names: Names, seconds: float) -> None:
        silent = list(names)

        def all_heard() -> bool | None:
            rows = self._rows()
            silent[:] = [name for name in silent if name in rows and rows[name].agent in {"", "INI"}]
            return None if silent else True

        if wait_for(self.clock, seconds, all_heard, every=0.05) is None:
            self.notes.append(
                f"no agent of {listed(tuple(silent))} was asked within {seconds:g} s: no requests until then"
            )

    def _until_unchecked(self, names: Names, seconds: float) -> None:
        def quiet() -> bool | None:
            states = self._states(names)
            busy = any(name in states and states[name].check & CheckState.IN_PROGRESS for name in names)
            return None if busy else True

        if wait_for(self.clock, seconds, quiet, every=0.01) is None:
            raise Failure(
                f"the check of {listed(names)} that was under way was to end",
                found=f"it goes on after {seconds:g} s",
                where=self.instance.where,
                remedy="its server holds it open; apply again, or set the server to maintenance first",
            )

    def _until_idle(self, names: Names, seconds: float) -> None:
        wanted = frozenset(names)

        def idle() -> bool | None:
            busy = any(row.sessions for name, row in self._rows().items() if name in wanted)
            return None if busy else True

        if wait_for(self.clock, seconds, idle, every=0.05) is None:
            rows = self._rows()
            left = sum(rows[name].sessions for name in names if name in rows)
            self.notes.append(f"{left} sessions of {listed(names)} had not ended within {seconds:g} s")

    def _guard(self, step: Guard) -> None:
        def others_up() -> bool | None:
            states = self._states([f"{step.backend}/"])
            if self.up.intersection(step.probed):
                return True
            if any(name in states and in_use(states[name]) for name in step.others):
                return True
            # of those that leave none serves either: nobody loses anything by their leaving
            return None if any(name in states and in_use(states[name]) for name in step.leaving) else True

        if wait_for(self.clock, step.seconds, others_up, every=0.05) is None:
            rows = self._rows()
            said = [f"{name} is {_words(rows.get(name))}" for name in step.others[:3]]
            said += [f"{name} did not pass a probe" for name in step.probed[:3]]
            raise Failure(
                f"backend {step.backend} was to have another server up before {listed(step.leaving)} leave",
                found=f"after {step.seconds:g} s {', '.join(said) or 'there is no other'}",
                where=self.instance.where,
                remedy="what serves now serves on; bring one of the others up, then apply again",
            )

    def _probe(self, names: Names, seconds: float, *, must: bool) -> None:
        found = self.ask(names, seconds)
        self.up |= found.up
        failed = [name for name in names if name not in found.up]
        if not failed:
            return
        if must:
            states = self._states(failed)
            serving = [name for name in failed if name in states and in_use(states[name])]
            if serving:
                raise Failure(
                    f"{listed(tuple(serving))} was to answer its check at its new address first",
                    found=found.words.get(serving[0], "no answer"),
                    where=self.instance.where,
                    remedy="its old address serves on; see that the new one does, then apply again",
                )
        said = [f"{name} ({found.words.get(name, 'not asked')})" for name in failed[:5]]
        self.notes.append(f"did not pass a probe, and is down until its checks pass: {', '.join(said)}")

    def _remember(self, step: Remember) -> None:
        servers = {name: Server.parse(text) for name, text in self.wanted.servers.items()}
        text = state_file(
            "" if step.all_new else self.runtime.servers_state(),
            servers,
            servers if step.all_new else step.new,
            self.up,
            undo=self.wanted.by_hand == "undo",
            late=self.wanted.late,
            handed=step.handed,
        )
        self.instance.put(STATE_FILE, text.encode())


def _serves(state: ServerState) -> bool:
    return state.op_state in {OpState.RUNNING, OpState.STARTING}


def in_use(state: ServerState) -> bool:
    return _serves(state) and state.weight > 0 and not (state.admin.maint or state.admin.drain)


def _words(row: Row | None) -> str:
    if row is None:
        return "not there"
    return ", ".join(filter(None, [row.status, row.check, row.detail or row.words]))
