"""Hold a tree against its manifest: every byte of it, or only what takes no reading."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lbkit.mirror.tree.manifest import Entry, entry_of, escaped, path_of
from lbkit.mirror.tree.scan import KINDS, Seen, entry, hashed, walk

Fault = Literal["missing", "damaged", "otherwise", "foreign"]


@dataclass(frozen=True, slots=True)
class Damage:
    """`damaged`: other content than it should have. `otherwise`: another kind, mode or time, or another link. `foreign`: it
    is in no manifest. `line` is the manifest's, None of what is foreign.
    """

    path: bytes
    fault: Fault
    line: bytes | None


Known = Callable[[Seen, bytes], bool]
"""Whether this file is known to be as this line says, so that it need not be read. Asked in a manifest's order."""


def nothing_known(_seen: Seen, _line: bytes) -> bool:
    return False


def as_in(root: Path, lines: Iterable[bytes], bad: Container[bytes]) -> Known:
    """Known is what is one with a file of this tree, by the same line; the tree was just read, and all but the `bad` lines is right."""
    ours = iter(lines)
    have = next(ours, None)

    def known(seen: Seen, line: bytes) -> bool:
        nonlocal have
        here = path_of(line)
        while have is not None and path_of(have) < here:
            have = next(ours, None)
        if have != line or line in bad:
            return False
        try:
            status = os.lstat(os.path.join(os.fsencode(root), seen.path))
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == (seen.status.st_dev, seen.status.st_ino)

    return known


def damages(
    root: Path,
    lines: Iterable[bytes],
    *,
    without: frozenset[bytes] = frozenset(),
    known: Known = nothing_known,
) -> Iterator[Damage]:
    """Everything in the tree that is not as its manifest says. All of it is read but what is `known`. `without`: paths that are in no manifest."""
    top = os.fsencode(root)
    wanted = iter(lines)
    line = next(wanted, None)
    for seen in walk(top, without=without.__contains__):
        key = escaped(seen.path)
        while line is not None and line.partition(b"\t")[0] < key:
            yield Damage(entry_of(line).path, "missing", line)
            line = next(wanted, None)
        if line is None or line.partition(b"\t")[0] != key:
            yield Damage(seen.path, "foreign", None)
            continue
        if seen.kind == "f" and known(seen, line):
            line = next(wanted, None)
            continue
        fault = _fault(top, seen, entry_of(line))
        if fault is not None:
            yield Damage(seen.path, fault, line)
        line = next(wanted, None)
    while line is not None:
        yield Damage(entry_of(line).path, "missing", line)
        line = next(wanted, None)


def stands(root: Path, line: bytes) -> bool:
    """Whether that file, link or folder of the tree is all that the manifest says."""
    wanted = entry_of(line)
    top = os.fsencode(root)
    try:
        status = os.lstat(os.path.join(top, wanted.path))
    except OSError:
        return False
    kind = KINDS.get(stat.S_IFMT(status.st_mode))
    return kind is not None and _fault(top, Seen(wanted.path, kind, status), wanted) is None


def matches(root: Path, line: bytes) -> bool:
    """Whether that file of the tree has the content that the manifest says. Of mode and time nothing is asked."""
    wanted = entry_of(line)
    try:
        return hashed(os.path.join(os.fsencode(root), wanted.path)) == (wanted.size, wanted.sha256)
    except OSError:
        return False


def _fault(top: bytes, seen: Seen, wanted: Entry) -> Fault | None:
    if seen.kind != wanted.kind:
        return "otherwise"
    if seen.kind == "f" and seen.status.st_size != wanted.size:
        return "damaged"
    try:
        found = entry(top, seen)
    except OSError:  # a disk with faults, or it has just gone
        return "damaged"
    if found == wanted:
        return None
    return "damaged" if (found.size, found.sha256) != (wanted.size, wanted.sha256) else "otherwise"
