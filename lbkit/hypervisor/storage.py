"""Volumes of a host's pool: overlays, seeds, images. What is half written is never used, and does not stay."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lbkit.base.errors import Failure, Mistake
from lbkit.hypervisor import pool as pools
from lbkit.hypervisor import storage_xml as xml
from lbkit.hypervisor.connection import Connection
from lbkit.hypervisor.failures import LibvirtFailed, binding
from lbkit.hypervisor.storage_xml import Volume, WantedVolume

if TYPE_CHECKING:
    import libvirt

CHUNK = (
    256 << 10
)  # bytes of one piece of an upload: libvirt's own is a little less than that (VIR_NET_MESSAGE_LEGACY)
NO_SPACE = "No space left on device"


class HalfWritten(Failure):
    """A volume does not hold what was written into it."""


class VolumeTaken(Failure):
    """A volume was to be new, and there is one of its name, which is left as it is."""

    def __init__(self, connection: Connection, name: str) -> None:
        self.name = name
        super().__init__(
            f"the volume {name} was to be new in the pool {connection.host.pool}",
            found="there is one already, which may be another host's that shares the pool",
            where=connection.where,
            remedy="apply again: that takes another name",
        )


class PoolFull(Failure):
    """Nothing is left of what did not fit."""


def volumes(connection: Connection) -> Mapping[str, Volume]:
    """All that libvirt knows of the pool, by name; nothing where there is no pool, or one that is stopped.

    Reads only. Raises ForeignPool. One question for the list and one for each volume: libvirt has none for all.
    """
    module = binding()
    pool = pools.find(connection)
    if pool is None:
        return {}

    def read(_raw: libvirt.virConnect) -> dict[str, Volume]:
        if not pool.isActive():
            return {}
        found: dict[str, Volume] = {}
        for volume in pool.listAllVolumes():
            with contextlib.suppress(module.libvirtError):  # gone since, or its file is
                found[volume.name()] = xml.read_volume(volume.XMLDesc())
        return found

    return connection.read(f"the pool {connection.host.pool} was to be read", read)


def refresh(connection: Connection) -> None:
    """Have libvirt look at the pool's folder: another host may share it."""
    pool = pools.find(connection)
    if pool is not None and pool.isActive():
        pools.refreshed(pool)


def overlay(
    connection: Connection, name: str, image: Volume, *, size: int | None = None, new: bool = False
) -> Volume:
    """A new qcow2 that shows `image` and keeps what is written; of `size` bytes, by default as large as the image.

    Made anew where there was one of that name; VolumeTaken where it is to be `new`.
    """
    if size is not None and size < image.capacity:
        raise Mistake(
            f"the disk {name} was to hold its image",
            found=f"{size >> 20} MiB, and the image has {image.capacity >> 20}",
            remedy="declare a larger `disk`, or none",
        )
    want = WantedVolume(name, "qcow2", size or image.capacity, image.path, image.format)
    with filling(connection, name, 1 << 20):
        return xml.read_volume(create(connection, want, new=new).XMLDesc())


def put(connection: Connection, name: str, content: bytes, *, new: bool = False) -> Volume:
    """A new raw volume that holds `content` and that its owner alone may read. Of one of that name as `overlay`."""
    with filling(connection, name, len(content)):
        volume = create(connection, WantedVolume(name, "raw", len(content)), new=new)
        send(connection, volume, len(content), iter((content,)))
        return xml.read_volume(volume.XMLDesc())


def delete(connection: Connection, name: str) -> None:
    """Not there: nothing."""
    libvirt = binding()
    pool = pools.find(connection)
    if pool is None:
        return
    with connection.doing(f"the volume {name} was to be deleted"):
        pools.start(pool)
        try:
            pool.storageVolLookupByName(name).delete()
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_STORAGE_VOL:
                return
            pools.refreshed(pool)  # its file may be gone, behind libvirt's back
            if name in pool.listVolumes():
                raise


