"""Make one tree of others on the same disk, by the manifests of all: link what is the same, remove what is not wanted.

A tree that nobody reads any more is made into the next one: that takes as many steps as they differ, while a tree that is
linked anew takes as many as it has files. What lies nowhere on the disk is left to be fetched.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from lbkit.base.errors import Failure
from lbkit.mirror.tree.manifest import Change, Lines, changes, entry_of, path_of

__all__ = ["Built", "Lines", "Source", "build", "none"]

_AT_ONCE = 2048  # lines of a source that are held
_FEW = 50_000  # differences that are held in memory; of more the manifests are read twice

Differences = Callable[[], Iterable[Change]]


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
    root: Path,
    have: Lines,
    want: Lines,
    sources: Iterable[Source],
    missing: Callable[[bytes], None],
    known: Sequence[Change] | None = None,
) -> Built:
    """Make the tree at `root`, which is as `have` says, as `want` says, but for what is told to `missing`, line by line.

    `known` are the changes from one to the other, where they are. `root` must be nobody else's, and on the disk that the sources are on. Raises Failure. Killed in between, the tree is
    neither: remove it.
    """
    built = Built()
    try:
        differences = _differences(have, want) if known is None else lambda: known
        _remove(os.fsencode(root), differences, built)
        _make(os.fsencode(root), differences, list(sources), missing, built)
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


def _differences(have: Lines, want: Lines) -> Differences:
    found = list(islice(changes(have(), want()), _FEW))
    return (lambda: found) if len(found) < _FEW else (lambda: changes(have(), want()))


def _remove(root: bytes, differences: Differences, built: Built) -> None:
    folders: list[bytes] = []
    for before, after in differences():
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
    differences: Differences,
    sources: list[Source],
    missing: Callable[[bytes], None],
    built: Built,
) -> None:
    others = [(os.fsencode(source.root), _Reader(source.lines())) for source in sources]
    for _, line in differences():
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
        self._now: list[bytes] = []
        self._at = 0

    def has(self, path: bytes, line: bytes) -> bool:
        while self._at == len(self._now) or path_of(self._now[-1]) < path:
            self._now, self._at = list(islice(self._lines, _AT_ONCE)), 0
            if not self._now:
                return False
        self._at = bisect_left(self._now, path, self._at, key=path_of)
        return self._now[self._at] == line
