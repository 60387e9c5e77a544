"""A document as nodes that know their lines: what a person wrote, and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, TypeVar

from lbkit.base.problems import InvalidDocument, Path, Problem

MOST_BYTES = 4 << 20  # of a file
MOST_VALUES = 200_000  # of a document with its aliases written out; 64 characters of a text count as one
MOST_DEPTH = 50


class Whole(int):
    """A whole number that prints as it was written: an argument 0x1f stays 0x1f."""

    text: str

    def __str__(self) -> str:
        return self.text


class Real(float):
    """A number that prints as it was written: an argument 1.10 stays 1.10."""

    text: str

    def __str__(self) -> str:
        return self.text


class Scalar(NamedTuple):  # of all nodes most are scalars, and a tuple is made in a third of the time
    """`line` counts from 1, and is 0 where there is no text. `text` is what stands there, without quotes."""

    value: str | int | float | bool | None
    text: str
    line: int
    depth: int = 0

    @property
    def weight(self) -> int:
        return 1 + len(self.text) // 64


@dataclass(frozen=True, slots=True)
class List:
    items: tuple[Node, ...]
    line: int
    weight: int
    depth: int


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping. `key_lines` has the line of each key; a merged one's is where it was written."""

    entries: Mapping[str, Node]
    key_lines: Mapping[str, int]
    line: int
    weight: int
    depth: int


Node = Scalar | List | Table
N = TypeVar("N", List, Table)


@dataclass(frozen=True)
class Document:
    """`problems` are those of a text that can be read all the same (a key written twice)."""

    file: str
    root: Table
    problems: tuple[Problem, ...] = ()

    @cached_property
    def plain(self) -> dict[str, object]:
        """As dicts and lists. What an alias repeats is one object."""
        made: dict[int, object] = {}
        return {key: _plain(node, made) for key, node in self.root.entries.items()}

    def find(self, path: Path) -> Node | None:
        """What stands at `path`; None where the document does not go so far."""
        *_, (reached, node) = self._along(path)
        return node if len(reached) == len(path) else None

    def line(self, path: Path) -> int:
        """The line of what is at `path`, or of the nearest thing around it: a key's own for what goes over lines."""
        line = self.root.line
        for (_, outer), (reached, node) in pairwise(self._along(path)):
            key = reached[-1]
            at_key = isinstance(outer, Table) and not isinstance(node, Scalar)
            line = outer.key_lines[str(key)] if at_key and isinstance(outer, Table) else node.line
        return line

    def key_line(self, path: Path) -> int:
        """The line of the key itself at the end of `path`."""
        outer = self.find(path[:-1])
        known = outer.key_lines.get(str(path[-1])) if isinstance(outer, Table) else None
        return known or self.line(path)

    def at(self, line: int) -> str:
        return f"{self.file}:{line}" if line else self.file

    def _along(self, path: Path) -> Iterator[tuple[Path, Node]]:
        """Each node from the root to `path`, as far as the document goes.

        A name leads into a list of names as well, where `[front]` is written for `{front: {}}`; an index stays
        at what is written for a list of one.
        """
        node: Node = self.root
        reached: Path = ()
        yield reached, node
        for part in path:
            inner: Node | None = None
            if isinstance(node, Table):
                inner = node.entries.get(str(part))
            elif isinstance(node, List) and isinstance(part, int):
                inner = node.items[part] if part < len(node.items) else None
            elif isinstance(node, List):
                named = (item for item in node.items if isinstance(item, Scalar) and item.text == part)
                inner = next(named, None)
            elif part in {0, node.text}:
                inner = node
            if inner is None:
                return
            node, reached = inner, (*reached, part)
            yield reached, node


def refused(file: str, line: int, wanted: str, *, found: str = "", remedy: str = "") -> InvalidDocument:
    """For a text that cannot be read on: one problem, at a line (0: at none)."""
    where = f"{file}:{line}" if line else file
    return InvalidDocument(file, [Problem((), wanted, found, remedy, where)])


def list_of(items: Iterable[Node], line: int, file: str) -> List:
    inner = tuple(items)
    node = List(inner, line, 1 + sum(item.weight for item in inner), _depth(inner))
    return _bounded(node, file)


def table_of(entries: Mapping[str, Node], key_lines: Mapping[str, int], line: int, file: str) -> Table:
    weight, depth = 1, 0
    for key, item in entries.items():
        weight += 1 + len(key) // 64 + item.weight
        depth = max(depth, item.depth)
    return _bounded(Table(entries, key_lines, line, weight, 1 + depth), file)


def too_deep(file: str, line: int) -> InvalidDocument:
    return refused(
        file, line, f"values in at most {MOST_DEPTH} levels of lists and mappings", found="more levels"
    )


def too_many(file: str, line: int) -> InvalidDocument:
    return refused(
        file, line, f"a document of at most {MOST_VALUES} values, with its aliases written out", found="more"
    )


def _bounded(node: N, file: str) -> N:
    if node.weight > MOST_VALUES:
        raise too_many(file, node.line)
    if node.depth > MOST_DEPTH:
        raise too_deep(file, node.line)
    return node


def _depth(inner: Iterable[Node]) -> int:
    return 1 + max((node.depth for node in inner), default=0)


def _plain(node: Node, made: dict[int, object]) -> object:
    if isinstance(node, Scalar):
        return node.value
    known = made.get(id(node))
    if known is None:
        known = (
            [_plain(item, made) for item in node.items]
            if isinstance(node, List)
            else {key: _plain(item, made) for key, item in node.entries.items()}
        )
        made[id(node)] = known
    return known
