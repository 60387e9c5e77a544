"""The section `hosts` filled in."""

from __future__ import annotations

from lbkit.base import sandbox
from lbkit.engine.scope import Draft
from lbkit.hypervisor.resolved import LOCAL, Hypervisors, ResolvedHost
from lbkit.hypervisor.spec import Hypervisor
from lbkit.hypervisor.spec import Hypervisors as Section

POOL_PATH = "/var/lib/lbkit/pool"
SANDBOX_POOL_PATH = "/run/lbkit-pool"  # goes with the sandbox, as its libvirt does


def resolve(section: Section, draft: Draft) -> Hypervisors:
    declared = section.root or {LOCAL: Hypervisor()}
    hosts = {name: _resolved(name, host, implicit=not section.root) for name, host in declared.items()}
    places: dict[tuple[str, str], ResolvedHost] = {}
    for host in hosts.values():
        before = places.setdefault((host.uri, host.pool), host)
        if before.path != host.path:
            draft.problems.add(
                ("hosts", host.name, "path"),
                f"one folder for the pool {host.pool} of {host.uri}",
                found=f"{host.path}, and {before.path} at the host {before.name}",
                remedy="name the pool otherwise, or give both the same path",
            )
    return Hypervisors(hosts)


def default_host() -> ResolvedHost:
    """The host of a topology that declares none."""
    return _resolved(LOCAL, Hypervisor(), implicit=True)


def resolve_local() -> ResolvedHost:
    """The libvirt of this machine, where no document says anything of it."""
    return _resolved(LOCAL, Hypervisor(), implicit=True)


def _resolved(name: str, host: Hypervisor, *, implicit: bool) -> ResolvedHost:
    return ResolvedHost(name, host.uri, host.pool, host.path or _default_path(), implicit)


def _default_path() -> str:
    return SANDBOX_POOL_PATH if sandbox.inside() else POOL_PATH
