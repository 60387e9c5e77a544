r"""The manifest of a generation: a line for each file, link and folder, sorted; its SHA-256 names the whole tree.

    PATH \t d
    PATH \t f \t MODE \t MTIME \t SIZE \t SHA256
    PATH \t l \t TARGET

MODE is octal, MTIME whole seconds since 1970, SIZE bytes. In a path a byte up to the space, DEL and the backslash stand as
`\HH`: so no path has a tab, and sorting lines sorts paths. Everything here goes line by line: a million files cost no memory.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Literal

from lbkit.base.errors import Failure

Kind = Literal["d", "f", "l"]

_ESCAPED = re.compile(rb"[\x00-\x20\x7f\\]")
_ESCAPE = re.compile(rb"\\([0-9a-f]{2})")
_PATH = rb"(?:[^\x00-\x20\x7f\\]|\\[0-9a-f]{2})+"
_LINE = re.compile(
    rb"(?P<path>%s)\t(?:(?P<d>d)|f\t(?P<mode>[0-7]{3})\t(?P<mtime>-?[0-9]{1,19})\t(?P<size>[0-9]{1,19})\t(?P<sha256>[0-9a-f]{64})"
    rb"|l\t(?P<target>%s))\n" % (_PATH, _PATH)
)
_LONGEST = 3 * 2 * 4096 + 200  # bytes of one line: two paths (PATH_MAX), each byte escaped


@dataclass(frozen=True, slots=True)
class Entry:
    """`path` is relative, in bytes, as the file system has it."""

    path: bytes
    kind: Kind
    mode: int = 0
    mtime: int = 0
    size: int = 0
    sha256: str = ""
    target: bytes = b""

    @property
    def line(self) -> bytes:
        path = escaped(self.path)
        match self.kind:
            case "d":
                return path + b"\td\n"
            case "l":
                return path + b"\tl\t" + escaped(self.target) + b"\n"
        return b"%s\tf\t%03o\t%d\t%d\t%s\n" % (
            path,
            self.mode,
            self.mtime,
            self.size,
            self.sha256.encode(),
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """Of a whole manifest: `digest` is the SHA-256 of its lines, `size` the bytes of all files."""

    digest: str
    files: int
    size: int


EMPTY = Summary(hashlib.sha256().hexdigest(), 0, 0)


class BadManifest(Failure):
    """A line that no manifest has, or that would lead out of the tree."""


def escaped(path: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: b"\\%02x" % found[0][0], path)


def unescaped(text: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), text)


def path_of(line: bytes) -> bytes:
    """The escaped path of a line: what lines are compared by."""
    return line.partition(b"\t")[0]


def entry_of(line: bytes) -> Entry:
    """Raises BadManifest where it is no line of a manifest, or its path or link leads out of the tree."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise _bad(line, "it has another form")
    path = unescaped(found["path"])
    parts = path.split(b"/")
    if b"\0" in path or not all(part not in {b"", b".", b".."} for part in parts):
        raise _bad(line, "its path is none below a folder")
    if found["d"]:
        return Entry(path, "d")
    if found["target"] is not None:
        target = unescaped(found["target"])
        if not stays_inside(path, target):
            raise _bad(line, "the link leads out of the tree")
        return Entry(path, "l", target=target)
    return Entry(
        path, "f", int(found["mode"], 8), int(found["mtime"]), int(found["size"]), found["sha256"].decode()
    )


def stays_inside(path: bytes, target: bytes) -> bool:
    """Whether a link at `path` to `target` leads to what lies below the tree, whatever is a link there itself.

    As rsync's --safe-links: `..` may stand at its beginning alone, and no more of them than `path` is deep.
    """
    if not target or target.startswith(b"/") or b"\0" in target:
        return False
    depth = path.count(b"/")
    up = True
    for part in target.split(b"/"):
        if part != b"..":
            up = up and part in {b"", b"."}
        elif not up or depth == 0:
            return False
        else:
            depth -= 1
    return True


def lines_of(stream: IO[bytes]) -> Iterator[bytes]:
    """Every line, in its order. Raises BadManifest where they are not sorted, or one is cut short."""
    before = b""
    while line := stream.readline(_LONGEST):
        path = path_of(line)
        if not line.endswith(b"\n"):
            raise _bad(line, "it has no end")
        if path <= before:
            raise _bad(line, "it does not come after the one before")
        before = path
        yield line


def checked(lines: Iterable[bytes]) -> Iterator[Entry]:
    """What somebody else's manifest says. Raises BadManifest too where a folder is not listed before what is in it."""
    folders = {b""}
    for line in lines:
        entry = entry_of(line)
        if entry.path.rpartition(b"/")[0] not in folders:
            raise _bad(line, "the folder that it is in is not listed")
        if entry.kind == "d":
            folders.add(entry.path)
        yield entry


def write(lines: Iterable[bytes], to: IO[bytes]) -> Summary:
    """Write them, which must be sorted."""
    digest, files, size = hashlib.sha256(), 0, 0
    for line in lines:
        to.write(line)
        digest.update(line)
        fields = line.split(b"\t")
        if fields[1] == b"f":
            files += 1
            size += int(fields[4])
    return Summary(digest.hexdigest(), files, size)


def changes(old: Iterable[bytes], new: Iterable[bytes]) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Every path that the two have otherwise: its line before, and its line now. None: it is not there."""
    ours, theirs = iter(old), iter(new)
    have, want = next(ours, None), next(theirs, None)
    while have is not None or want is not None:
        if have == want:
            have, want = next(ours, None), next(theirs, None)
            continue
        here = None if have is None else path_of(have)
        there = None if want is None else path_of(want)
        if there is None or (here is not None and here < there):
            yield have, None
            have = next(ours, None)
        elif here is None or there < here:
            yield None, want
            want = next(theirs, None)
        else:
            yield have, want
            have, want = next(ours, None), next(theirs, None)


def delta(old: Iterable[bytes], new: Iterable[bytes]) -> Iterator[bytes]:
    """What makes the new lines of the old ones: `+LINE` for what is new or otherwise, `-PATH` for what is gone; sorted by path."""
    for have, want in changes(old, new):
        if want is not None:
            yield b"+" + want
        elif have is not None:
            yield b"-" + path_of(have) + b"\n"


def patched(old: Iterable[bytes], orders: Iterable[bytes]) -> Iterator[bytes]:
    """The new lines. That they are those that were meant only their digest tells. BadManifest where an order is none."""
    ours = iter(old)
    have = next(ours, None)
    for order in orders:
        sign, rest = order[:1], order[1:]
        if sign not in {b"+", b"-"} or not rest.endswith(b"\n"):
            raise _bad(order, "it is no change of one")
        path = path_of(rest.removesuffix(b"\n"))
        while have is not None and path_of(have) < path:
            yield have
            have = next(ours, None)
        if have is not None and path_of(have) == path:
            have = next(ours, None)
        if sign == b"+":
            yield rest
    while have is not None:
        yield have
        have = next(ours, None)


def _bad(line: bytes, why: str) -> BadManifest:
    return BadManifest(
        "a line of a manifest was to be read",
        found=f"{why}: {line[:200].decode('utf-8', 'replace')!a}",
        remedy="`lbkit mirror verify` says what is whole; the next sync makes a new manifest",
    )
