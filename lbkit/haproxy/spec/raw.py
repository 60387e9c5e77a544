r"""Lines of haproxy.cfg as they are, for what has no key. HAProxy itself checks them before anything is written.

One line stays one line of its section: what begins another section, switches lines off (`.if`), or says what
lbkit says itself is refused. The words that decide this are plain text: quotes, `$` and `\` could hide them.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from lbkit.base.names import Form
from lbkit.haproxy.spec.words import PEERS, RESOLVERS
from lbkit.health.values import OneLine

SECTIONS = frozenset(
    {
        "acme",
        "backend",
        "cache",
        "crt-store",
        "defaults",
        "dynamic-update",
        "fcgi-app",
        "frontend",
        "global",
        "http-errors",
        "listen",
        "log-forward",
        "log-profile",
        "mailers",
        "peers",
        "program",
        "resolvers",
        "ring",
        "traces",
        "userlist",
    }
)

OF_GLOBAL = frozenset(
    {
        "chroot",
        "daemon",
        "description",
        "group",
        "gid",
        "hard-stop-after",
        "localpeer",
        "master-worker",
        "mworker-max-reloads",
        "nbproc",
        "nbthread",
        "pidfile",
        "server-state-base",
        "server-state-file",
        "stats",
        "uid",
        "user",
    }
)
OF_DEFAULTS = frozenset({"load-server-state-from-file", "mode", "default-server", "default_backend"})
OF_FRONTEND = frozenset({"bind", "default_backend", "description", "id", "mode", "disabled", "guid"})
OF_BACKEND = frozenset(
    {
        "balance",
        "cookie",
        "default-server",
        "description",
        "disabled",
        "dispatch",
        "dynamic-cookie-key",
        "guid",
        "hash-type",
        "id",
        "load-server-state-from-file",
        "mode",
        "server",
        "server-state-file-name",
        "server-template",
    }
)

_FIRST = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]*)(?: +([!-~]+).*)?", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)


def _line(kind: str, taken: frozenset[str]) -> AfterValidator:
    def check(line: str) -> str:
        found = _FIRST.fullmatch(line)
        if found is None:
            raise ValueError("a line that begins with a keyword of HAProxy's, without spaces before it")
        if line.endswith("\\"):
            raise ValueError("a line that does not end with a backslash")
        word, second = found[1], found[2] or ""
        if word in {"no", "default"}:
            if not _PLAIN.fullmatch(second):
                raise ValueError(f"a keyword of HAProxy's after `{word}`")
            word = second
        if word in SECTIONS:
            raise ValueError(f"a line of the section `{kind}`: `{word}` would begin another one")
        if word in taken:
            raise ValueError(f"a line that lbkit does not write itself: `{word}` is its own")
        return line

    return AfterValidator(check)


_MANY = Field(max_length=1000)

_OTHERS = ("cache", "fcgi-app", "http-errors", "mailers", "peers", "resolvers", "ring", "userlist")


def _not_ours(head: str) -> str:
    if head in {f"peers {PEERS}", f"resolvers {RESOLVERS}"}:
        raise ValueError(f"another name than that of lbkit's own section: {head}")
    return head


RawHead = Annotated[
    str,
    StringConstraints(max_length=100),
    Form(rf"({'|'.join(_OTHERS)}) [A-Za-z0-9_.:-]+", f"a kind of section ({', '.join(_OTHERS)}) and a name"),
    AfterValidator(_not_ours),
]
RawSection = Annotated[tuple[Annotated[OneLine, _line("section", frozenset({"description"}))], ...], _MANY]
RawGlobal = Annotated[tuple[Annotated[OneLine, _line("global", OF_GLOBAL)], ...], _MANY]
RawDefaults = Annotated[tuple[Annotated[OneLine, _line("defaults", OF_DEFAULTS)], ...], _MANY]
RawFrontend = Annotated[tuple[Annotated[OneLine, _line("frontend", OF_FRONTEND)], ...], _MANY]
RawBackend = Annotated[tuple[Annotated[OneLine, _line("backend", OF_BACKEND)], ...], _MANY]

OF_LINES = frozenset(
    {
        *(
            "accept-proxy",
            "agent-check",
            "backup",
            "cookie",
            "disabled",
            "enabled",
            "id",
            "maxconn",
            "maxqueue",
        ),
        *("minconn", "no-check", "transparent", "v4v6", "v6only", "weight"),
    }
)
"""Words of `server` and `bind` lines that have keys: lbkit reads back, or follows, what they say."""


def _words(text: str) -> str:
    if not re.fullmatch(r"[!-~]+( [!-~]+)*", text, re.ASCII) or re.search(r"""["'\\$#]""", text):
        raise ValueError("words of printable ASCII with one space between them, without quotes, \\, $ and #")
    own = next((word for word in text.split() if word in OF_LINES), None)
    if own is not None:
        raise ValueError(f"words that no key stands for: `{own}` has one")
    return text


RawWords = Annotated[OneLine, AfterValidator(_words)]
"""More words of one `server` or `bind` line."""
