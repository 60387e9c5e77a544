"""JSON (RFC 8259) to nodes. YAML would take most of it, but not its surrogate pairs, and reads 1e3 as text."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from json.decoder import scanstring  # type: ignore[attr-defined]

from lbkit.base.problems import InvalidDocument, Path, Problem, dotted
from lbkit.topology.document import (
    MOST_DEPTH,
    MOST_VALUES,
    Document,
    Node,
    Real,
    Scalar,
    Table,
    Whole,
    list_of,
    refused,
    table_of,
    too_deep,
    too_many,
)

_SPACE = re.compile(r"[ \t\n\r]*")
_SPACES = frozenset(" \t\n\r")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", re.ASCII)
_WORDS = {"true": True, "false": False, "null": None}
_MOST_DIGITS = 40


def read_json(text: str, file: str) -> Document:
    """InvalidDocument where the text is no JSON, or no object, or larger than a topology can be."""
    reader = _Reader(text, file)
    position = reader.skip(0)
    if position == len(text):
        raise refused(file, 0, "a topology", found="an empty file", remedy='begin with {"lbkit": 1')
    root, position = reader.value(position, (), 1)
    position = reader.skip(position)
    if position < len(text):
        raise reader.unreadable(position, "nothing after the object")
    if not isinstance(root, Table):
        raise refused(file, 1, "an object at the top", remedy='begin with {"lbkit": 1')
    return Document(file, root, tuple(reader.problems))


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self.problems: list[Problem] = []
        self.values = 0

    def line(self, position: int) -> int:
        return bisect_right(self.line_starts, position)

    def skip(self, position: int) -> int:
        if self.text[position : position + 1] not in _SPACES:
            return position
        match = _SPACE.match(self.text, position)
        return match.end() if match else position

    def unreadable(self, position: int, wanted: str) -> InvalidDocument:
        rest = self.text[position : position + 20].split("\n")[0]
        found = f"{rest!r}" if position < len(self.text) else "the end of the file"
        return refused(self.file, self.line(position), f"JSON that can be read: {wanted}", found=found)

    def value(self, position: int, path: Path, depth: int) -> tuple[Node, int]:
        """The node that begins at `position`, and where it ends."""
        line = self.line(position)
        self.values += 1
        if self.values > MOST_VALUES:
            raise too_many(self.file, line)
        if depth > MOST_DEPTH:
            raise too_deep(self.file, line)
        first = self.text[position : position + 1]
        if first == '"':
            text, end = self.string(position)
            return Scalar(text, text, line), end
        if first == "{":
            return self.table(position, path, depth)
        if first == "[":
            return self.list(position, path, depth)
        match = _NUMBER.match(self.text, position)
        if match:
            return self.number(match, path, line), match.end()
        for word, constant in _WORDS.items():
            if self.text.startswith(word, position):
                return Scalar(constant, word, line), position + len(word)
        raise self.unreadable(position, "a value")

    def number(self, match: re.Match[str], path: Path, line: int) -> Scalar:
        text = match[0]
        if match[1] is None and match[2] is None and len(text) <= _MOST_DIGITS:
            whole = Whole(text)
            whole.text = text
            return Scalar(whole, text, line)
        real = Real(text)
        real.text = text
        if not math.isfinite(real) or len(text) > _MOST_DIGITS:
            where = f"{self.file}:{line}"
            self.problems.append(
                Problem(path, f"a finite number of at most {_MOST_DIGITS} digits", text[:60], "", where)
            )
            return Scalar(0, text[:60], line)
        return Scalar(real, text, line)

    def string(self, position: int) -> tuple[str, int]:
        try:
            text, end = scanstring(self.text, position + 1, True)
            if not text.isascii():
                text.encode()
        except json.JSONDecodeError as error:
            raise self.unreadable(error.pos, "a string, closed, without control characters") from error
        except UnicodeEncodeError as error:
            raise self.unreadable(position, "text without half of a surrogate pair") from error
        return text, end

    def list(self, position: int, path: Path, depth: int) -> tuple[Node, int]:
        line = self.line(position)
        items: list[Node] = []
        position = self.skip(position + 1)
        while self.text[position : position + 1] != "]":
            if items:
                position = self.separator(position, "]")
            node, position = self.value(position, (*path, len(items)), depth + 1)
            items.append(node)
            position = self.skip(position)
        return list_of(items, line, self.file), position + 1

    def table(self, position: int, path: Path, depth: int) -> tuple[Node, int]:
        line = self.line(position)
        entries: dict[str, Node] = {}
        key_lines: dict[str, int] = {}
        position = self.skip(position + 1)
        while self.text[position : position + 1] != "}":
            if entries:
                position = self.separator(position, "}")
            key_line = self.line(position)
            if self.text[position : position + 1] != '"':
                raise self.unreadable(position, "a key in quotes")
            key, position = self.string(position)
            position = self.skip(position)
            if self.text[position : position + 1] != ":":
                raise self.unreadable(position, "':' after a key")
            node, position = self.value(self.skip(position + 1), (*path, key), depth + 1)
            if key in entries:
                found = f"{dotted((key,))} stands at line {key_lines[key]} already"
                where = f"{self.file}:{key_line}"
                self.problems.append(Problem((*path, key), "a key once", found, "", where))
            else:
                entries[key] = node
                key_lines[key] = key_line
            position = self.skip(position)
        return table_of(entries, key_lines, line, self.file), position + 1

    def separator(self, position: int, closing: str) -> int:
        if self.text[position : position + 1] != ",":
            raise self.unreadable(position, f"',' or '{closing}'")
        return self.skip(position + 1)
