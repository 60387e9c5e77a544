"""The room of hypervisors. It has no resource: what stands on a host is made by whoever needs it there."""

from __future__ import annotations

from collections.abc import Iterable

from lbkit.base.host import Host
from lbkit.engine.room import RoomWithoutResources
from lbkit.engine.scope import Draft
from lbkit.engine.view import Check
from lbkit.hypervisor.resolve import resolve
from lbkit.hypervisor.resolved import Hypervisors
from lbkit.hypervisor.spec import Hypervisors as Section


class HypervisorRoom(RoomWithoutResources[Section]):
    name = "hypervisor"
    section = "hosts"

    @property
    def model(self) -> type[Section]:
        return Section

    def resolve(self, section: Section, draft: Draft) -> Hypervisors:
        return resolve(section, draft)

    def doctor(self, host: Host) -> Iterable[Check]:
        from lbkit.hypervisor.doctor import checks  # noqa: PLC0415 - brings libvirt

        return checks(host)


ROOM = HypervisorRoom()
