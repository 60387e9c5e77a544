"""Whether a topology has to do with virtual machines, on which hosts. Cheap: libvirt need not be there for who never used it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.hypervisor.resolved import Hypervisors, ResolvedHost
from lbkit.machine.libvirt.names import folders
from lbkit.machine.resolved import Machines


def hosts_of(scope: Scope, host: Host) -> Iterable[ResolvedHost]:
    """Where machines of the topology may stand: hosts that one is declared on, hosts that a person declared, and the
    local one where its pool has a file of the topology's, or a domain of it had a folder.
    """
    hypervisors = scope.resolved.get("hypervisor")
    if not isinstance(hypervisors, Hypervisors):
        return
    machines = scope.of("machine", Machines).by_name.values()
    used = {machine.host for machine in machines if machine.driver == "libvirt"}
    for at in hypervisors.by_name.values():
        if at.name in used or not at.implicit or _has_files(at, scope.name) or has_folders(host, scope.name):
            yield at


def concerns(scope: Scope, host: Host) -> bool:
    return next(iter(hosts_of(scope, host)), None) is not None


def has_folders(host: Host, topology: str) -> bool:
    """Whether there is a folder of a domain's: it is made before the domain is defined, and goes after it."""
    try:
        return any(folders(host, topology).iterdir())
    except OSError:
        return False


def _has_files(at: ResolvedHost, topology: str) -> bool:
    try:
        return any(Path(at.path).glob(f"{topology}.*"))
    except OSError:
        return False
