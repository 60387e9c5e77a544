"""The section `backend`, and its servers."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.haproxy.config.sections import CONSISTENT, Backend, Server
from lbkit.haproxy.text.check import check, check_words
from lbkit.haproxy.text.process import timeouts
from lbkit.haproxy.text.tls import server_words
from lbkit.haproxy.text.words import Words, endpoint


def backend(section: Backend) -> Iterator[Words]:
    yield "mode", section.mode
    algorithm, _, argument = section.balance.rstrip(")").partition("(")
    # url_param alone takes its argument as a word (configuration manual, 4.2 "balance")
    yield "balance", *((algorithm, argument) if algorithm == "url_param" else (section.balance,))
    if algorithm in CONSISTENT:
        yield "hash-type", "consistent"
    yield "retries", section.retries
    yield from timeouts(section.timeouts)
    if section.cookie is not None:
        yield "cookie", section.cookie, "insert", "indirect", "nocache", "httponly"
    if section.check is not None:
        yield from check(section.check, section.host)
    shared = server_defaults(section)
    if shared:
        yield "default-server", *shared
    for server in section.servers:
        yield _server(server, section)


def server_defaults(backend: Backend) -> Words:
    """What all servers of the backend have. A change of it is a reload; `add server` must be told it word by word."""
    words: list[str | int] = []
    if backend.tls is not None:
        words += server_words(backend.tls)
    if backend.check is not None:
        words += check_words(backend.check, verified=backend.tls is not None)
    return tuple(words)


def _server(server: Server, backend: Backend) -> Words:
    words: list[str | int] = ["server", server.name, endpoint(server.address.compressed, server.port)]
    words += ["weight", server.weight]
    if server.backup:
        words += ["backup"]
    if server.maxconn is not None:
        words += ["maxconn", server.maxconn]
    if backend.cookie is not None:
        words += ["cookie", server.name]
    return tuple(words)
