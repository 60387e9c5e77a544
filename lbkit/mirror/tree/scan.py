"""A tree as it lies on the disk, as lines of a manifest: in a manifest's order, a folder at a time."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple

from lbkit.base.errors import Failure
from lbkit.mirror.tree.manifest import Entry, Kind, escaped

_PIECE = 1 << 20  # bytes read at once

KINDS: dict[int, Kind] = {stat.S_IFDIR: "d", stat.S_IFREG: "f", stat.S_IFLNK: "l"}


class Seen(NamedTuple):
    """One thing of a tree, and what lstat(2) says of it."""

    path: bytes
    kind: Kind
    status: os.stat_result


def walk(root: bytes, *, without: Callable[[bytes], bool] = lambda _: False) -> Iterator[Seen]:
    """Everything below `root`, but for what `without` says of paths, with all that is below those; no link is followed.

    Raises Failure at what is neither file, link nor folder, and at what cannot be looked at.
    """
    try:
        yield from _walk(root, b"", without)
    except OSError as error:
        raise Failure(
            f"the tree {os.fsdecode(root)} was to be read",
            found=f"{error.strerror}: {os.fsdecode(error.filename or root)}",
            remedy="it must be lbkit's to read, on a disk without faults",
        ) from error


def _walk(root: bytes, below: bytes, without: Callable[[bytes], bool]) -> Iterator[Seen]:
    prefix = below + b"/" if below else b""
    found: list[tuple[bytes, Seen | None]] = []
    with os.scandir(os.path.join(root, below)) as entries:
        for entry in entries:
            path = prefix + entry.name
            if without(path):
                continue
            status = entry.stat(follow_symlinks=False)
            kind = KINDS.get(stat.S_IFMT(status.st_mode))
            if kind is None:
                raise Failure(
                    "a mirror was to have files, links and folders alone",
                    found=f"{os.fsdecode(path)} is something else",
                    where=os.fsdecode(root),
                    remedy="remove it, or leave it out (`exclude`)",
                )
            name = escaped(entry.name)
            # as whole lines sort: what is in a folder stands after names that go on with a byte before "/"
            found.append((name + b"\t", Seen(path, kind, status)))
            if kind == "d":
                found.append((name + b"/", None))
    found.sort(key=lambda each: each[0])
    folders: dict[bytes, bytes] = {}
    for key, seen in found:
        if seen is None:
            yield from _walk(root, folders.pop(key), without)
            continue
        if seen.kind == "d":
            folders[key[:-1] + b"/"] = seen.path
        yield seen


def entry(root: bytes, seen: Seen) -> Entry:
    """It as an entry, its content read."""
    if seen.kind == "d":
        return Entry(seen.path, "d")
    if seen.kind == "l":
        return Entry(seen.path, "l", target=os.readlink(os.path.join(root, seen.path)))
    size, digest = hashed(os.path.join(root, seen.path))
    return Entry(
        seen.path, "f", seen.status.st_mode & 0o777, int(seen.status.st_mtime_ns // 10**9), size, digest
    )


def hashed(path: bytes) -> tuple[int, str]:
    """Bytes and SHA-256 of a regular file; OSError where it is none. A link is not followed."""
    digest, size = hashlib.sha256(), 0
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        while piece := os.read(descriptor, _PIECE):
            digest.update(piece)
            size += len(piece)
    finally:
        os.close(descriptor)
    return size, digest.hexdigest()
