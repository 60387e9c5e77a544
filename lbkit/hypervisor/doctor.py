"""What virtual machines ask of this host, for doctor. Needed only by topologies that have some."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.base.host import Host
from lbkit.engine.view import Check
from lbkit.hypervisor.connection import OPEN_TIMEOUT, Connection, version
from lbkit.hypervisor.failures import LibvirtFailed, Unreachable, binding
from lbkit.hypervisor.resolve import POOL_PATH
from lbkit.hypervisor.resolved import LOCAL, ResolvedHost


def checks(host: Host) -> Iterator[Check]:
    local = ResolvedHost(LOCAL, "qemu:///system", "lbkit", POOL_PATH)
    try:
        module = binding()
    except Unreachable as error:
        yield Check("libvirt's Python binding", False, error.found, error.remedy, needed=False)
        return
    number = module.getVersion()
    yield Check(
        "libvirt's Python binding",
        True,
        f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}",
        needed=False,
    )
    connection = Connection(local, open_timeout=OPEN_TIMEOUT)
    try:
        yield Check("libvirtd", True, version(connection), needed=False)
    except LibvirtFailed as error:
        yield Check("libvirtd", False, error.found, error.remedy, needed=False)
    finally:
        connection.close()
