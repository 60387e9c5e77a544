"""A host's storage pool: defined and started where it is missing, left alone where it is somebody else's."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from lbkit.base.errors import Failure
from lbkit.hypervisor import storage_xml as xml
from lbkit.hypervisor.connection import Connection
from lbkit.hypervisor.failures import LibvirtFailed, binding

if TYPE_CHECKING:
    import libvirt


class ForeignPool(Failure):
    """A pool of the wanted name is there, and it is another one."""


def find(connection: Connection) -> libvirt.virStoragePool | None:
    """The host's pool, started or not; None where there is none. Raises ForeignPool. Changes nothing."""
    module = binding()
    host = connection.host

    def look(raw: libvirt.virConnect) -> tuple[libvirt.virStoragePool, str] | None:
        try:
            pool = raw.storagePoolLookupByName(host.pool)
            return pool, xml.pool_path(pool.XMLDesc())
        except module.libvirtError as error:
            if error.get_error_code() == module.VIR_ERR_NO_STORAGE_POOL:
                return None
            raise

    found = connection.read(f"the pool {host.pool} was to be looked up", look)
    if found is None:
        return None
    pool, path = found
    if path.rstrip("/") != host.path:
        raise ForeignPool(
            f"the pool {host.pool} was to be the folder {host.path}",
            found=f"it is {path or 'no folder'}",
            where=connection.where,
            remedy=f"give this host another `pool` in the section `hosts`, or `path: {path}` to share that one",
        )
    return pool


def ensure(connection: Connection) -> libvirt.virStoragePool:
    """The host's pool, running. Made where there is none, with a folder that is made as well."""
    libvirt = binding()
    host = connection.host
    pool = find(connection)
    if pool is None:
        with connection.doing(f"the pool {host.pool} was to be made in {host.path}") as raw:
            try:
                pool = raw.storagePoolDefineXML(xml.pool_xml(host.pool, host.path))
            except libvirt.libvirtError:  # somebody else has just made it: then it is there
                pool = raw.storagePoolLookupByName(host.pool)
            pool.setAutostart(1)
    with connection.doing(f"the pool {host.pool} was to be started"):
        start(pool)
    return pool


def start(pool: libvirt.virStoragePool) -> None:
    """With its folder, which may be gone. Raises libvirtError."""
    libvirt = binding()
    if not pool.isActive():
        try:
            pool.create(libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD)
        except libvirt.libvirtError:
            if not pool.isActive():
                raise


def refreshed(pool: libvirt.virStoragePool) -> bool:
    """Have libvirt look at the pool's folder again. It refuses that while somebody writes a volume: then not."""
    libvirt = binding()
    with contextlib.suppress(libvirt.libvirtError):
        pool.refresh()
        return True
    return False


def retire(connection: Connection) -> bool:
    """Remove the pool and its folder where lbkit made it and nothing is left in it. Whether that was so."""
    libvirt = binding()
    host = connection.host
    pool = find(connection)
    if pool is None:
        return False
    try:
        with connection.doing(f"the pool {host.pool} was to be removed"):
            if pool.UUIDString() != xml.pool_uuid(host.pool, host.path):
                return False
            start(pool)
            if not refreshed(pool) or pool.listVolumes():
                return False
            pool.destroy()
            # rmdir(2): a folder with anything in it stays
            with contextlib.suppress(libvirt.libvirtError):
                pool.delete()
            pool.undefine()
    except LibvirtFailed as error:
        if error.code == libvirt.VIR_ERR_NO_STORAGE_POOL:  # somebody else was quicker
            return False
        raise
    return True
