"""From a Config to the text of haproxy.cfg: the same text for the same Config, every word quoted where it must be.

The text carries its own digest in `description`, which the running process shows again (`show info`): so it can
be told what a process has loaded, whatever has become of the file since.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from lbkit.base.errors import Bug
from lbkit.haproxy.config import (
    CONSISTENT,
    RUNTIME_SOCKET,
    STATE_FILE,
    Backend,
    Bind,
    Check,
    Config,
    Defaults,
    Frontend,
    Global,
    Server,
)

Words = tuple[str | int, ...]

_PLAIN = re.compile(r"[A-Za-z0-9_.:/@*,=()\[\]?&+%~!;<>|^-]+\Z", re.ASCII)
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NO_DIGEST = " sha256:\n"
_DIGEST = re.compile(r"\bsha256:([0-9a-f]{32})\b")

FILES_WITHOUT_MAXCONN = 100_000
"""Where no maxconn is written, HAProxy makes one of the limit of open files, which some hosts have at a thousand
million: it would set memory aside for as many."""


def render(config: Config) -> str:
    text = _text(config)
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    return text.replace(_NO_DIGEST, _NO_DIGEST[:-1] + digest + "\n", 1)


def digest_in(text: str) -> str | None:
    """The digest that a configuration's text, or the description of a running HAProxy, carries."""
    match = _DIGEST.search(text)
    return match[1] if match else None


@lru_cache(maxsize=8192)
def word(value: str | int) -> str:
    """One word of a line, whatever is in it (configuration manual, 2.2 "Quoting and escaping").

    Within single quotes nothing has a meaning but the quote itself. What would end the line is a Bug: types
    refuse it long before.
    """
    text = str(value)
    if _FORBIDDEN.search(text):
        raise Bug("words of a configuration were to be free of control characters", found=ascii(text))
    if _PLAIN.match(text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def _text(config: Config) -> str:
    sections = [
        ("global", _global(config.global_)),
        ("defaults", _defaults(config.defaults)),
        *((f"frontend {word(each.name)}", _frontend(each)) for each in config.frontends),
        *((f"backend {word(each.name)}", _backend(each)) for each in config.backends),
    ]
    lines = [
        f"# {word(config.global_.mark)}",
        "# lbkit made this file, and the next apply writes it anew: change the topology's file instead.",
    ]
    for head, body in sections:
        lines += ["", head, *("    " + " ".join(word(each) for each in words) for words in body)]
    return "\n".join(lines) + "\n"


def _global(section: Global) -> Iterator[Words]:
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


def _defaults(section: Defaults) -> Iterator[Words]:
    yield "log", "global"
    yield "option", "dontlognull"
    # 1: each try that fails goes to another server at once, without the second's pause before the same one
    yield "option", "redispatch", 1
    yield "load-server-state-from-file", "global"
    yield from _timeouts(section.timeouts)


def _timeouts(timeouts: Mapping[str, int]) -> Iterator[Words]:
    for name in sorted(timeouts):
        yield "timeout", name, timeouts[name]


def _frontend(section: Frontend) -> Iterator[Words]:
    yield "mode", section.mode
    for bind in section.binds:
        yield from _bind(bind)
    if section.maxconn is not None:
        yield "maxconn", section.maxconn
    yield from _timeouts(section.timeouts)
    yield "option", "httplog" if section.mode == "http" else "tcplog"
    if section.mode == "http":
        # A process that is being replaced tells each client to close with its next response. Without this it cuts idle
        # connections at once, and a request that is on its way to it then is lost.
        yield "option", "idle-close-on-response"
    if section.forwarded_for:
        yield "option", "forwardfor"
    yield "default_backend", section.backend


def _bind(bind: Bind) -> Iterator[Words]:
    options = ("transparent",) if bind.freebind else ()
    if bind.address is not None:
        yield "bind", _endpoint(bind.address.compressed, bind.port), *options
    elif bind.both:
        yield "bind", f":::{bind.port}", "v4v6"
    else:
        yield "bind", f"*:{bind.port}"


def _backend(section: Backend) -> Iterator[Words]:
    yield "mode", section.mode
    algorithm, _, argument = section.balance.rstrip(")").partition("(")
    # url_param alone takes its argument as a word (configuration manual, 4.2 "balance")
    yield "balance", *((algorithm, argument) if algorithm == "url_param" else (section.balance,))
    if algorithm in CONSISTENT:
        yield "hash-type", "consistent"
    yield "retries", section.retries
    yield from _timeouts(section.timeouts)
    if section.cookie is not None:
        yield "cookie", section.cookie, "insert", "indirect", "nocache", "httponly"
    if section.check is not None:
        yield from _check(section.check, section.host)
    for server in section.servers:
        yield _server(server, section)


def _check(check: Check, host: str) -> Iterator[Words]:
    yield "timeout", "check", check.timeout
    if check.path is not None:
        yield "option", "httpchk"
        yield (
            *("http-check", "send", "meth", "GET", "uri", check.path),
            *("ver", "HTTP/1.1", "hdr", "Host", host, "hdr", "User-Agent", "lbkit"),
        )
        yield "http-check", "expect", "status", "200-399"


def _server(server: Server, backend: Backend) -> Words:
    words: list[str | int] = ["server", server.name, _endpoint(server.address.compressed, server.port)]
    words += ["weight", server.weight]
    if server.backup:
        words += ["backup"]
    if server.maxconn is not None:
        words += ["maxconn", server.maxconn]
    if backend.cookie is not None:
        words += ["cookie", server.name]
    check = backend.check
    if check is not None:
        words += ["check", "inter", check.interval, "rise", check.rise, "fall", check.fall]
        if check.port is not None:
            words += ["port", check.port]
    return tuple(words)


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
