"""Health checks: the lines of a backend that say what is a good answer."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.haproxy.config.sections import Check
from lbkit.haproxy.text.words import Words


def check(section: Check, host: str) -> Iterator[Words]:
    yield "timeout", "check", section.timeout
    if section.path is not None:
        yield "option", "httpchk"
        yield (
            *("http-check", "send", "meth", "GET", "uri", section.path),
            *("ver", "HTTP/1.1", "hdr", "Host", host, "hdr", "User-Agent", "lbkit"),
        )
        yield "http-check", "expect", "status", "200-399"
