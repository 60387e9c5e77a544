"""haproxy.cfg as sections of lines of words (configuration manual, 2.2 "Quoting and escaping", 2.3, 2.4).

Any text can be read: what HAProxy would refuse is a line with a `problem`. Values of environment variables are not
known here: their words keep them as they are written, and the line names them in `variables`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lbkit.haproxy.spec.raw import SECTIONS

_ESCAPES = {" ": " ", "\\": "\\", "#": "#", "'": "'", '"': '"', "t": "\t", "n": "\n", "r": "\r"}
_BLANK = " \t\n\v\f\r"  # isspace(3) in the C locale
_VARIABLE = re.compile(r"\$(\{)?(\.?[A-Za-z_][A-Za-z0-9_]*|\.[A-Za-z0-9_]*)(\[\*\])?", re.ASCII)
_HEX = re.compile("[0-9A-Fa-f]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Line:
    """`number` counts from 1; `text` is the line without its comment and the blanks around it; `words` are unquoted."""

    number: int
    text: str
    words: tuple[str, ...]
    variables: tuple[str, ...] = ()
    problem: str = ""

    def word(self, index: int) -> str:
        """Nothing where the line is shorter."""
        return self.words[index] if index < len(self.words) else ""

    @property
    def keyword(self) -> str:
        """The first word; `option NAME`, and behind `no` and `default` what they are about."""
        first, *rest = self.words
        if first in {"no", "default"} and rest:
            first, *rest = rest
        return f"{first} {rest[0]}" if first in {"option", "stats", "timeout"} and rest else first

    @property
    def negated(self) -> bool:
        return self.word(0) == "no"


@dataclass(frozen=True, slots=True)
class Section:
    """`name` is "" where there is none; `base`: the named section `defaults` that it begins from (`from NAME`)."""

    kind: str
    name: str
    head: Line
    lines: tuple[Line, ...] = ()
    base: str = ""
    given: tuple[
        str, ...
    ] = ()  # words of the head behind its name: an address, as old listen sections have one

    @property
    def title(self) -> str:
        return f"{self.kind} {self.name}".strip()


@dataclass(frozen=True, slots=True)
class Cfg:
    """`stray`: lines that are in no section, or that no line of any could be."""

    sections: tuple[Section, ...]
    stray: tuple[Line, ...] = ()


@dataclass(slots=True)
class _Growing:
    head: Line
    lines: list[Line] = field(default_factory=list)

    def done(self) -> Section:
        kind, *words = self.head.words
        name = words.pop(0) if words and words[0] != "from" else ""
        base = ""
        if "from" in words and words.index("from") + 1 < len(words):
            at = words.index("from")
            base = words[at + 1]
            del words[at : at + 2]
        return Section(kind, name, self.head, tuple(self.lines), base, tuple(words))


def parse(text: str) -> Cfg:
    growing: list[_Growing] = []
    stray: list[Line] = []
    depth = 0
    for line in lines(text):
        first = line.word(0)
        if first.startswith("."):  # 2.4: which lines hold is decided when HAProxy starts
            depth += (first == ".if") - (first == ".endif" and depth > 0)
            stray.append(line)
        elif line.problem or depth:
            stray.append(line)
        elif first in SECTIONS:
            growing.append(_Growing(line))
        elif growing:
            growing[-1].lines.append(line)
        else:
            stray.append(line)
    return Cfg(tuple(each.done() for each in growing), tuple(stray))


def lines(text: str) -> Iterator[Line]:
    """Those that say something."""
    for number, raw in enumerate(re.split("\r\n|\n", text), start=1):
        line = _line(number, raw.partition("\0")[0])
        if line.words or line.problem:
            yield line


def _line(number: int, raw: str) -> Line:
    words: list[str] = []
    variables: list[str] = []
    problem, quote, word, at, end = "", "", None, 0, len(raw)
    while at < len(raw):
        char = raw[at]
        if char == "#" and not quote:
            end = at
            break
        if char in "\"'" and quote in {"", char}:
            quote = "" if quote else char
            word = word or ""
            at += 1
        elif char == "\\" and quote != "'":
            taken, said = _escape(raw, at, quote)
            problem = problem or ("" if taken else "after \\x two hexadecimal digits")
            word = (word or "") + said
            at += taken or 1
        elif char == "$" and quote == '"':
            match = _VARIABLE.match(raw, at)
            stop = _after(raw, match) if match else 0
            if match is None or not stop:
                problem = problem or "a variable's name, and a brace that is closed"
                stop = stop or at + 1
            else:
                variables.append(match[2])
            word = (word or "") + raw[at:stop]
            at = stop
        elif char in _BLANK and not quote:
            if word is not None:
                words.append(word)
            word = None
            at += 1
        else:
            word = (word or "") + char
            at += 1
    if word is not None:
        words.append(word)
    if quote:
        problem = problem or "a quote that is closed on the same line"
    return Line(number, raw[:end].strip(_BLANK), tuple(words), tuple(variables), problem)


def _escape(raw: str, at: int, quote: str) -> tuple[int, str]:
    """How much it takes, and what it means. 0: it cannot be."""
    following = raw[at + 1 : at + 2]
    if following == "x":
        return (4, chr(int(raw[at + 2 : at + 4], 16))) if _HEX.match(raw, at + 2) else (0, "\\")
    if following in _ESCAPES and following:
        return 2, _ESCAPES[following]
    return (2, "$") if following == "$" and quote == '"' else (1, "\\")


def _after(raw: str, match: re.Match[str]) -> int:
    """Where the variable ends: behind its brace, where it has one; 0 where that is not closed."""
    if not match[1]:
        return match.end(2)
    if raw[match.end() : match.end() + 1] not in {"}", "-"}:
        return 0
    return raw.find("}", match.end()) + 1
