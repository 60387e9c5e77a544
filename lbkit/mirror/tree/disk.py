"""What a store asks of its disk, in Failures of its own."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from lbkit.base.errors import Failure
from lbkit.base.files import FileFailure
from lbkit.mirror.tree.manifest import lines_of


def lines(path: Path) -> Iterator[bytes]:
    """Of a manifest. Raises BadManifest while they are read, where it is none."""
    try:
        with path.open("rb") as stream:
            yield from lines_of(stream)
    except OSError as error:
        raise FileFailure("read", path, error) from error


def is_there(path: Path) -> bool:
    """Of a link: whether it leads to something."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise FileFailure("read", path, error) from error
    return True


def written(path: Path) -> float:
    """When it was written, in seconds since 1970. Of one that is of the future, as the clock was set back since: now, and from here on."""
    try:
        found = path.lstat().st_mtime
        if found > time.time():
            os.utime(path, follow_symlinks=False)
            found = path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0
    except OSError as error:
        raise FileFailure("read", path, error) from error
    return found


def remove(path: Path) -> None:
    """A file, a link or a whole folder; not there: nothing."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise FileFailure("removed", path, error) from error


def flush(path: Path) -> None:
    """All that was written to the file system of `path` is on its disk."""
    from lbkit.base.syscalls import syncfs  # noqa: PLC0415 - ctypes: for who writes

    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        syncfs(descriptor)
    except OSError as error:
        raise Failure(
            f"what was written below {path} was to reach its disk",
            found=error.strerror or str(error),
            remedy="look at the disk; the generation before serves on",
        ) from error
    finally:
        os.close(descriptor)
