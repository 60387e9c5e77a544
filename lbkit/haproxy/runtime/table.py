"""`show table NAME`: the entries of a stick table (management guide, 9.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from sys import intern


@dataclass(frozen=True, slots=True)
class Stuck:
    """One entry. `expires_in`: milliseconds. `data` by name without its period, as "http_req_rate"."""

    key: str
    uses: int
    expires_in: int
    data: Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class Table:
    """`size`: entries that fit; `used`: that there were, which may be more than those told."""

    name: str
    kind: str
    size: int
    used: int
    entries: tuple[Stuck, ...]


_HEAD = re.compile(r"# table: (\S+), type: (\S+), size:(\d+), used:(\d+)")
_ENTRY = re.compile(r"0x[0-9a-f]+: key=((?:[^\\ ]|\\.)*) use=(-?\d+) exp=(-?\d+)(.*)\Z")
_DATUM = re.compile(r" (\w+)(?:\(\d+\))?=(\S*)")
_ESCAPED = re.compile(r"\\(x[0-9A-Fa-f]{2}|.)")
_LETTERS = {"t": "\t", "n": "\n", "r": "\r", "e": "\x1b"}


def parse_table(text: str) -> Table:
    lines = text.split("\n")
    head = _HEAD.match(lines[0])
    if head is None:
        raise ValueError("a head")
    name, kind, size, used = head.groups()
    return Table(name, kind, int(size), int(used), tuple(_entry(line) for line in lines[1:] if line))


def _entry(line: str) -> Stuck:
    match = _ENTRY.match(line)
    if match is None:
        raise ValueError(f"the form known: {line[:120]}")
    key, uses, expires, data = match.groups()
    known = {intern(name): _value(value) for name, value in _DATUM.findall(data)}
    return Stuck(_ESCAPED.sub(_letter, key), int(uses), int(expires), known)


def _letter(escaped: re.Match[str]) -> str:
    """A key's letters may be any bytes of a request's; what would part words HAProxy escapes."""
    code = escaped[1]
    return chr(int(code[1:], 16)) if len(code) == 3 else _LETTERS.get(code, code)


def _value(text: str) -> int | str:
    return int(text) if text.isdecimal() else text
