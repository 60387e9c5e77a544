"""The file of a map or of an ACL's list, read as HAProxy does (src/pattern.c, 2.6 and 3.0) and changed line by line. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lbkit.haproxy.direct.entries import Kind, Pair, WantedEntries, edit, lines, wanted_of

_BLANKS = " \t"
_WORDS = re.compile(r"([^ \t]+)[ \t]*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """`pair` None: a comment, or nothing."""

    text: str
    pair: Pair | None


def parse(text: str, kind: Kind) -> list[Line]:
    """Bytes that are no UTF-8 come as surrogates, and go back as they were."""
    parts = text.split("\n")
    if not parts[-1]:
        parts.pop()
    return [Line(part, _pair(part, kind)) for part in parts]


def _pair(text: str, kind: Kind) -> Pair | None:
    rest = text.partition("\r")[0].lstrip(_BLANKS)
    if text.startswith("#") or not rest:
        return None
    if kind == "acl":
        return rest, ""
    match = _WORDS.match(rest)
    return (match[1], match[2].rstrip(_BLANKS)) if match else None


def edited(content: bytes, kind: Kind, wanted: WantedEntries) -> tuple[list[Pair], list[Pair], bytes]:
    """The entries that the file has, those that it is to have, and its content then; comments stay."""
    found = parse(content.decode(errors="surrogateescape"), kind)
    have = [line.pair for line in found if line.pair is not None]
    want = wanted_of(have, wanted)
    change = edit(have, want)
    gone, other = set(change.go), dict(change.other)
    kept: list[str] = []
    index = -1
    for line in found:
        if line.pair is None:
            kept.append(line.text)
            continue
        index += 1
        if index in other:
            kept += lines([(line.pair[0], other[index])])
        elif index not in gone:
            kept.append(line.text)
    kept += lines(change.more)
    return have, want, "".join(f"{each}\n" for each in kept).encode(errors="surrogateescape")
