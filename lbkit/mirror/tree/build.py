"""Make one tree of others on the same disk, by the manifests of all: link what is the same, remove what is not wanted.

A tree that nobody reads any more is made into the next one: that takes as many steps as they differ, while a tree that is
linked anew takes as many as it has files. What lies nowhere on the disk is left to be fetched.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lbkit.base.errors import Failure
from lbkit.mirror.tree.manifest import changes, entry_of, path_of

Lines = Callable[[], Iterable[bytes]]
"""The lines of a manifest, from the first, as often as they are asked for."""


@dataclass(frozen=True, slots=True)
class Source:
    """A tree that stands, and the lines of its manifest."""

    root: Path
    lines: Lines


def none() -> Iterable[bytes]:
    return ()


@dataclass(slots=True)
class Built:
    """`missing` are the lines of files that were found nowhere."""

    removed: int = 0
    linked: int = 0
    missing: int = 0


def build(
    root: Path, have: Lines, want: Lines, sources: Iterable[Source], missing: Callable[[bytes], None]
) -> Built:
    """Make the tree at `root`, which is as `have` says, as `want` says, but for what is told to `missing`, line by line.

    `root` must be nobody else's, and on the disk that the sources are on. Raises Failure. Killed in between, the tree is
    neither: remove it.
    """
    built = Built()
    try:
        _remove(os.fsencode(root), have, want, built)
        _make(os.fsencode(root), have, want, list(sources), missing, built)
    except OSError as error:
        raise Failure(
            f"the tree {root} was to be made",
            found=f"{error.strerror}: {os.fsdecode(error.filename or '')}",
            remedy=_REMEDIES.get(error.errno or 0, "its disk may have faults: `lbkit mirror verify`"),
        ) from error
    return built


_REMEDIES = {
    28: "free space or inodes on that file system; the generation before serves on",  # ENOSPC
    31: "the file system allows no more links to one file; the next sync goes on without them",  # EMLINK
    30: "that file system is read-only",  # EROFS
}


def _remove(root: bytes, have: Lines, want: Lines, built: Built) -> None:
    folders: list[bytes] = []
    for before, after in changes(have(), want()):
        if before is None:
            continue
        old = entry_of(before)
        if old.kind != "d":
            os.unlink(os.path.join(root, old.path))
            built.removed += 1
        elif after is None or entry_of(after).kind != "d":
            folders.append(old.path)
    for path in reversed(folders):  # what is in a folder comes after it
        os.rmdir(os.path.join(root, path))


def _make(
    root: bytes,
    have: Lines,
    want: Lines,
    sources: list[Source],
    missing: Callable[[bytes], None],
    built: Built,
) -> None:
    others = [(os.fsencode(source.root), _Reader(source.lines())) for source in sources]
    for _, line in changes(have(), want()):
        if line is None:
            continue
        entry = entry_of(line)
        path = os.path.join(root, entry.path)
        if entry.kind == "d":
            os.mkdir(path, 0o755)
        elif entry.kind == "l":
            os.symlink(entry.target, path)
        else:
            here = path_of(line)
            found = next((top for top, reader in others if reader.has(here, line)), None)
            if found is not None and _linked(os.path.join(found, entry.path), path):
                built.linked += 1
            else:
                built.missing += 1
                missing(line)


def _linked(source: bytes, path: bytes) -> bool:
    """False where it cannot be: it is fetched then."""
    try:
        os.link(source, path, follow_symlinks=False)
    except FileNotFoundError:  # somebody removed it by hand: `verify` will say so of the old one
        return False
    except OSError as error:
        if error.errno not in {1, 18, 31}:  # EPERM: another one's file; EXDEV: on another disk; EMLINK
            raise
        return False
    return True


class _Reader:
    """Sorted lines, asked for one after the other in their order."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines: Iterator[bytes] = iter(lines)
        self._now: bytes | None = next(self._lines, None)

    def has(self, path: bytes, line: bytes) -> bool:
        while self._now is not None and path_of(self._now) < path:
            self._now = next(self._lines, None)
        return self._now == line
