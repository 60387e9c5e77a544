"""Headers that are removed, set and added."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.haproxy.config.sections import Frontend
from lbkit.haproxy.spec.headers import Changes
from lbkit.haproxy.spec.https import Hsts
from lbkit.haproxy.text.words import Words

_TLS = ("{", "ssl_fc", "}")


def requests(section: Frontend) -> Iterator[Words]:
    yield from _changes("http-request", section.handling.headers.request)
    if section.handling.forwarded_proto:
        yield "http-request", "set-header", "X-Forwarded-Proto", "https", "if", *_TLS
        yield "http-request", "set-header", "X-Forwarded-Proto", "http", "unless", *_TLS


def responses(section: Frontend) -> Iterator[Words]:
    """`http-after-response`: of HAProxy's own answers too, redirects above all."""
    yield from _changes("http-after-response", section.handling.headers.response)
    if section.handling.hsts is not None:
        value = _hsts(section.handling.hsts)
        yield "http-after-response", "set-header", "Strict-Transport-Security", value, "if", *_TLS


def _changes(rule: str, changes: Changes) -> Iterator[Words]:
    for name in changes.remove:
        yield rule, "del-header", name
    for name, value in changes.set.items():
        yield rule, "set-header", name, _plain(value)
    for name, value in changes.add.items():
        yield rule, "add-header", name, _plain(value)


def _plain(value: str) -> str:
    """A value is a log-format (configuration manual, 8.2.4), in which % has a meaning."""
    return value.replace("%", "%%")


def _hsts(hsts: Hsts) -> str:
    words = [f"max-age={hsts.days * 86400}"]
    words += ["includeSubDomains"] if hsts.subdomains else []
    words += ["preload"] if hsts.preload else []
    return "; ".join(words)
