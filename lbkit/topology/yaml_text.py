"""YAML to nodes: what is plain, small and meant by the writer; everything else is refused with its line.

Scalars follow the core schema of YAML 1.2, not what YAML 1.1 made of them: `on`, `yes` and `22:22` are text, and
so is a number with a leading zero (`mode: 0644`). Keys are always text. Tags that would make objects are unknown.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

from lbkit.base.problems import InvalidDocument, Path, Problem, dotted, near
from lbkit.topology.document import (
    MOST_DEPTH,
    MOST_VALUES,
    Document,
    List,
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

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {
    word: value for value in (True, False) for word in (str(value), str(value).lower(), str(value).upper())
}
_WHOLE = re.compile(
    r"[-+]?(?:0|[1-9][0-9]{0,39})\Z", re.ASCII
)  # a longer one is text: nothing here is so large
_BASED = re.compile(r"0o[0-7]{1,40}\Z|0x[0-9a-fA-F]{1,40}\Z", re.ASCII)
_REAL = re.compile(r"(?:\.[0-9]+|[-+]?(?:0|[1-9][0-9]*)\.[0-9]*)(?:[eE][-+][0-9]+)?\Z", re.ASCII)
# what YAML 1.1 and 1.2 both take for a number: 1e3 is text to 1.1, in which programs write it without quotes
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_CONTROL = re.compile(
    "[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)  # YAML 1.2.2, section 5.1
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # as libyaml counts them, by YAML 1.1, section 4.2
_TAG = "tag:yaml.org,2002:"

_HINTS = (
    ("mapping values are not allowed", "put text that has ': ' in it in quotes, or look at the indentation"),
    (
        "did not find expected key",
        "look at the indentation of this line and the one before, and at open quotes",
    ),
    ("could not find expected ':'", "look at the line before: a key needs ': ' and a value after it"),
    ("did not find expected '-' indicator", "look at the indentation of this list"),
    ("did not find expected <document start>", "look at the indentation: nothing may follow the top level"),
    ("found unexpected end of stream", "look for a quote or bracket that is not closed"),
    ("did not find expected ',' or", "look for a bracket that is not closed, or a comma that is missing"),
)


def read_yaml(text: str, file: str) -> Document:
    """InvalidDocument where the text is no YAML, or no mapping, or larger than a topology can be."""
    control = _CONTROL.search(text)
    if control:
        raise refused(
            file,
            text.count("\n", 0, control.start()) + 1,
            "text without control characters",
            found=f"character U+{ord(control[0]):04X}",
        )
    composer = _Composer(text, file)
    try:
        root = composer.document()
    except yaml.MarkedYAMLError as error:
        raise _unreadable(error, text, file) from error
    return Document(file, root, tuple(composer.problems))


def _unreadable(error: yaml.MarkedYAMLError, text: str, file: str) -> InvalidDocument:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 0
    problem = error.problem or "no YAML"
    found = f"{error.context}: {problem}" if error.context else problem
    remedy = next((hint for words, hint in _HINTS if words in problem), "")
    if mark and "cannot start any token" in problem:
        written = _LINE_BREAK.split(text)[mark.line]
        character = written[mark.column : mark.column + 1]
        found = "a tab" if character == "\t" else f"a value that begins with {character!r}"
        remedy = "indent with spaces" if character == "\t" else "put the value in quotes"
    return refused(file, line, "YAML that can be read", found=found, remedy=remedy)


class _Composer:
    """From events to nodes. Aliases share nodes; what they would weigh written out is counted all the same."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.parser = yaml.CSafeLoader(text)
        self.anchors: dict[str, Node | None] = {}  # None: still open
        self.problems: list[Problem] = []

    def event(self) -> Any:
        """The next event. Any: which kind has which fields is PyYAML's secret."""
        return self.parser.get_event()

    def document(self) -> Table:
        self.event()  # the stream's start
        start = self.event()
        if isinstance(start, yaml.StreamEndEvent):
            raise refused(self.file, 0, "a topology", found="an empty file", remedy="begin with `lbkit: 1`")
        root = self.node(self.event(), (), 1)
        self.event()  # the document's end
        following = self.event()
        if not isinstance(following, yaml.StreamEndEvent):
            raise refused(
                self.file,
                following.start_mark.line + 1,
                "one document in the file",
                found=f"a second one; the first begins at line {root.line}",
                remedy="give each topology a file of its own",
            )
        if not isinstance(root, Table):
            found = (
                "a list"
                if isinstance(root, List)
                else f"text: {root.text[:40]!r}"
                if root.text
                else "nothing"
            )
            raise refused(
                self.file, root.line, "a mapping at the top", found=found, remedy="begin with `lbkit: 1`"
            )
        return root

    def node(self, event: Any, path: Path, depth: int) -> Node:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) and event.anchor:
            return self.alias(event.anchor, line)
        if depth > MOST_DEPTH:
            raise too_deep(self.file, line)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = self.scalar(event, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            self.check_tag(event.tag, "seq", path, line)
            node = self.sequence(line, path, depth)
        else:
            self.check_tag(event.tag, "map", path, line)
            node = self.mapping(line, path, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def alias(self, anchor: str, line: int) -> Node:
        known = self.anchors.get(anchor)
        if known is None:
            inside = anchor in self.anchors
            raise refused(
                self.file,
                line,
                "an alias of something above it",
                found=f"*{anchor} stands inside of &{anchor} itself"
                if inside
                else f"*{anchor}, and no &{anchor}",
                remedy="" if inside else near(anchor, self.anchors),
            )
        return known

    def sequence(self, line: int, path: Path, depth: int) -> List:
        items: list[Node] = []
        weight = 0
        while not isinstance(event := self.event(), yaml.SequenceEndEvent):
            items.append(self.node(event, (*path, len(items)), depth + 1))
            weight = self.weigh(weight, items[-1], line)
        return list_of(items, line, self.file)

    def mapping(self, line: int, path: Path, depth: int) -> Table:
        entries: dict[str, Node] = {}
        key_lines: dict[str, int] = {}
        merged: list[Node] = []
        weight = 0
        while not isinstance(event := self.event(), yaml.MappingEndEvent):
            key, key_line = self.key(event, path, depth)
            is_merge = key == "<<" and isinstance(event, yaml.ScalarEvent) and event.implicit[0]
            node = self.node(self.event(), (*path, key), depth + 1)
            weight = self.weigh(weight, node, line)
            if is_merge:
                merged += node.items if isinstance(node, List) else [node]
            elif key in entries:
                self.problem(
                    (*path, key),
                    key_line,
                    "a key once",
                    found=f"{dotted((key,))} stands at line {key_lines[key]} already",
                )
            else:
                entries[key] = node
                key_lines[key] = key_line
        for node in merged:
            if not isinstance(node, Table):
                self.problem(path, node.line, "a mapping, or a list of mappings, to merge by <<")
                continue
            for key, inner in node.entries.items():
                if key not in entries:
                    entries[key] = inner
                    key_lines[key] = node.key_lines[key]
        return table_of(entries, key_lines, line, self.file)

    def key(self, event: Any, path: Path, depth: int) -> tuple[str, int]:
        """A key's text as it is written, and its line. What is no text is said, and stands under a name of its own."""
        line = event.start_mark.line + 1
        if (
            isinstance(event, yaml.ScalarEvent)
            and event.anchor is event.tag is None
            and event.value.isalpha()
        ):
            return event.value, line
        node = self.node(event, path, depth + 1)
        if isinstance(node, Scalar) and (node.text or not isinstance(event, yaml.ScalarEvent) or event.style):
            return node.text, line
        braces = isinstance(event, yaml.MappingStartEvent) and event.flow_style
        self.problem(
            path,
            line,
            "text as a key",
            found="nothing"
            if isinstance(node, Scalar)
            else f"a {'list' if isinstance(node, List) else 'mapping'}",
            remedy="a template's {{ }} must be filled in before lbkit reads the file" if braces else "",
        )
        return f"(line {line})", line

    def scalar(self, event: Any, path: Path) -> Scalar:
        text, line = event.value, event.start_mark.line + 1
        plain, _ = event.implicit
        if event.tag in {None, "!"}:
            return Scalar(self.value(text, path, line) if plain and event.tag is None else text, text, line)
        kind = event.tag.removeprefix(_TAG)
        if event.tag == kind or kind not in {"str", "int", "float", "bool", "null"}:
            self.check_tag(event.tag, "str", path, line)
            return Scalar(text, text, line)
        value = text if kind == "str" else self.value(text, path, line)
        kinds = {"str": str, "int": int, "float": (int, float), "bool": bool, "null": type(None)}
        if not isinstance(value, kinds[kind]):  # type: ignore[arg-type]
            self.problem(path, line, f"a value that !!{kind} can be", found=repr(text[:40]))
        return Scalar(value, text, line)

    def value(self, text: str, path: Path, line: int) -> str | int | float | bool | None:
        """What a plain scalar means: YAML 1.2.2, section 10.3.2, but for leading zeros."""
        if text in _NULL:
            return None
        if text in _BOOLEAN:
            return _BOOLEAN[text]
        if text[0] not in "+-.0123456789":
            return text
        if _WHOLE.match(text) or _BASED.match(text):
            whole = Whole(text, 0) if text[:2] in {"0o", "0x"} else Whole(text)
            whole.text = text
            return whole
        if _REAL.match(text) and not text.lstrip("+-").isdigit():
            real = Real(text)
            real.text = text
            if math.isfinite(real):
                return real
        elif not _NOT_FINITE.match(text):
            return text
        self.problem(
            path, line, "a finite number", found=text[:40], remedy="put it in quotes if it is meant as text"
        )
        return text

    def check_tag(self, tag: Any, kind: str, path: Path, line: int) -> None:
        if tag in {None, "!", _TAG + kind}:
            return
        remedy = "leave the tag out"
        if tag == "!vault":
            remedy = "a secret goes in a file of mode 600 that the topology names; or let Ansible decrypt it"
        shown = f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag
        self.problem(path, line, "a value without a tag", found=shown[:80], remedy=remedy)

    def weigh(self, weight: int, node: Node, line: int) -> int:
        """Stop while reading, not after: a list of aliases grows without more text."""
        weight += node.weight
        if weight > MOST_VALUES:
            raise too_many(self.file, line)
        return weight

    def problem(self, path: Path, line: int, wanted: str, *, found: str = "", remedy: str = "") -> None:
        self.problems.append(Problem(path, wanted, found, remedy, f"{self.file}:{line}"))
