"""What rsync says that it does, line by line (`--out-format`, rsync(1), --itemize-changes)."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Literal

Doing = Literal["add", "change", "delete"]

FORMAT = "--out-format=%i %l %M %n"

_LINE = re.compile(
    rb"(?P<what>\*deleting|[<>ch.][fdLDS][.+cstTpoguaxbn? ]{9}) +(?P<size>[0-9]+) (?P<time>[-0-9/:]+) (?P<path>.+)",
    re.DOTALL,
)
_ESCAPE = re.compile(rb"\\#([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Item:
    """`path` is relative, without a slash at its end; `size` in bytes, 0 where it is deleted; `time` as `shown`, of a file that comes alone."""

    doing: Doing
    kind: Literal["d", "f", "l"]
    path: bytes
    size: int = 0
    time: bytes = b""


def shown(mtime: int) -> bytes:
    """As rsync shows a time, in seconds since 1970 and in UTC (rsyncd.conf(5), `log format`, %M)."""
    return b"%04d/%02d/%02d-%02d:%02d:%02d" % time.gmtime(mtime)[:6]


_STATS = re.compile(rb"Number of files: ([0-9,]+)")


def count_of(line: bytes) -> int | None:
    """How many files, folders and links there are, the topmost folder too; of the line of --stats that says so."""
    found = _STATS.match(line)
    return int(found[1].replace(b",", b"")) if found else None


def item_of(line: bytes) -> Item | None:
    """None of a line that is another word of rsync's, or of a thing that no mirror has, or of a folder's own attributes."""
    found = _LINE.fullmatch(line.removesuffix(b"\n"))
    if found is None:
        return None
    what, path = found["what"], _ESCAPE.sub(lambda each: bytes([int(each[1], 8)]), found["path"])
    folder = path.endswith(b"/")
    path = path.rstrip(b"/")
    if not path or path == b".":
        return None
    if what == b"*deleting":
        return Item("delete", "d" if folder else "f", path)  # a link is told as a file is
    doing: Doing = "add" if what[2:3] == b"+" else "change"
    match what[1:2]:
        case b"f":
            return Item(doing, "f", path, int(found["size"]), found["time"])
        case b"L":
            return Item(doing, "l", path)
        case b"d" if doing == "add":
            return Item(doing, "d", path)
    return None
