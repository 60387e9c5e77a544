"""What a way to have machines gives: the contract of drivers. What a single machine gives is in contract.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from lbkit.base.host import Host
from lbkit.engine.change import Change
from lbkit.engine.resource import Actual, Desired
from lbkit.engine.room import Done
from lbkit.engine.scope import Scope
from lbkit.engine.view import Check, Finding
from lbkit.machine.contract import Machine, Process


class Driver(Protocol):
    """One way to have machines: what the machine room needs beyond single machines. All of it in bulk."""

    def machine(self, topology: str, host: Host, member: str) -> Machine: ...

    def stands(self, topology: str, host: Host, member: str) -> bool:
        """Whether this driver has anything of that name: asked for machines that are no longer declared."""
        ...

    def desired(self, scope: Scope, host: Host) -> Iterable[Desired]:
        """The declared machines of this driver. Pure."""
        ...

    def observe(self, scope: Scope, host: Host) -> Iterable[Actual]:
        """The machines of this driver that stand: the topology's own, and others on declared names."""
        ...

    def apply(self, changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
        """As `Room.apply`, for changes of this driver's machines."""
        ...

    def processes(self, topology: str, host: Host) -> Mapping[str, Mapping[str, Process]]:
        """All that was started in the topology's machines: by member, then by program name."""
        ...

    def stop(self, topology: str, host: Host, programs: Sequence[tuple[str, str]]) -> None:
        """As `Machine.stop` for many, each named by member and program, all at the same time."""
        ...

    def explain(self, scope: Scope, host: Host, member: str) -> Iterable[Finding]:
        """Evidence on a declared machine as such: that it stands, that its links are up."""
        ...

    def doctor(self, host: Host) -> Iterable[Check]: ...
