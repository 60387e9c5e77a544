"""Files below a machine's folder, written and read without following a link that a service laid there.

A service may write in its own folder, and lbkit often runs as root: each step of a path is opened from the
one before, and a symbolic link in it is an error (openat(2), O_NOFOLLOW).
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from lbkit.base.files import FileFailure, make_folder

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LINE = 400  # bytes of one line of a log that are shown
_NO_FILE = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO}
)  # ELOOP: a link, ENXIO: a socket

Owner = tuple[int, int]


def write(
    root: Path, parts: Sequence[str], content: bytes, *, mode: int = 0o644, owner: Owner | None = None
) -> None:
    """Make ROOT/PARTS hold `content`, at once or not at all. Missing folders are made, and are `owner`'s too."""
    path = root.joinpath(*parts)
    make_folder(root)
    try:
        with _opened(root, parts[:-1], make=True, owner=owner) as folder:
            _write_in(folder, parts[-1], content, mode, owner)
    except OSError as error:
        raise FileFailure("written", path, error) from error


def read(root: Path, parts: Sequence[str]) -> tuple[bytes, os.stat_result] | None:
    """The content and what stat(2) says, or None where no regular file is there."""
    try:
        with (
            _opened(root, parts[:-1]) as folder,
            _opened_file(folder, parts[-1]) as (descriptor, status),
            os.fdopen(descriptor, "rb", closefd=False) as stream,
        ):
            return stream.read(), status
    except OSError as error:
        if error.errno in _NO_FILE:
            return None
        raise FileFailure("read", root.joinpath(*parts), error) from error


def last_lines(root: Path, parts: Sequence[str], lines: int) -> tuple[str, ...]:
    """The last lines of a text file, printable; none where it is not there or not to be read."""
    try:
        with _opened(root, parts[:-1]) as folder, _opened_file(folder, parts[-1]) as (descriptor, status):
            text = os.pread(descriptor, _LINE * lines, max(0, status.st_size - _LINE * lines))
    except OSError:
        return ()
    found = [line.strip() for line in text.decode(errors="replace").splitlines() if line.strip()]
    return tuple("".join(c if c.isprintable() else " " for c in line)[:_LINE] for line in found[-lines:])


def discard(root: Path, parts: Sequence[str]) -> None:
    """Remove one file, and then the folders between it and PARTS[0] that are empty. Not there: nothing.

    What a killed one began to write in its place goes too.
    """
    try:
        with _opened(root, parts[:-1]) as folder:
            for name in (_begun(parts[-1]), parts[-1]):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)
        for depth in range(len(parts) - 1, 1, -1):
            with _opened(root, parts[: depth - 1]) as folder:
                if not _remove_empty(folder, parts[depth - 1]):
                    return
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise FileFailure("removed", root.joinpath(*parts), error) from error


def _remove_empty(folder: int, name: str) -> bool:
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            return False
        raise
    return True


def remove_tree(path: Path) -> None:
    """Remove a folder and all in it; shutil's own walk follows no link. Not there: nothing."""
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise FileFailure("removed", path, error) from error


def make(root: Path, name: str, owner: Owner | None) -> None:
    """The folder ROOT/NAME, `owner`'s where one is given, whoever had it before."""
    make_folder(root)
    try:
        with _opened(root, [name], make=True, owner=owner) as folder:
            if owner is not None and owner != (os.fstat(folder).st_uid, os.fstat(folder).st_gid):
                os.fchown(folder, *owner)
    except OSError as error:
        raise FileFailure("made", root / name, error) from error


@contextlib.contextmanager
def _opened(
    root: Path, parts: Sequence[str], *, make: bool = False, owner: Owner | None = None
) -> Iterator[int]:
    descriptor = os.open(root, _FOLDER)
    try:
        for part in parts:
            descriptor = _step(descriptor, part, make=make, owner=owner)
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _opened_file(folder: int, name: str) -> Iterator[tuple[int, os.stat_result]]:
    """A regular file, for reading; anything else is as if it were not there, and is not waited for."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        yield descriptor, status
    finally:
        os.close(descriptor)


def _step(above: int, name: str, *, make: bool, owner: Owner | None) -> int:
    """Open NAME in the folder `above`, and close `above` unless that fails."""
    try:
        below = os.open(name, _FOLDER, dir_fd=above)
    except FileNotFoundError:
        if not make:
            raise
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=above)
        if owner is not None:
            os.chown(name, *owner, dir_fd=above, follow_symlinks=False)
        below = os.open(name, _FOLDER, dir_fd=above)
    os.close(above)
    return below


def _begun(name: str) -> str:
    """Where a file is written before it gets its name. Always the same: the next write clears away a killed one's."""
    return f".{name[:200]}.lbkit-new"


def _write_in(folder: int, name: str, content: bytes, mode: int, owner: Owner | None) -> None:
    """Written without a name where the file system can: what a kill cuts off is then gone by itself."""
    temporary = _begun(name)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=folder)
    descriptor = _nameless(folder)
    named = descriptor is None
    if descriptor is None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            if owner is not None:
                os.fchown(descriptor, *owner)
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
            if not named:
                named = True
                os.link(f"/proc/self/fd/{descriptor}", temporary, dst_dir_fd=folder, follow_symlinks=True)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        if named:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
        raise


def _nameless(folder: int) -> int | None:
    """A new file of the folder's file system, open for writing; None where that has no such files."""
    try:
        return os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=folder)
    except OSError as error:
        if error.errno in {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}:
            return None
        raise
