"""The domain that is a machine now, for whoever knows a libvirt and the machine's name, and no topology.

Found by lbkit's metadata, not by trust in a name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lbkit.base.errors import Failure
from lbkit.hypervisor.connection import Connection
from lbkit.hypervisor.failures import binding
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.machine.libvirt.metadata import find_metadata
from lbkit.machine.libvirt.names import parted
from lbkit.machine.libvirt.xml.element import Unreadable, parse

if TYPE_CHECKING:
    import libvirt


@contextmanager
def standing(uri: str, topology: str, member: str) -> Iterator[libvirt.virDomain]:
    """The machine's domain that runs; of several generations the newest. Failure where there is none."""
    connection = Connection(ResolvedHost(uri, uri, pool="", path=""))
    try:
        domain = connection.read(
            f"the domain of {topology}.{member} was to be found", lambda raw: _newest(raw, topology, member)
        )
        if domain is None:
            raise Failure(
                f"machine {member} of topology {topology} was to run",
                found=f"no running domain {topology}.{member}.N that bears its mark",
                where=uri,
                remedy="`lbkit apply` makes it, or makes it anew where it died",
            )
        yield domain
    finally:
        connection.close()


def _newest(connection: libvirt.virConnect, topology: str, member: str) -> libvirt.virDomain | None:
    generations: dict[int, libvirt.virDomain] = {}
    for domain in connection.listAllDomains(binding().VIR_CONNECT_LIST_DOMAINS_ACTIVE):
        found = parted(domain.name())
        if found is not None and found[:2] == (topology, member) and _is_ours(domain, *found):
            generations[found[2]] = domain
    return generations[max(generations)] if generations else None


def _is_ours(domain: libvirt.virDomain, topology: str, member: str, generation: int) -> bool:
    libvirt = binding()
    try:
        # not its metadata(), which comes without namespaces
        found = find_metadata(parse(domain.XMLDesc(0), "domain"))
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:  # gone since it was listed
            return False
        raise
    except Unreadable:
        return False
    return found is not None and (found.topology, found.member, found.generation) == (
        topology,
        member,
        generation,
    )
