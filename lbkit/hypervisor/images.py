"""Images, kernels and initial RAM disks brought into a host's pool: once each, by the digest of what is in them.

On this machine the file gets a name in the pool by a hard link, or a reflink or copy that has no name until it is whole
(O_TMPFILE). Elsewhere it is uploaded, and counts only when a second, empty volume beside it says that it is whole:
libvirt cannot rename a volume.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from pathlib import Path

from lbkit.base import sandbox
from lbkit.base.errors import Failure
from lbkit.base.files import FileFailure
from lbkit.base.host import Host
from lbkit.base.lock import locked
from lbkit.hypervisor import pool as pools
from lbkit.hypervisor import storage
from lbkit.hypervisor.connection import Connection
from lbkit.hypervisor.storage_xml import Volume, WantedVolume

_QCOW2 = (
    b"QFI\xfb"  # then version (4 bytes), backing file (8 + 4), cluster bits (4), virtual size (8), big-endian
)
_FICLONE = 0x40049409  # linux/fs.h
_PIECE = 4 << 20
_UPLOAD_TIMEOUT = 3600.0  # seconds that another one's upload of the same image is waited for
_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
WHOLE = ".whole"


class WrongDigest(Failure):
    """A file does not hold what it should: it is corrupt, or another one."""


def name_of(sha256: str, kind: str) -> str:
    """Of the volume with this content; `kind` is "qcow2", "raw", "kernel" or "initrd".

    No machine's volume can have it: names of topologies do not begin so.
    """
    return f"_image.{sha256[:32]}.{kind}"


def bring(connection: Connection, source: Path, sha256: str, kind: str, host: Host) -> Volume:
    """The volume with the content of `source`, brought into the pool where it is not there yet.

    The digest is looked at on the way: WrongDigest. PoolFull; nothing is left of what did not come whole.
    """
    pools.ensure(connection)
    name = name_of(sha256, kind)
    folder = Path(connection.host.path)
    if connection.host.local and os.access(folder, os.W_OK | os.X_OK):
        target = folder / name
        if not target.exists():
            _place(connection, source, sha256, target)
            pools.refreshed(pools.ensure(connection))
        return _as_volume(target)
    with locked(host.run_dir / f".{name}.lock", host.clock, timeout=_UPLOAD_TIMEOUT):
        known = storage.volumes(connection)
        if name not in known or name + WHOLE not in known:
            _upload(connection, source, sha256, name)
            known = storage.volumes(connection)
    return known[name]


def forget(connection: Connection, sha256: str, kind: str) -> None:
    """Remove it from the pool. Whoever asks knows that no volume has it as its backing file."""
    name = name_of(sha256, kind)
    storage.delete(connection, name + WHOLE)  # first: without it the other does not count
    storage.delete(connection, name)
    folder = Path(connection.host.path)
    if connection.host.local and os.access(folder, os.W_OK | os.X_OK):
        (folder / name).unlink(missing_ok=True)  # libvirt may not have seen it come


def _place(connection: Connection, source: Path, sha256: str, target: Path) -> None:
    """Give the source's content the name `target`, at once."""
    try:
        with open(source, "rb") as stream:
            _check(stream.fileno(), source, sha256)
            try:
                os.link(source, target)
            except FileExistsError:
                return  # somebody else has just brought it
            except OSError as error:
                if error.errno not in _NO_LINK:
                    raise
            else:
                return
            if sandbox.inside():
                # its pool lies in memory, and goes before anybody can remove the image
                _symlink(source, target)
                return
            _copy(stream.fileno(), target)
    except OSError as error:
        if error.errno in _FULL:
            raise storage.full(connection, target.name, source.stat().st_size) from error
        raise FileFailure(f"brought into the pool as {target}", source, error) from error


def _symlink(source: Path, target: Path) -> None:
    try:
        os.symlink(source.resolve(), target)
    except FileExistsError:
        return


def _copy(origin: int, target: Path) -> None:
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    copy = os.open(target.parent, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.ioctl(copy, _FICLONE, origin)
        except OSError:
            size, done = os.fstat(origin).st_size, 0
            while done < size:
                moved = os.sendfile(copy, origin, done, size - done)
                if moved == 0:
                    raise OSError(errno.EIO, "it became shorter") from None
                done += moved
        os.fchmod(copy, 0o644)
        os.fsync(copy)
        try:
            # without a descriptor Python takes link(2), which follows no link
            os.link(f"/proc/self/fd/{copy}", target.name, dst_dir_fd=folder, follow_symlinks=True)
        except FileExistsError:
            return
    finally:
        os.close(copy)
        os.close(folder)


def _upload(connection: Connection, source: Path, sha256: str, name: str) -> None:
    storage.delete(connection, name + WHOLE)
    try:
        with open(source, "rb") as stream:
            size = _regular(stream.fileno(), source)
            with storage.filling(connection, name, size):
                volume = storage.create(connection, WantedVolume(name, "raw", size, mode=0o644))
                pieces = iter(lambda: stream.read(_PIECE), b"")
                found = storage.send(connection, volume, size, pieces)
                if found != sha256:
                    raise _wrong(source, sha256, found)
    except OSError as error:
        raise FileFailure("uploaded", source, error) from error
    pools.refreshed(pools.ensure(connection))  # what it is, libvirt sees by its content
    storage.create(connection, WantedVolume(name + WHOLE, "raw", 0))


def _check(descriptor: int, source: Path, sha256: str) -> None:
    _regular(descriptor, source)
    with open(descriptor, "rb", closefd=False, buffering=0) as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        raise _wrong(source, sha256, found)
    os.lseek(descriptor, 0, os.SEEK_SET)


def _regular(descriptor: int, source: Path) -> int:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise Failure(f"{source} was to be an image", found="it is no regular file")
    return status.st_size


def _wrong(source: Path, sha256: str, found: str) -> WrongDigest:
    return WrongDigest(
        f"{source} was to have the SHA-256 digest {sha256}",
        found=found,
        remedy="it is corrupt, or another one: build or add the image again",
    )


def _as_volume(path: Path) -> Volume:
    """As libvirt would tell of it: it may not have looked at the folder since."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(32)
            status = os.fstat(stream.fileno())
    except OSError as error:
        raise FileFailure("read", path, error) from error
    taken = status.st_blocks * 512
    if head[:4] == _QCOW2:
        return Volume(path.name, str(path), "qcow2", int.from_bytes(head[24:32], "big"), taken)
    return Volume(path.name, str(path), "raw", status.st_size, taken)
