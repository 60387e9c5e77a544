"""`show map` and `show acl`: the lists of patterns that HAProxy has, and the entries of one (management guide, 9.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from sys import intern


@dataclass(frozen=True, slots=True)
class PatternList:
    """A map or an ACL's list. `file` "" where it has none; `current` the version in force, `newest` of those begun."""

    number: int
    file: str
    words: str
    current: int
    newest: int
    entries: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `reference`: what names it to `set map` and `del map`, as "#0x..."; `value` "" in an ACL's list."""

    reference: str
    key: str
    value: str


_LIST = re.compile(r"(-?\d+) \((.*?)\) (.*?)\.? curr_ver=(\d+) next_ver=(\d+) entry_cnt=(\d+)\Z")


def parse_lists(text: str) -> list[PatternList]:
    lines = text.split("\n")
    if not lines or not lines[0].startswith("# id (file)"):
        raise ValueError("a head of columns")
    return [_list(line) for line in lines[1:] if line]


def _list(line: str) -> PatternList:
    match = _LIST.match(line)
    if match is None:
        raise ValueError(f"the form known: {line[:120]}")
    number, name, words, current, newest, entries = match.groups()
    return PatternList(int(number), name, words, int(current), int(newest), int(entries))


def parse_entries(text: str, *, keys: bool = True) -> Iterator[Entry]:
    """Entries in HAProxy's order. `keys`: of a map, where the first word is the key; else all is the pattern."""
    for line in text.split("\n"):
        if not line:
            continue
        pointer, _, rest = line.partition(" ")
        if not pointer.startswith("0x"):
            raise ValueError(f"the form known: {line[:120]}")
        key, _, value = rest.partition(" ") if keys else (rest, "", "")
        yield Entry("#" + pointer, key, intern(value))
