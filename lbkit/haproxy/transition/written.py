"""The text of a configuration, taken apart: what only a reload changes, and the servers, which change at run time."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from lbkit.haproxy.transition.server import Server, own_words

FILE_MARK = "# file "
"""How the text names a file beside it: `# file PATH KIND DIGEST`."""


@dataclass(frozen=True, slots=True)
class Section:
    """`kind` and `name` as at its head; `lines` in order; of a backend `servers`, by name, their lines' other words."""

    lines: tuple[str, ...] = ()
    servers: Mapping[str, str] = field(default_factory=dict)

    @property
    def balance(self) -> tuple[str, ...]:
        return next((tuple(line.split()[1:]) for line in self.lines if line.startswith("balance ")), ())

    @property
    def consistent(self) -> bool:
        return any(line.split()[:2] == ["hash-type", "consistent"] for line in self.lines)

    @property
    def defaults(self) -> tuple[str, ...]:
        """The words of its `default-server` line: what `add server` must be told."""
        found = (line for line in self.lines if line.startswith("default-server "))
        return tuple(word for line in found for word in split(line)[1:])

    def default(self, keyword: str, otherwise: str) -> str:
        """The value of one keyword of that line."""
        words = self.defaults
        return words[words.index(keyword) + 1] if keyword in words[:-1] else otherwise


Sections = Mapping[tuple[str, str], Section]


@lru_cache(maxsize=64)
def sections(text: str) -> Sections:
    """Of a text that lbkit did not write: as far as it is written alike."""
    found: dict[tuple[str, str], tuple[list[str], dict[str, str]]] = {}
    lines: list[str] = []
    servers: dict[str, str] = {}
    backend = False
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith(("#", "description ")):  # the digest in it changes with anything
            continue
        if not raw[0].isspace():
            kind, _, name = line.partition(" ")
            backend = kind == "backend"
            lines, servers = found.setdefault((kind, name.strip()), ([], {}))
        elif backend and line.startswith("server ") and len(line.split(None, 2)) == 3:
            _, name, rest = line.split(None, 2)
            servers[name] = rest
        else:
            lines.append(line)
    return {head: Section(tuple(lines), servers) for head, (lines, servers) in found.items()}


@lru_cache(maxsize=64)
def servers(text: str) -> Mapping[str, Server]:
    """The servers of all backends, by "BACKEND/SERVER", as a process would have them that has just read the text."""
    return {
        f"{name}/{server}": Server.of_line(split(line), defaults)
        for (kind, name), section in sections(text).items()
        if kind == "backend"
        for defaults in [section.defaults]
        for server, line in section.servers.items()
    }


def static_digest(text: str) -> str:
    """32 hex digits over all that only a reload changes: not over servers whose words can all be read back."""
    kept = hashlib.sha256()
    for line in _static(text):
        kept.update(line.encode())
        kept.update(b"\n")
    return kept.hexdigest()[:32]


def _static(text: str) -> Iterator[str]:
    backend = False
    for line in text.splitlines():
        if not line or line.startswith(("#", "    description ")):
            continue
        if not line.startswith(" "):
            backend = line.startswith("backend ")
        elif backend and line.startswith("    server ") and not own_words(split(line)[2:]):
            continue
        yield line
    yield from (f"{path} {digest}" for path, kind, digest in _files(text) if kind == "plain")


def files(text: str) -> Mapping[str, tuple[str, str]]:
    """Those that the text names: their kind and digest, by path."""
    return {path: (kind, digest) for path, kind, digest in _files(text)}


def mark(path: str, kind: str, digest: str) -> str:
    return f"{FILE_MARK}{path} {kind} {digest}"


def with_marks(text: str, marks: Sequence[str]) -> str:
    """The text with more files at its head."""
    head, blank, rest = text.partition("\n\n")
    return "\n".join([head, *marks]) + blank + rest


def _files(text: str) -> Iterator[tuple[str, str, str]]:
    for line in text.splitlines():
        if line.startswith(FILE_MARK) and len(parts := line.split()) == 5:
            yield parts[2], parts[3], parts[4]
        elif line and not line.startswith("#"):
            return


def server_names(text: str) -> frozenset[str]:
    return frozenset(name for section in sections(text).values() for name in section.servers)


def bound_ports(text: str) -> frozenset[str]:
    """The ports that frontends listen on."""
    return frozenset(
        line.split()[1].rpartition(":")[2]
        for (kind, _), section in sections(text).items()
        if kind == "frontend"
        for line in section.lines
        if line.startswith("bind ")
    )


def split(line: str) -> list[str]:
    """The words of a line, without their quotes."""
    return shlex.split(line) if "'" in line else line.split()
