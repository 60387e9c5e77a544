"""The domain that is a machine now, for whoever knows a libvirt and the machine's name, and no topology."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lbkit.base.errors import Failure
from lbkit.hypervisor.connection import Connection
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.machine.libvirt.observe import seen_domains
from lbkit.machine.libvirt.states import RUNNING

if TYPE_CHECKING:
    import libvirt


@contextmanager
def standing(uri: str, topology: str, member: str) -> Iterator[libvirt.virDomain]:
    """The machine's domain that runs; of several generations the newest. Failure where there is none."""
    connection = Connection(ResolvedHost("of the machine", uri, pool="", path=""))
    try:
        seen = [
            each
            for each in seen_domains(connection, topology)
            if (each.topology, each.member) == (topology, member)
        ]
        running = [each for each in seen if each.state == RUNNING]
        if not running:
            states = ", ".join(f"{each.name} is {each.state}" for each in seen)
            raise Failure(
                f"machine {member} of topology {topology} was to run",
                found=states or f"no domain {topology}.{member}.N that bears its mark",
                where=uri,
                remedy="`lbkit apply` makes it, or makes it anew where it died",
            )
        newest = max(running, key=lambda each: each.generation)
        with connection.doing(f"domain {newest.name} was to be found") as raw:
            domain = raw.lookupByUUIDString(newest.uuid)
        yield domain
    finally:
        connection.close()