def create(connection: Connection, want: WantedVolume, *, new: bool = False) -> libvirt.virStorageVol:
    """An empty volume, or an overlay. One of that name is deleted before; VolumeTaken where it is to be `new`."""
    libvirt = binding()
    pool = pools.ensure(connection)
    with connection.doing(f"the volume {want.name} was to be made in the pool {connection.host.pool}"):
        text = xml.volume_xml(want)
        try:
            return pool.createXML(text)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_STORAGE_VOL_EXIST and "exists" not in str(error):
                raise
        pools.refreshed(pool)  # so that it knows a file that a killed one left, or another host
        if new:
            raise VolumeTaken(connection, want.name)
        delete(connection, want.name)
        return pool.createXML(text)


def send(connection: Connection, volume: libvirt.virStorageVol, size: int, pieces: Iterator[bytes]) -> str:
    """Write `size` bytes into a volume, and read them again. The SHA-256 digest of what was written.

    What raises leaves it half written: delete it then. It is read again because libvirt may tell of success where a write
    failed: once in 200 uploads to a full pool (libvirt 9.0).
    """
    libvirt = binding()
    written = hashlib.sha256()
    with connection.doing(f"{size} bytes were to be written into the volume {volume.name()}") as raw:
        stream = raw.newStream()
        try:
            volume.upload(stream, 0, size)
            for piece in pieces:
                written.update(piece)
                view = memoryview(piece)
                while view:
                    sent = stream.send(bytes(view[:CHUNK]))
                    view = view[sent:]
            stream.finish()
        except BaseException:
            with contextlib.suppress(libvirt.libvirtError):  # it may have ended itself
                stream.abort()
            raise
        if written.digest() != _digest(raw, volume, size):
            raise HalfWritten(
                f"{size} bytes were to be written into the volume {volume.name()}",
                found="it reads otherwise",
                where=connection.where,
                remedy="look whether that file system is full, or its disk fails",
            )
    return written.hexdigest()


def _digest(raw: libvirt.virConnect, volume: libvirt.virStorageVol, size: int) -> bytes:
    libvirt = binding()
    found = hashlib.sha256()
    stream = raw.newStream()
    try:
        volume.download(stream, 0, size)
        while piece := stream.recv(CHUNK):
            found.update(piece)
        stream.finish()
    except BaseException:
        with contextlib.suppress(libvirt.libvirtError):
            stream.abort()
        raise
    return found.digest()


@contextmanager
def filling(connection: Connection, name: str, needed: int) -> Iterator[None]:
    """Around what makes the volume `name` of `needed` bytes: where it fails the volume is deleted, and a full pool told."""
    try:
        yield
    except VolumeTaken:
        raise
    except (Failure, OSError) as error:
        with contextlib.suppress(LibvirtFailed):  # the first one tells more
            delete(connection, name)
        if isinstance(error, LibvirtFailed) and NO_SPACE in error.found:
            raise full(connection, name, needed) from error
        if isinstance(error, HalfWritten) and free(connection) < needed:
            raise full(connection, name, needed) from error
        raise


def full(connection: Connection, name: str, needed: int) -> PoolFull:
    """For a volume that would take `needed` bytes, when it has been deleted again."""
    left = free(connection)
    return PoolFull(
        f"{name} was to be written to the pool {connection.host.pool} ({connection.host.path})",
        found=f"it needs {_mib(needed)}, and {_mib(left)} are free",
        where=connection.where,
        remedy=f"free {_mib(max(needed - left, 1 << 20))} there, or give the host another `path`; then apply again",
    )


def free(connection: Connection) -> int:
    """Bytes of the pool's file system that nobody has."""
    pool = pools.ensure(connection)
    pools.refreshed(pool)
    with connection.doing("the pool's free space was to be read"):
        return int(pool.info()[3])


def _mib(size: int) -> str:
    return f"{-(-size >> 20)} MiB"
