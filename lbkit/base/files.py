"""Whole files or none: write beside, flush, rename. A full disk or a kill never leaves half a file."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from lbkit.base.errors import Failure, Mistake


class FileFailure(Failure):
    """A file could not be read or written; `path` is which, the operating system's words are in `found`."""

    def __init__(self, doing: str, path: Path, error: OSError) -> None:
        self.path = path
        super().__init__(
            f"{path} was to be {doing}",
            found=error.strerror or str(error),
            remedy=_REMEDIES.get(error.errno or 0, ""),
        )


_REMEDIES = {
    28: "free space on that file system, then try again",  # ENOSPC
    122: "raise the quota or free space, then try again",  # EDQUOT
    13: "run as root, or in a sandbox: `lbkit sandbox -- ...`",  # EACCES
    1: "run as root, or in a sandbox: `lbkit sandbox -- ...`",  # EPERM
    30: "that file system is read-only; `lbkit doctor` names what lbkit writes",  # EROFS
}


def write_atomic(
    path: Path, content: bytes, *, mode: int = 0o644, owner: tuple[int, int] | None = None
) -> None:
    """Make `path` hold `content`, at once or not at all. `owner` is (uid, gid). Its folder must exist."""
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, mode)
            if owner is not None:
                os.fchown(descriptor, *owner)
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise FileFailure("written", path, error) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def remove(path: Path) -> None:
    """A file that may not be there."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise FileFailure("removed", path, error) from error


def flush_folder(path: Path) -> None:
    """What was made, renamed or removed in it is so on the disk: a power cut does not take it back."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise FileFailure("written", path, error) from error


def make_folder(path: Path, *, mode: int = 0o755) -> None:
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise FileFailure("made", path, error) from error


def read(path: Path) -> bytes | None:
    """The content, or None where there is no such file."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise FileFailure("read", path, error) from error


def read_given(path: Path, what: str, *, most: int) -> tuple[bytes, os.stat_result]:
    """The content of a file that a person named, and its stat. Mistake where that is no plain file, or larger than
    `most` bytes.

    Never waits: a FIFO or a device is refused before it is opened.
    """
    try:
        _refuse_irregular(os.stat(path).st_mode, path, what)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            _refuse_irregular(status.st_mode, path, what)  # it may be another one by now
            if status.st_size > most:
                raise _too_large(path, what, status.st_size, most)
            content = stream.read(most + 1)
    except OSError as error:
        raise Mistake(f"{what} {shown(path)} was to be read", found=error.strerror or str(error)) from error
    except ValueError as error:  # a NUL in the path, or what the file system cannot encode
        raise Mistake(f"{what} {shown(path)} was to be read", found="no path of a file") from error
    if len(content) > most:  # files of /proc say that they have no size
        raise _too_large(path, what, len(content), most)
    return content, status


def shown(path: Path) -> str:
    """The path as it may be printed: a file name can hold a line break, or what steers a terminal."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def _refuse_irregular(mode: int, path: Path, what: str) -> None:
    if not stat.S_ISREG(mode):
        found = next((name for test, name in _KINDS if test(mode)), "no regular file")
        raise Mistake(f"{what} {shown(path)} was to be a regular file", found=found)


def _too_large(path: Path, what: str, size: int, most: int) -> Mistake:
    return Mistake(
        f"{what} {shown(path)} was to have at most {most / (1 << 20):g} MiB",
        found=f"{size / (1 << 20):.1f} MiB or more",
    )


_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
