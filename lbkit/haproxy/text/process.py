"""The sections `global` and `defaults`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lbkit.haproxy.config.paths import RUNTIME_SOCKET, STATE_FILE
from lbkit.haproxy.config.sections import Defaults, Global
from lbkit.haproxy.text.words import Words

FILES_WITHOUT_MAXCONN = 100_000
"""Where no maxconn is written, HAProxy makes one of the limit of open files, which some hosts have at a thousand
million: it would set memory aside for as many."""


def process(section: Global) -> Iterator[Words]:
    yield "description", section.mark, "sha256:"
    if section.user is not None:
        yield "user", section.user
        yield "group", section.user
    yield "log", "stdout", "format", "raw", "local0", section.log_level
    # expose-fd: a reload takes the listening sockets from the process that it replaces, none is ever closed
    yield "stats", "socket", f"unix@{RUNTIME_SOCKET}", "mode", 600, "level", "admin", "expose-fd", "listeners"
    yield "stats", "timeout", "1m"
    yield "server-state-file", STATE_FILE
    yield "hard-stop-after", section.hard_stop_after
    if section.maxconn is not None:
        yield "maxconn", section.maxconn
    else:
        yield "fd-hard-limit", FILES_WITHOUT_MAXCONN


def defaults(section: Defaults) -> Iterator[Words]:
    yield "log", "global"
    yield "option", "dontlognull"
    # 1: each try that fails goes to another server at once, without the second's pause before the same one
    yield "option", "redispatch", 1
    yield "load-server-state-from-file", "global"
    yield from timeouts(section.timeouts)


def timeouts(timeouts: Mapping[str, int]) -> Iterator[Words]:
    for name in sorted(timeouts):
        yield "timeout", name, timeouts[name]
