r"""One command of the Runtime API: its line, what it carries, and which replies mean that it was done.

A command is one line and one command, by construction (management guide, 9.3; read in src/cli.c of 2.6 and 3.0,
and measured): a line feed or an unescaped `;` would begin another, a `\` at the end would swallow the next, `<<`
at the end would take the next lines as its payload, and an empty line in a payload would end it there and make
commands of the rest. Words after the 64th, and bytes beyond the buffer, are lost or end the connection.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import cache, lru_cache

from lbkit.base.errors import Bug

LIMIT = 16383
"""The most bytes of one command, payload and line ends included: `tune.bufsize` (16384 unless set) less one."""

_SURELY_FITS = LIMIT // 4
"""Characters, of four bytes at most."""

WORDS = 64
"""HAProxy drops the words after these without a word of its own."""

SILENT = r"\Z"
"""Done where HAProxy says nothing."""

ANSWER = r"(?!Unknown command|Permission denied|This command is restricted to )"
"""Any answer but those that HAProxy gives to what it does not know or allow."""

_PLAIN = re.compile(r"[!-:=-\[\]-~](?:[ !-:=-\[\]-~]*[!-:=-\[\]-~])?")  # no `<`, `;` and backslash at all
_NAME = re.compile(r"[A-Za-z0-9_.:-]+")
_PLAIN_WORD = re.compile(r"[!-:=-\[\]-~]+")
_NEEDS_ESCAPE = re.compile(r"([\\; ])")


@dataclass(frozen=True)
class Command:
    """`line` without its end, every word escaped; `payload` without the empty line that ends it.

    `says`: a pattern of the replies that mean success, from their first character.
    `str()` is the command as a plan and a journal show it. `quoted`: the reply is CSV, whose quoted fields may
    have line feeds in them, and so what looks like a prompt.
    """

    line: str
    says: str = SILENT
    payload: bytes | None = field(default=None, repr=False)
    quoted: bool = False

    def __post_init__(self) -> None:
        if not _PLAIN.fullmatch(self.line):
            _check_line(self.line)
        elif self.line.count(" ") >= WORDS:
            _check_words(self.line)
        if self.payload is not None:
            _check_payload(self.payload, self.line)
        small = self.payload is None and len(self.line) < _SURELY_FITS
        if not small and (size := self.size) > LIMIT:
            raise Bug(
                f"a runtime command was to be {LIMIT} bytes at most",
                found=f"{size} bytes: {_short(str(self))}",
            )

    def __str__(self) -> str:
        if self.payload is None:
            return self.line
        digest = hashlib.sha256(self.payload).hexdigest()[:12]
        return f"{self.line} << (sha256:{digest}, {len(self.payload)} bytes)"

    @property
    def size(self) -> int:
        return len(self.wire)

    @property
    def wire(self) -> bytes:
        """The bytes that HAProxy reads."""
        if self.payload is None:
            return self.line.encode() + b"\n"
        return self.line.encode() + b" <<\n" + self.payload + b"\n\n"

    @property
    def lines(self) -> int:
        """Lines after which HAProxy, in prompt mode, asks for more of the payload ("+ ")."""
        return 0 if self.payload is None else self.payload.count(b"\n") + 2

    def done(self, reply: str) -> bool:
        return _compiled(self.says).match(reply) is not None


_compiled = cache(re.compile)  # when first asked: most commands are never given in a run


@lru_cache(maxsize=8192)
def name(value: str) -> str:
    """The name of a proxy or server: HAProxy's own letters for them, which need no escape."""
    if not _NAME.fullmatch(value):
        raise Bug("a name of HAProxy's was to be letters, digits and -_.: alone", found=ascii(value))
    return value


@lru_cache(maxsize=8192)
def word(value: str) -> str:
    """One word of a line, whatever printable text it is."""
    if not value or not value.isprintable():
        raise Bug("a word of a runtime command was to be printable text", found=ascii(value))
    if _PLAIN_WORD.fullmatch(value):
        return value
    if "<<" in value:
        raise Bug("a word of a runtime command was to be without `<<`", found=ascii(value))
    return _NEEDS_ESCAPE.sub(r"\\\1", value)


def file(value: str) -> str:
    """The name of a file, of a map or certificate: not what HAProxy would take for a number or a version."""
    if value.startswith(("#", "@", "*", "-")):
        raise Bug("a file's name was to begin otherwise in a runtime command", found=ascii(value))
    return word(value)


def whole(value: int, least: int, most: int, what: str) -> int:
    """`value` itself. HAProxy would cut a port down to 16 bits, and take a negative limit."""
    if type(value) is not int or not least <= value <= most:
        raise Bug(f"{what} was to be from {least} to {most}", found=ascii(value))
    return value


def _check_line(line: str) -> None:
    if not line.strip() or line != line.strip() or not line.isprintable() or "<<" in line:
        raise _not_one(line)
    rest = re.sub(r"\\.", "", line)
    if ";" in rest or "\\" in rest:
        raise _not_one(line)
    _check_words(line)


def _check_words(line: str) -> None:
    count = len(re.sub(r"\\.", "x", line).split())
    if count > WORDS:
        raise Bug(f"a runtime command was to have {WORDS} words at most", found=f"{count}: {_short(line)}")


def _check_payload(payload: bytes, line: str) -> None:
    if not payload or not all(payload.split(b"\n")) or b"\r" in payload or b"\0" in payload:
        raise Bug(
            "what a runtime command carries was to be lines of text, none of them empty",
            found=f"{len(payload)} bytes with an empty line, a carriage return or a zero byte",
            where=_short(line),
        )


def _not_one(line: str) -> Bug:
    return Bug("a runtime command was to be one line and one command", found=_short(line))


def _short(line: str) -> str:
    text = ascii(line)
    return text if len(text) <= 200 else f"{text[:200]}..."
