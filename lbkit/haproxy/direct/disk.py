"""Files that HAProxy reads at its next start, on the host where this runs: named as HAProxy names them."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from lbkit.base.errors import Mistake
from lbkit.base.files import FileFailure, flush_folder, read, remove, shown, write_atomic


@dataclass(frozen=True, slots=True)
class OnDisk:
    """`path` without symbolic links: it is the file that is replaced, and not a link to it."""

    path: Path
    content: bytes = field(repr=False)
    mode: int
    owner: tuple[int, int]


def place(name: str, folder: Path | None) -> Path:
    """Where the file is that HAProxy calls `name`. Mistake where that begins in a folder that nobody named."""
    path = Path(name)
    if not path.is_absolute():
        if folder is None:
            raise Mistake(
                f"the folder was wanted in which {name} is on the disk",
                found="HAProxy has loaded it by a relative name",
                remedy="say `folder`: where HAProxy was started, or what its `default-path` or `crt-base` says",
            )
        path = folder / path
    return Path(os.path.realpath(path))


def found(path: Path) -> OnDisk | None:
    """What is there, or None."""
    content = read(path)
    if content is None:
        return None
    try:
        status = path.stat()
    except OSError as error:
        raise FileFailure("read", path, error) from error
    return OnDisk(path, content, stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid))


def expected(name: str, folder: Path | None) -> OnDisk:
    """The file from which HAProxy has loaded `name`. Mistake where there is none, for then it is another one."""
    path = place(name, folder)
    there = found(path)
    if there is None:
        raise Mistake(
            f"{shown(path)} was to be there, from which HAProxy has loaded it",
            found="no such file on this host",
            remedy="say `folder`, run this on HAProxy's host, or do without `persist`",
        )
    return there


def put(path: Path, content: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    write_atomic(path, content, mode=mode, owner=owner)
    flush_folder(path.parent)


def discard(path: Path) -> None:
    remove(path)
    flush_folder(path.parent)
