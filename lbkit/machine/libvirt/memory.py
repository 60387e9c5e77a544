"""Memory of a guest that runs. It gives back what it was asked for when its balloon driver gets to it, and takes it the same way.

Measured with Debian's kernel under TCG: 128 MiB down in 3 s, up again in 1 s. A guest that boots has all up to its
maximum until its driver is loaded.
"""

from __future__ import annotations

from lbkit.base.clock import Clock
from lbkit.base.errors import Failure
from lbkit.hypervisor.connection import Connection
from lbkit.machine.libvirt.xml.domain import parse_domain

WITHIN = 60.0  # seconds without any that is given or taken
_EVERY = 0.1


def settle(connection: Connection, name: str, uuid: str, mib: int, clock: Clock) -> None:
    """Returns once the guest has `mib` MiB. Failure where it gets no nearer for `WITHIN` seconds."""

    def now() -> int:
        return connection.read(
            f"the memory of {name} was to be read",
            lambda raw: parse_domain(raw.lookupByUUIDString(uuid).XMLDesc(0)).memory,
        )

    last, deadline = now(), clock.monotonic() + WITHIN
    while last != mib:
        clock.sleep(_EVERY)
        found = now()
        if abs(found - mib) < abs(last - mib):
            last, deadline = found, clock.monotonic() + WITHIN
        elif clock.monotonic() >= deadline:
            raise Failure(
                f"the guest of {name} was to have {mib} MiB",
                found=f"it has {found} MiB, and for {WITHIN:g} s gave back and took none",
                where=connection.where,
                remedy="declare as much as it needs; its kernel must have virtio_balloon",
            )
