"""What a way to have machines gives: the contract of drivers. What a single machine gives is in contract.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from lbkit.base.host import Host
from lbkit.engine.change import Change, Impact, Verdict
from lbkit.engine.events import Events
from lbkit.engine.resource import Actual, Desired, Key, State
from lbkit.engine.room import Done
from lbkit.engine.scope import Scope
from lbkit.engine.view import Check, Finding
from lbkit.machine.contract import Machine, Process


class Driver(Protocol):
    """One way to have machines: what the machine room needs beyond single machines. All of it in bulk."""

    hands_over: bool
    """Whether a new machine takes over from the one that runs, when that is replaced; else that is to be stopped before."""

    def machine(self, scope: Scope, host: Host, member: str) -> Machine: ...

    def stands(self, scope: Scope, host: Host, member: str) -> bool:
        """Whether this driver has anything of that name: asked for machines that are no longer declared."""
        ...

    def leaving(self, scope: Scope, host: Host) -> Iterable[Machine]:
        """Those that run beside a newer one of the same name, which is to take their place."""
        ...

    def desired(self, scope: Scope, host: Host) -> Iterable[Desired]:
        """The declared machines of this driver. Pure."""
        ...

    def observe(self, scope: Scope, host: Host) -> Iterable[Actual]:
        """The machines of this driver that stand: the topology's own, and others on declared names."""
        ...

    def unseen(self, scope: Scope, host: Host) -> Mapping[Key, str]:
        """As `Room.unseen`."""
        ...

    def summary(self, want: Desired) -> str:
        """What a new machine will be, in a few words. Pure."""
        ...

    def judge(self, want: Desired, have: Actual) -> Verdict | None:
        """What a difference of a resource of this driver means; both are of the driver. Pure."""
        ...

    def place(self, state: State) -> Mapping[str, str] | None:
        """Where it stands, in words of the driver: the namespace's name. None: of what was observed, nothing stands."""
        ...

    def notes(self, scope: Scope, host: Host) -> Iterable[str]:
        """As `Room.notes`."""
        ...

    def events(self, scope: Scope, host: Host) -> Mapping[str, AbstractContextManager[Events]]:
        """As `Room.events`."""
        ...

    def apply(self, changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
        """As `Room.apply`, for changes of this driver's machines."""
        ...

    def processes(self, scope: Scope, host: Host) -> Mapping[str, Mapping[str, Process]]:
        """All that was started in the topology's machines: by member, then by program name."""
        ...

    def distrust(self, scope: Scope, host: Host, member: str, why: str) -> bool:
        """The machine failed at what machines do. True: from now on this process takes it for one that does not answer;
        False: there is nobody in between who could be the cause.
        """
        ...

    def stop(self, scope: Scope, host: Host, programs: Sequence[tuple[str, str]]) -> None:
        """As `Machine.stop` for many, each named by member and program, all at the same time."""
        ...

    def runs(self, state: State) -> bool:
        """Whether the machine runs, or could go on where it is; of what was observed. Pure."""
        ...

    def judge_replaced(self, want: Desired, have: Actual, cost: tuple[Impact, str]) -> Verdict:
        """What it takes to have it made anew, though it may be as declared. `cost`: of its being away for a while. Pure."""
        ...

    def power_off(
        self, scope: Scope, host: Host, member: str, left: float | None, tell: Callable[[str], None]
    ) -> str:
        """Switch a declared machine off, whatever runs in it; its files stay. What was done, in words.

        It has `left` seconds to end in its own way; None: it is cut off its networks, and killed.
        """
        ...

    def explain(self, scope: Scope, host: Host, member: str) -> Iterable[Finding]:
        """Evidence on a declared machine as such: that it stands, that its links are up."""
        ...

    def doctor(self, host: Host) -> Iterable[Check]: ...
