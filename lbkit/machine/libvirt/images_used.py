"""Which images machines of this host stand on, of whatever topology. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lbkit.hypervisor.connection import Connection
from lbkit.hypervisor.failures import binding
from lbkit.hypervisor.resolve import resolve_local
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.machine.libvirt.observe import see

if TYPE_CHECKING:
    import libvirt


def images_used(at: ResolvedHost | None = None) -> dict[str, list[str]]:
    """By an image's identity the domains that stand on it; of the libvirt of this machine, unless `at` is given.

    Raises Unreachable where it does not answer.
    """
    connection = Connection(at or resolve_local())
    used: dict[str, list[str]] = {}
    try:
        for name, image in connection.read("the host's virtual machines were to be listed", _images):
            used.setdefault(image, []).append(name)
    finally:
        connection.close()
    return used


def _images(raw: libvirt.virConnect) -> list[tuple[str, str]]:
    module = binding()
    found = []
    for domain in raw.listAllDomains():
        try:
            seen = see(domain.name(), domain.UUIDString(), (0, 0), domain.XMLDesc(0))
        except module.libvirtError as error:
            if error.get_error_code() != module.VIR_ERR_NO_DOMAIN:
                raise
            continue
        image = seen.wanted.get("image")
        if isinstance(image, str):
            found.append((seen.name, image))
    return found
