r"""The manifest of a generation: a line for each file, link and folder, sorted; its SHA-256 names the whole tree.

    PATH \t d
    PATH \t f \t MODE \t MTIME \t SIZE \t SHA256
    PATH \t l \t TARGET

MODE is octal, MTIME whole seconds since 1970, SIZE bytes. In a path a byte up to the space, DEL and the backslash stand as
`\HH`: so no path has a tab, and sorting lines sorts paths. Everything here goes a few thousand lines at a time: a million files cost
no memory.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice, pairwise
from operator import lt
from typing import IO, Literal

from lbkit.base.errors import Failure

Kind = Literal["d", "f", "l"]

Lines = Callable[[], Iterable[bytes]]
"""The lines of a manifest, from the first, as often as they are asked for."""

Change = tuple[bytes | None, bytes | None]
"""A path's line before, and its line now. None: it is not there."""

_ESCAPED = re.compile(rb"[\x00-\x20\x7f\\]")
_ESCAPE = re.compile(rb"\\([0-9a-f]{2})")
_PATH = rb"(?:[^\x00-\x20\x7f\\]|\\[0-9a-f]{2})+"
_LINE = re.compile(
    rb"(?P<path>%s)\t(?:(?P<d>d)|f\t(?P<mode>[0-7]{3})\t(?P<mtime>-?[0-9]{1,19})\t(?P<size>[0-9]{1,19})\t(?P<sha256>[0-9a-f]{64})"
    rb"|l\t(?P<target>%s))\n" % (_PATH, _PATH)
)
_SIZE = re.compile(rb"\tf\t[0-7]{3}\t-?[0-9]+\t([0-9]+)\t")
_LONGEST = 3 * 2 * 4096 + 200  # bytes of one line: two paths (PATH_MAX), each byte escaped
_PIECE = 1 << 18  # bytes that are read at once
_AT_ONCE = 2048  # lines that are held
_STRIDE = 16  # lines that are compared at once: of two trees most are the same


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
    while data := stream.read(_PIECE):
        if not data.endswith(b"\n"):
            data += stream.readline(_LONGEST)
        block = BytesIO(data).readlines()
        if not block[-1].endswith(b"\n"):
            raise _bad(block[-1], "it has no end")
        # a tab comes before all that a path has: lines sort as their paths do
        if not (before < block[0] and all(map(lt, block, islice(block, 1, None)))):
            late = next(line for other, line in pairwise([before, *block]) if other >= line)
            raise _bad(late, "it does not come after the one before")
        before = block[-1]
        yield from block


def check_changes(found: Sequence[Change], lines: Lines) -> None:
    """As `check`, where these changes, as `patched` told them, made the lines of good ones."""
    listed, parents = {b""}, {}
    for old, new in found:
        if old is not None and old.endswith(_FOLDER) and not (new or b"").endswith(_FOLDER):
            return check(lines, list)
        if new is not None:
            entry_of(new)
            path = path_of(new)
            if old is None:
                parents[path.rpartition(b"/")[0]] = new
            if new.endswith(_FOLDER):
                listed.add(path)
    if parents.keys() - listed:
        listed |= {path_of(line) for line in lines() if line.endswith(_FOLDER)}
    for parent, line in parents.items():
        if parent not in listed:
            raise _bad(line, _UNLISTED)
    return None


def check(lines: Lines, known: Lines) -> None:
    """Somebody else's manifest, of which the lines of another one are known to be good. Raises BadManifest where a line is none, two
    have one path, or a folder is not listed before what is in it.
    """
    gone = False
    parents: dict[bytes, bytes] = {}
    for old, new in changes(known(), lines()):
        if new is not None:
            entry_of(new)
            parents[path_of(new).rpartition(b"/")[0]] = new
        gone = gone or (old is not None and old.endswith(_FOLDER))
    folders = {b""}
    before = b""
    for line in lines():
        path = path_of(line)
        if path == before:
            raise _bad(line, "it does not come after the one before")
        before = path
        if gone and path.rpartition(b"/")[0] not in folders:
            raise _bad(line, _UNLISTED)
        if line.endswith(_FOLDER):
            folders.add(path)
    for parent, line in parents.items():
        if parent not in folders:
            raise _bad(line, _UNLISTED)


