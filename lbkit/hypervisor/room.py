"""The room of hypervisors. It has no resource: what stands on a host is made by whoever needs it there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lbkit.base.host import Host
from lbkit.engine.change import Change
from lbkit.engine.resource import Actual, Desired
from lbkit.engine.room import Done, Room
from lbkit.engine.scope import Draft, Scope
from lbkit.engine.view import Check
from lbkit.hypervisor.resolve import resolve
from lbkit.hypervisor.resolved import Hypervisors
from lbkit.hypervisor.spec import Hypervisors as Section


class HypervisorRoom(Room[Section]):
    name = "hypervisor"
    section = "hosts"
    kinds = frozenset[str]()

    @property
    def model(self) -> type[Section]:
        return Section

    def resolve(self, section: Section, draft: Draft) -> Hypervisors:
        return resolve(section, draft)

    def desired(self, scope: Scope, host: Host) -> Iterable[Desired]:
        return ()

    def observe(self, scope: Scope, host: Host) -> Iterable[Actual]:
        return ()

    def apply(self, changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
        """Nothing is of its kinds."""

    def doctor(self, host: Host) -> Iterable[Check]:
        from lbkit.hypervisor.doctor import checks  # noqa: PLC0415 - brings libvirt

        return checks(host)


ROOM = HypervisorRoom()
