"""Lines as they can stand in `raw`, where names have become others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lbkit.haproxy.importing.cfg import Line, lines
from lbkit.haproxy.importing.fitting import misfit_as_raw
from lbkit.haproxy.importing.report import Report
from lbkit.haproxy.importing.settings import Proxy
from lbkit.haproxy.importing.values import Names
from lbkit.haproxy.text.words import word

_BEFORE_A_FILE = frozenset(
    {"-f", "lua-load", "lua-load-per-thread", "errorfiles", "ca-file", "crt", "crl-file"}
)
_MAP = re.compile(r"\bmap(?:_[a-z_]+)?\(([^,()]+)")
_FETCH = re.compile(
    r"\b([a-z0-9_]*(?:srv|be|fe|nbsrv|queue|connslots|table|sc[0-2]?|src|in_table)[a-z0-9_]*)\(([^()]*)\)"
)


@dataclass(frozen=True, slots=True)
class Renamed:
    """Names that became others, and lines that speak of them."""

    backends: Names
    frontends: Names
    tables: Mapping[str, str]  # of peers sections that became lbkit's own

    def line(self, line: Line, servers: Names | None = None) -> str:
        """The line as it can stand in `raw`."""
        words = list(line.words)
        if line.variables or not all(each.isprintable() for each in words):
            return _with_spaces(line)  # an escape such as \\n stands as it was written
        changed = self._words(words, servers)
        if changed == words and re.fullmatch(r"[A-Za-z0-9_.-]+(?: [ -~]*)?", line.text):
            return line.text
        return " ".join(word(each) for each in changed)

    def _words(self, words: Sequence[str], servers: Names | None) -> list[str]:
        backends = self.backends.changed
        found = [_FETCH.sub(lambda match: self._fetch(match, servers), each) for each in words]
        if found[0] == "use_backend" and len(found) > 1:
            found[1] = backends.get(found[1], found[1])
        if found[0] == "use-server" and servers is not None and len(found) > 1:
            found[1] = servers.changed.get(found[1], found[1])
        for index, each in enumerate(found[:-1]):
            if each == "table":
                section, slash, table = found[index + 1].partition("/")
                found[index + 1] = self._proxy(section) + slash + table
            if each == "peers" and index and found[0] == "stick-table":
                found[index + 1] = self.tables.get(found[index + 1], found[index + 1])
        return found

    def _proxy(self, name: str) -> str:
        return self.backends.changed.get(name) or self.frontends.changed.get(name) or name

    def _fetch(self, match: re.Match[str], servers: Names | None) -> str:
        arguments = []
        for argument in match[2].split(","):
            proxy, slash, server = argument.partition("/")
            named = servers.changed.get(server, server) if servers is not None else server
            arguments.append(self._proxy(proxy) + slash + named)
        return f"{match[1]}({','.join(arguments)})"


def _with_spaces(line: Line) -> str:
    """Between its words, where that changes nothing else."""
    text = line.text.replace("\t", " ")
    again = list(lines(text))
    return text if [each.words for each in again] == [line.words] else line.text


def raw_lines(
    proxy: Proxy, left: Sequence[Line], renamed: Renamed, report: Report, servers: Names | None = None
) -> Iterator[str]:
    """Those that can stand as they are, each told."""
    for line in left:
        text = renamed.line(line, servers)
        wrong = misfit_as_raw(proxy.side, text)
        if line.keyword in WHY:
            report.left_out(line, proxy.title, WHY[line.keyword])
        elif wrong:
            report.left_out(line, proxy.title, f"`raw` takes {wrong}")
        else:
            report.raw(line, proxy.title, doubts(line))
            yield text


def doubts(line: Line) -> str:
    """What may not be as before although the line is."""
    found = []
    if line.variables:
        found.append(f"lbkit's processes have no environment variable {', '.join(line.variables)}")
    paths = [path for path in _paths(line) if not path.startswith(("/", "$"))]
    if paths:
        found.append(
            f"lbkit's HAProxy has a working folder of its own: write the whole path of {', '.join(paths)}"
        )
    return "; ".join(found)


def _paths(line: Line) -> Iterator[str]:
    """Files that it names."""
    for before, path in pairwise(line.words):
        if before in _BEFORE_A_FILE:
            yield path
    if line.words[0] == "errorfile":
        yield line.word(2)
    yield from (match[1] for each in line.words for match in _MAP.finditer(each))


WHY = {
    "id": "numbers of proxies are HAProxy's own",
    "guid": "numbers of proxies are HAProxy's own",
    "bind-process": "HAProxy has one process since 2.5",
    "server-state-file-name": "lbkit keeps servers' states in a file of its own",
    "load-server-state-from-file": "lbkit keeps servers' states in a file of its own",
    "dispatch": "lbkit's backends have servers, which can be checked and drained",
    "description": "lbkit says in it what a process has loaded",
    "enabled": "it is the default",
}