_FOLDER = b"\td\n"
_UNLISTED = "the folder that it is in is not listed"


def write(lines: Iterable[bytes], to: IO[bytes]) -> Summary:
    """Write them, which must be sorted."""
    digest, files, size = hashlib.sha256(), 0, 0
    rest = iter(lines)
    while block := list(islice(rest, _AT_ONCE)):
        data = b"".join(block)
        to.write(data)
        digest.update(data)
        sizes = [int(each) for each in _SIZE.findall(data)]
        files += len(sizes)
        size += sum(sizes)
    return Summary(digest.hexdigest(), files, size)


def changes(old: Iterable[bytes], new: Iterable[bytes]) -> Iterator[Change]:
    """Every path that the two have otherwise."""
    ours, theirs = iter(old), iter(new)
    have: list[bytes] = []
    want: list[bytes] = []
    here = there = 0
    while True:
        if here + _STRIDE > len(have):
            have, here = [*have[here:], *islice(ours, _AT_ONCE)], 0
        if there + _STRIDE > len(want):
            want, there = [*want[there:], *islice(theirs, _AT_ONCE)], 0
        some, others = have[here : here + _STRIDE], want[there : there + _STRIDE]
        if some == others:
            if not some:
                return
            here, there = here + len(some), there + len(others)
            continue
        if not some or not others:
            yield from ((line, None) for line in some)
            yield from ((None, line) for line in others)
            here, there = here + len(some), there + len(others)
            continue
        i = j = 0
        while i < len(some) and j < len(others):
            before, after = some[i], others[j]
            first, second = path_of(before), path_of(after)
            if before != after:
                yield before if first <= second else None, after if second <= first else None
            i, j = i + (first <= second), j + (second <= first)
        here, there = here + i, there + j


def delta(old: Iterable[bytes], new: Iterable[bytes]) -> Iterator[bytes]:
    """What makes the new lines of the old ones: `+LINE` for what is new or otherwise, `-PATH` for what is gone; sorted by path."""
    for have, want in changes(old, new):
        if want is not None:
            yield b"+" + want
        elif have is not None:
            yield b"-" + path_of(have) + b"\n"


def patched(
    old: Iterable[bytes], orders: Iterable[bytes], told: Callable[[Change], None] = lambda _: None
) -> Iterator[bytes]:
    """The new lines; each order is told as the change that it makes. That they are those that were meant only their digest tells.
    BadManifest where an order is none.
    """
    ours = iter(old)
    have: list[bytes] = []
    here = 0
    last = b""
    for order in orders:
        sign, rest = order[:1], order[1:]
        if sign not in {b"+", b"-"} or not rest.endswith(b"\n"):
            raise _bad(order, "it is no change of one")
        path = path_of(rest.removesuffix(b"\n"))
        if path <= last:
            raise _bad(order, "it does not come after the one before")
        last = path
        while here == len(have) or path_of(have[-1]) < path:
            yield from have[here:]
            have, here = list(islice(ours, _AT_ONCE)), 0
            if not have:
                break
        until = bisect_left(have, path, here, key=path_of)
        yield from have[here:until]
        before = have[until] if until < len(have) and path_of(have[until]) == path else None
        here = until + (before is not None)
        told((before, rest if sign == b"+" else None))
        if sign == b"+":
            yield rest
    yield from have[here:]
    yield from ours


def _bad(line: bytes, why: str) -> BadManifest:
    return BadManifest(
        "a line of a manifest was to be read",
        found=f"{why}: {line[:200].decode('utf-8', 'replace')!a}",
        remedy="`lbkit mirror verify` says what is whole; the next sync makes a new manifest",
    )
