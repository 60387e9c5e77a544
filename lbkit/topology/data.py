"""Data that a program hands over (the Ansible module) to nodes: without lines, and checked as a text would be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lbkit.base.problems import Path, Problem
from lbkit.topology.document import (
    MOST_DEPTH,
    MOST_VALUES,
    Document,
    Node,
    Scalar,
    Table,
    list_of,
    refused,
    table_of,
    too_deep,
    too_many,
)


def read_data(data: object, file: str) -> Document:
    """InvalidDocument where `data` is no mapping, or larger than a topology can be. `file` is what to call it."""
    reader = _Reader(file)
    root = reader.node(data, (), 1)
    if not isinstance(root, Table):
        raise refused(file, 0, "a mapping at the top", found=type(data).__name__)
    return Document(file, root, tuple(reader.problems))


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.values = 0
        self.problems: list[Problem] = []

    def node(self, data: object, path: Path, depth: int) -> Node:
        self.values += 1
        if self.values > MOST_VALUES:  # one list that holds another twice, and so on, grows without more data
            raise too_many(self.file, 0)
        if depth > MOST_DEPTH:
            raise too_deep(self.file, 0)
        if isinstance(data, str):
            return self.text(data, path)
        if data is None or isinstance(data, bool):
            return Scalar(data, "null" if data is None else str(data).lower(), 0)
        if isinstance(data, int):
            return Scalar(int(data), str(data) if abs(data) < 10**40 else "a large number", 0)
        if isinstance(data, float) and math.isfinite(data):
            return Scalar(float(data), str(data), 0)
        if isinstance(data, Mapping):
            return self.table(data, path, depth)
        if isinstance(data, Sequence) and not isinstance(data, bytes | bytearray):
            items = [self.node(item, (*path, index), depth + 1) for index, item in enumerate(data)]
            return list_of(items, 0, self.file)
        found = "a number that is not finite" if isinstance(data, float) else type(data).__name__
        self.problem(path, "text, a finite number, true, false, a list or a mapping", found)
        return Scalar(None, "", 0)

    def table(self, data: Mapping[object, object], path: Path, depth: int) -> Table:
        entries: dict[str, Node] = {}
        for key, value in data.items():
            if isinstance(key, bool) or not isinstance(key, str | int):
                remedy = "YAML 1.1 reads on, off, yes and no as true and false: put the key in quotes"
                self.problem(path, "text as a key", str(key)[:40], remedy if isinstance(key, bool) else "")
                continue
            name = self.text(str(key), path).text
            entries[name] = self.node(value, (*path, name), depth + 1)
        return table_of(entries, dict.fromkeys(entries, 0), 0, self.file)

    def text(self, data: str, path: Path) -> Scalar:
        text = str(data)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.problem(path, "text that UTF-8 can hold", ascii(text)[:40])
            text = ascii(text)
        return Scalar(text, text, 0)

    def problem(self, path: Path, wanted: str, found: str, remedy: str = "") -> None:
        self.problems.append(Problem(path, wanted, found, remedy, self.file))
