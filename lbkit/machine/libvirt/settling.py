"""What a guest does in its own time: it gives memory back, or takes it, and lets go of what is unplugged.

Measured with Debian's kernel under TCG: 128 MiB down in 3 s, up again in 1 s, an interface gone in 0.4 s. A guest that boots
has all memory up to its maximum until its balloon driver is loaded. libvirt waits 5 s for an interface to go, and then says
that all is well (qemuDomainDetachDeviceLive).
"""

from __future__ import annotations

from collections.abc import Callable

from lbkit.base.clock import Clock
from lbkit.base.errors import Failure
from lbkit.hypervisor.connection import Connection
from lbkit.machine.libvirt.xml.domain import DomainSpec, parse_domain

WITHIN = 60.0  # seconds without any that is given or taken
_EVERY = 0.1


def has_memory(connection: Connection, name: str, uuid: str, mib: int, clock: Clock) -> None:
    """Returns once the guest has `mib` MiB. Failure where it gets no nearer for `WITHIN` seconds."""

    def lacks(domain: DomainSpec) -> int:
        return abs(domain.memory - mib)

    found = _settled(connection, name, uuid, lacks, clock)
    if found.memory != mib:
        raise Failure(
            f"the guest of {name} was to have {mib} MiB",
            found=f"it has {found.memory} MiB, and for {WITHIN:g} s gave back and took none",
            where=connection.where,
            remedy="declare as much as it needs; its kernel must have virtio_balloon",
        )


def let_go(connection: Connection, name: str, uuid: str, mac: str, clock: Clock) -> None:
    """Returns once the domain has no interface of that address. Failure where its guest keeps it for `WITHIN` seconds."""

    def keeps(domain: DomainSpec) -> int:
        return sum(each.mac == mac for each in domain.interfaces)

    if keeps(_settled(connection, name, uuid, keeps, clock)):
        raise Failure(
            f"the guest of {name} was to let go of its interface {mac}",
            found=f"it has it still, {WITHIN:g} s after it was told",
            where=connection.where,
            remedy="a guest lets go once it has booted, and has ACPI: apply again",
        )


def _settled(
    connection: Connection, name: str, uuid: str, distance: Callable[[DomainSpec], int], clock: Clock
) -> DomainSpec:
    """The domain once it is there (`distance` 0), or when it has got no nearer for `WITHIN` seconds."""

    def look() -> DomainSpec:
        return connection.read(
            f"the domain {name} was to be read",
            lambda raw: parse_domain(raw.lookupByUUIDString(uuid).XMLDesc(0)),
        )

    found = look()
    left, deadline = distance(found), clock.monotonic() + WITHIN
    while left and clock.monotonic() < deadline:
        clock.sleep(_EVERY)
        found = look()
        if distance(found) < left:
            left, deadline = distance(found), clock.monotonic() + WITHIN
    return found
