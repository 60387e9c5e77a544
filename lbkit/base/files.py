"""Whole files or none: write beside, flush, rename. A full disk or a kill never leaves half a file."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from lbkit.base.errors import Failure


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
    28: "free space on that file system, then apply again",  # ENOSPC
    122: "raise the quota or free space, then apply again",  # EDQUOT
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
