"""The entries of a map or of an ACL's list: what is wanted of them, and how one list of them becomes another. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lbkit.base.errors import Mistake
from lbkit.haproxy.capabilities import LONGEST_COMMAND
from lbkit.haproxy.runtime.commands.patterns import is_key, is_value

_MOST = LONGEST_COMMAND - 64  # without the words around it

Kind = Literal["map", "acl"]
Pair = tuple[str, str]
"""Key and value; of an ACL's list the pattern and ""."""


@dataclass(frozen=True, slots=True)
class MapEntry:
    """`value` None: of an ACL's list, which has none; or, of what is to go, whatever its value is."""

    key: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class WantedEntries:
    """What is wanted of the map or ACL list that HAProxy calls `name`.

    All keys of `entries` have these values, and others stay (`exclusive`: there are no others, and these are in
    this order); or, `absent`, none of them is there. `persist`: in its file too. `folder`: where relative names begin on the disk.
    """

    name: str
    entries: tuple[MapEntry, ...]
    exclusive: bool = False
    absent: bool = False
    persist: bool = False
    folder: Path | None = None

    def check(self, kind: Kind) -> None:
        """Mistake where HAProxy could not have them, or they cannot all be meant."""
        if not self.entries and not self.exclusive:
            raise Mistake("at least one entry was wanted", found="none")
        if self.exclusive and self.absent:
            raise Mistake("`exclusive` or `state: absent` was wanted", found="both")
        for index, entry in enumerate(self.entries):
            _check(entry, kind, self, f"entries[{index}]")
        if not self.exclusive and not self.absent:
            several = [
                key for key, n in Counter(key for key, _ in dict.fromkeys(self.pairs)).items() if n > 1
            ]
            if several:
                raise Mistake(
                    "each key was to have one value",
                    found=f"several of {', '.join(several[:3])}",
                    remedy="HAProxy would find the first alone",
                )

    @property
    def pairs(self) -> list[Pair]:
        return [(entry.key, entry.value or "") for entry in self.entries]


def _check(entry: MapEntry, kind: Kind, wanted: WantedEntries, where: str) -> None:
    is_acl = kind == "acl"
    if not is_key(entry.key, spaces=is_acl) or (is_acl and "<<" in entry.key):
        words = "a printable text" if is_acl else "one printable word"
        raise Mistake(
            f"the key was to be {words} that does not begin with #", found=ascii(entry.key), where=where
        )
    if is_acl and entry.value is not None:
        raise Mistake(
            "a key alone was wanted", found=f"{wanted.name} is a list of an ACL: no values", where=where
        )
    if not is_acl and entry.value is None and not wanted.absent:
        raise Mistake("a value was wanted", found=f"the key {entry.key} alone", where=where)
    if entry.value is not None and not is_value(entry.value):
        raise Mistake(
            "the value was to be printable text without spaces around it",
            found=ascii(entry.value),
            where=where,
        )
    if _length(entry) > _MOST - len(wanted.name.encode()):
        raise Mistake(
            "the entry was to fit one command of HAProxy's", found=f"{_length(entry)} bytes", where=where
        )


def _length(entry: MapEntry) -> int:
    """Bytes in a command, where some letters are escaped by one more."""
    text = f"{entry.key} {entry.value or ''}"
    return len(text.encode()) + sum(map(text.count, "\\; "))


def wanted_of(have: Sequence[Pair], wanted: WantedEntries) -> list[Pair]:
    """What `have` is to become, in its order. New ones come at the end, as HAProxy adds them."""
    if wanted.exclusive:
        return wanted.pairs
    if wanted.absent:
        keys = {entry.key for entry in wanted.entries if entry.value is None}
        pairs = {(entry.key, entry.value) for entry in wanted.entries}
        return [(key, value) for key, value in have if key not in keys and (key, value) not in pairs]
    values = dict(wanted.pairs)
    there = {key for key, _ in have}
    return [
        *((key, values.get(key, value)) for key, value in have),
        *((key, value) for key, value in values.items() if key not in there),
    ]


@dataclass(frozen=True, slots=True)
class Edit:
    """From one list to another: by index in the first, those that `go` and those with another value; what comes after them."""

    go: tuple[int, ...]
    other: tuple[tuple[int, str], ...]
    more: tuple[Pair, ...]


def edit(have: Sequence[Pair], want: Sequence[Pair]) -> Edit:
    """An edit that makes `want` of `have`, in its order, where entries can only be removed, changed, and added at the end."""
    go: list[int] = []
    other: list[tuple[int, str]] = []
    at = 0
    for index, (key, value) in enumerate(have):
        if at < len(want) and want[at][0] == key:
            if want[at][1] != value:
                other.append((index, want[at][1]))
            at += 1
        else:
            go.append(index)
    return Edit(tuple(go), tuple(other), tuple(want[at:]))


def told(have: Sequence[Pair], want: Sequence[Pair]) -> str:
    """The difference in words."""
    less, more = Counter(have) - Counter(want), Counter(want) - Counter(have)
    keys = Counter(key for key, _ in less.elements()) & Counter(key for key, _ in more.elements())
    other = keys.total()
    counts = ((more.total() - other, "new"), (other, "with another value"), (less.total() - other, "gone"))
    return ", ".join(f"{count} {words}" for count, words in counts if count) or "another order"


def shown(pairs: Iterable[Pair], wanted: WantedEntries) -> str:
    """As lines of a file; of a few entries the few alone."""
    keys = None if wanted.exclusive else {entry.key for entry in wanted.entries}
    return "".join(f"{line}\n" for line in lines(pair for pair in pairs if keys is None or pair[0] in keys))


def lines(pairs: Iterable[Pair]) -> Iterator[str]:
    for key, value in pairs:
        yield f"{key} {value}" if value else key
