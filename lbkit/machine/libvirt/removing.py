"""Take generations of a machine away, and what they leave in the pool. Idempotent: what is gone is gone."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterable, Iterator

from lbkit.base.host import Host
from lbkit.base.lock import locked
from lbkit.engine.scope import Scope
from lbkit.hypervisor import pool, storage
from lbkit.hypervisor.connection import Connection, connect
from lbkit.hypervisor.failures import binding
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.machine.libvirt.concern import has_folders
from lbkit.machine.libvirt.fleet import Generation, has_gone
from lbkit.machine.libvirt.names import channel_folder, disk_name, folders

KEPT = ".kept"
"""At the end of an empty volume's name: the volume named before it is to stay, though no domain has it."""

_VOLUME = re.compile(r"([a-z0-9-]+\.[a-z0-9-]+)\.([1-9][0-9]{0,8})\.", re.ASCII)
_OF_DOMAIN = re.compile(r"(.+)\.(?:disk\.qcow2|seed\.iso)")  # names.py
_POOL_TIMEOUT = 600.0  # seconds for others who make or remove volumes in the same pool


def remove(
    scope: Scope, host: Host, generation: Generation, *, keep_disk: bool = False, retiring: bool = False
) -> str:
    """End the domain, if it runs; delete its volumes; forget it. What was done, in words.

    The domain goes last: as long as anything of it is left, its mark says whose that is. `retiring`: nothing takes its
    place, so what it leaves in the pool unused goes before it too.
    """
    libvirt = binding()
    connection, domain = connect(generation.host), generation.domain
    with connection.doing(f"the domain {domain.name} was to be removed") as raw, _gone_is_gone():
        found = raw.lookupByUUIDString(domain.uuid)
        try:
            found.destroy()
        except libvirt.libvirtError:
            if found.isActive():  # else it has ended by itself
                raise
    kept = ""
    for volume in domain.volumes:
        if keep_disk and volume == disk_name(domain.name):
            storage.put(connection, volume + KEPT, b"")
            kept = f", its disk {volume} kept"
        else:
            storage.delete(connection, volume)
    if retiring:
        retire(host, generation.host)
    with connection.doing(f"the domain {domain.name} was to be forgotten") as raw, _gone_is_gone():
        raw.lookupByUUIDString(domain.uuid).undefineFlags(
            libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        )
    has_gone(scope, host, generation)
    forget_folder(host, generation.host, domain.name)
    return f"{domain.name} removed{kept}"


def forget_folder(host: Host, at: ResolvedHost, domain: str) -> None:
    """That of the domain's sockets and its console. As long as it is there, a domain is looked for (concern.py)."""
    shutil.rmtree(channel_folder(host, at.uri, domain), ignore_errors=True)


def tidy(scope: Scope, host: Host, hosts: Iterable[ResolvedHost]) -> None:
    """Of domains that somebody undefined, or one that was killed then: delete what they left, volumes, then the folder.

    The folder says that a domain was made from here, as it is made first and goes last. A volume of our naming that has
    neither a domain nor a folder may be another host's, that shares the pool: it stays. So does what is to be kept.
    """
    if not has_folders(host, scope.name):
        return
    domains = {at: set(_domains(connect(at), scope.name)) for at in hosts}
    known = {channel_folder(host, at.uri, domain) for at, several in domains.items() for domain in several}
    left = set(folders(host, scope.name).iterdir()) - known
    for at in domains if left else ():
        connection = connect(at)
        storage.refresh(connection)
        names = storage.volumes(connection)
        for name in names:
            match = _OF_DOMAIN.fullmatch(name)
            if match is None or name + KEPT in names or channel_folder(host, at.uri, match[1]) not in left:
                continue
            storage.delete(connection, name)
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)


def _domains(connection: Connection, topology: str) -> list[str]:
    """Names of all that are called as those of the topology, whosever they are."""
    return connection.read(
        "domains were to be listed",
        lambda raw: [
            name for each in raw.listAllDomains() if (name := each.name()).startswith(f"{topology}.")
        ],
    )


def highest(connection: Connection, scope: Scope, member: str) -> int:
    """The highest generation of the machine that any volume or domain names, whosever that is."""
    storage.refresh(connection)
    domains = _domains(connection, scope.name)
    matches = (_VOLUME.match(f"{name}.") for name in (*storage.volumes(connection), *domains))
    return max(
        (int(match[2]) for match in matches if match and match[1] == f"{scope.name}.{member}"), default=0
    )


def retire(host: Host, at: ResolvedHost) -> None:
    """Where no machine is left in the pool, its copies of images go, and the pool with them."""
    connection = connect(at)
    with pool_lock(host, at):
        storage.refresh(connection)
        names = list(storage.volumes(connection))
        if names and not all(name.startswith("_image.") for name in names):
            return
        for name in names:
            storage.delete(connection, name)
        pool.retire(connection)


@contextlib.contextmanager
def pool_lock(host: Host, at: ResolvedHost) -> Iterator[None]:
    """Between the bringing of an image and the making of a volume on it, nobody may find it unused."""
    with locked(host.run_dir / f".pool-{at.pool}.lock", host.clock, timeout=_POOL_TIMEOUT):
        yield


@contextlib.contextmanager
def _gone_is_gone() -> Iterator[None]:
    libvirt = binding()
    try:
        yield
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
            raise
