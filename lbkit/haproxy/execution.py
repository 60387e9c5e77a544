"""Carry out a transition, step by step: each is told before it is done, every reply is checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from lbkit.base.clock import Clock
from lbkit.base.errors import Failure
from lbkit.haproxy import process
from lbkit.haproxy.config.paths import CONFIG, STATE_FILE
from lbkit.haproxy.instance import Instance
from lbkit.haproxy.live import Live, in_use
from lbkit.haproxy.probing import Passed
from lbkit.haproxy.runtime import Runtime
from lbkit.haproxy.runtime.commands import tls
from lbkit.haproxy.runtime.questions import PENDING_AUTHORITY
from lbkit.haproxy.runtime.transactions import certify, drop_pending, replace_entries
from lbkit.haproxy.transition import written
from lbkit.haproxy.transition.server import Server
from lbkit.haproxy.transition.state import Running, Wanted
from lbkit.haproxy.transition.statefile import state_file
from lbkit.haproxy.transition.steps import (
    Certify,
    Check,
    Discard,
    Forget,
    Names,
    Probe,
    Put,
    Reload,
    Remember,
    Replace,
    Start,
    Step,
    UntilLeft,
    listed,
)

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
    workers: list[str] = field(default_factory=list)
    live: Live = field(init=False)

    def __post_init__(self) -> None:
        self.live = Live(lambda: self.instance.runtime(timeout=30.0), self.instance.where, self.clock)

    @property
    def notes(self) -> list[str]:
        return self.live.notes

    @property
    def runtime(self) -> Runtime:
        return self.live.runtime

    def carry_out(self, steps: Iterable[Step]) -> list[str]:
        """What was found on the way: the pids of a reload, and what a person should know, which `notes` has alone."""
        try:
            for step in steps:
                self.tell(step.lines)
                self._do(step)
        finally:
            self.live.hang_up()
        return [*self.workers, *self.notes]

    def _do(self, step: Step) -> None:
        if self.live.takes(step):
            return
        match step:
            case Check():
                process.check(self.instance, self._files([*self.wanted.files, CONFIG]))
            case Put(paths, marks):
                for path, (content, mode) in self._files(paths, marks).items():
                    self.instance.put(path, content, mode)
            case Discard(paths):
                for path in paths:
                    self.instance.machine.discard(self.instance.path(path))
            case Replace():
                replace_entries(self.runtime, step.kind, step.path, step.entries)
            case Certify():
                self._certify(step)
            case Forget(paths):
                self._drop_pending()
                self.runtime.run(tls.del_cert(path) for path in paths)
            case Probe(names, seconds, must):
                self._probe(names, seconds, must=must)
            case Remember():
                self._remember(step)
            case Reload():
                self.live.hang_up()
                self.workers.append(process.reload(self.instance, self.running, self.wanted, self.clock))
            case UntilLeft(seconds):
                if not process.alone(self.instance, self.clock, seconds):
                    self.notes.append(
                        f"a worker from before has connections that had not ended within {seconds:g} s"
                    )
            case Start():
                self.live.hang_up()
                process.start(self.instance, self.clock)

    def _files(self, paths: Iterable[str], marks: Sequence[str] = ()) -> dict[str, tuple[bytes, int]]:
        found: dict[str, tuple[bytes, int]] = {}
        for path in paths:
            if path == CONFIG:
                found[path] = (written.with_marks(self.wanted.text, marks).encode(), 0o640)
                continue
            file = self.wanted.files[path]
            found[path] = (file.content, 0o600 if file.secret else 0o640)
        return found

    def _certify(self, step: Certify) -> None:
        content = self.wanted.files[step.path].content
        if step.authority:
            if pending := self.runtime.read(PENDING_AUTHORITY):
                self.runtime.do(tls.abort_ca_file(pending))
            self.runtime.run([tls.set_ca_file(step.path, content), tls.commit_ca_file(step.path)], window=1)
        else:
            self._drop_pending()
            certify(self.runtime, step.path, content, new=step.new)
        for path, (data, mode) in self._files([step.path]).items():
            self.instance.put(path, data, mode)

    def _drop_pending(self) -> None:
        """What somebody began and left would refuse every other."""
        if pending := drop_pending(self.runtime):
            self.notes.append(f"a change of {pending} that somebody had begun was dropped")

    def _probe(self, names: Names, seconds: float, *, must: bool) -> None:
        found = self.ask(names, seconds)
        self.live.up |= found.up
        failed = [name for name in names if name not in found.up]
        if not failed:
            return
        if must:
            states = self.live.states(failed)
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
            self.live.up,
            undo=self.wanted.by_hand == "undo",
            late=self.wanted.late,
            handed=step.handed,
        )
        self.instance.put(STATE_FILE, text.encode())
