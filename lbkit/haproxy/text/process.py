"""The sections `global` and `defaults`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lbkit.haproxy.config.paths import RUNTIME_SOCKET, STATE_FILE
from lbkit.haproxy.config.sections import Defaults, Global, Peers
from lbkit.haproxy.spec.process import Tuning
from lbkit.haproxy.text.logs import target
from lbkit.haproxy.text.words import Raw, Words

FILES_WITHOUT_MAXCONN = 100_000
"""Where no maxconn is written, HAProxy makes one of the limit of open files, which some hosts have at a thousand
million: it would set memory aside for as many."""


_NO_CLIENT = (
    (Raw(".if feature(OPENSSL)"),),
    (Raw(".if version_atleast(2.6)"),),
    ("httpclient.ssl.verify", "none"),
    (Raw(".endif"),),
    (Raw(".endif"),),
)
"""HAProxy's own HTTP client, for Lua and the like, reads all CA certificates of the host at each check, start and reload:
that is 20 of 28 ms. Only a raw line can bring what uses it, and then it is left as it is."""


def process(section: Global, peers: Peers | None = None) -> Iterator[Words]:
    yield "description", section.mark, "sha256:"
    if section.user is not None:
        yield "user", section.user
        yield "group", section.user
    yield "log", "stdout", "format", "raw", "local0", section.log_level
    for log in section.log:
        yield target(log, section.log_level)
    # expose-fd: a reload takes the listening sockets from the process that it replaces, none is ever closed
    yield "stats", "socket", f"unix@{RUNTIME_SOCKET}", "mode", 600, "level", "admin", "expose-fd", "listeners"
    yield "stats", "timeout", "1m"
    yield "server-state-file", STATE_FILE
    yield "hard-stop-after", section.hard_stop_after
    if section.maxconn is not None:
        yield "maxconn", section.maxconn
    else:
        yield "fd-hard-limit", FILES_WITHOUT_MAXCONN
    if peers is not None:
        yield "localpeer", peers.local
    yield from _tuning(section.tuning)
    if not section.raw:
        yield from _NO_CLIENT
    yield from ((Raw(line),) for line in section.raw)


def defaults(section: Defaults) -> Iterator[Words]:
    yield "log", "global"
    yield "option", "dontlognull"
    # 1: each try that fails goes to another server at once, without the second's pause before the same one
    yield "option", "redispatch", 1
    yield "load-server-state-from-file", "global"
    yield from timeouts(section.timeouts)
    yield from ((Raw(line),) for line in section.raw)


def _tuning(tuning: Tuning) -> Iterator[Words]:
    sizes = {
        "nbthread": tuning.threads,
        "tune.bufsize": tuning.buffer_size,
        "tune.maxrewrite": tuning.rewrite_reserve,
        "tune.http.maxhdr": tuning.headers,
        "spread-checks": tuning.spread_checks,
    }
    for keyword, size in sizes.items():
        if size is not None:
            yield keyword, size


def timeouts(timeouts: Mapping[str, int]) -> Iterator[Words]:
    for name in sorted(timeouts):
        yield "timeout", name, timeouts[name]
