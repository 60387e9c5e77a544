"""The section `backend`, and its servers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from lbkit.haproxy.config.sections import Backend, Server
from lbkit.haproxy.config.times import ms
from lbkit.haproxy.spec.balance import HASHING, Hash, algorithm_of
from lbkit.haproxy.spec.words import RESOLVERS
from lbkit.haproxy.text import serials
from lbkit.haproxy.text.check import check, check_words, own_words
from lbkit.haproxy.text.keepalive import keepalive
from lbkit.haproxy.text.persistence import persistence
from lbkit.haproxy.text.process import timeouts
from lbkit.haproxy.text.tls import server_words
from lbkit.haproxy.text.words import Raw, Words, endpoint


def backend(section: Backend) -> Iterator[Words]:
    traffic = section.traffic
    yield "mode", section.mode
    yield from _balance(section.balance, traffic.hash)
    yield "retries", traffic.retries
    if traffic.retry_on is not None:
        yield "retry-on", *traffic.retry_on
    if not traffic.redispatch:
        yield "no", "option", "redispatch"
    if traffic.http_reuse is not None:
        yield "http-reuse", traffic.http_reuse
    if traffic.full_connections is not None:
        yield "fullconn", traffic.full_connections
    if traffic.all_backups:
        yield "option", "allbackups"
    if traffic.abort_on_close:
        yield "option", "abortonclose"
    if traffic.keepalive is not None:
        yield from keepalive("srv", traffic.keepalive)
    if section.source is not None:
        yield "source", section.source.compressed
    yield from timeouts(section.timeouts)
    yield from persistence(section)
    yield from serials.rules(section)
    if section.check is not None:
        yield from check(section.check, section.host, agent_too=section.agent_checked)
    yield from ((Raw(line),) for line in traffic.raw)
    shared = server_defaults(section)
    if shared:
        yield "default-server", *shared
    named = traffic.cookie is not None and not traffic.cookie.dynamic
    # consistent hashing places a server by its number: one that is its name's is alike on all members, and after a restart
    numbers = _numbers(section) if _is_consistent(section) else {}
    asked_at = own_words(section.check)
    for server in section.servers:
        yield (*server_line(server, cookie=named, number=numbers.get(server.name)), *asked_at)


def server_defaults(backend: Backend) -> Words:
    """What all servers of the backend have. A change of it is a reload; `add server` must be told it word by word."""
    traffic = backend.traffic
    words: list[str | int] = []
    if backend.tls is not None:
        words += server_words(backend.tls, backend.check)
    if backend.check is not None:
        words += check_words(backend.check, verified=backend.tls is not None)
    if traffic.slow_start is not None:
        words += ["slowstart", ms(traffic.slow_start)]
    if traffic.send_proxy is not None:
        words += ["send-proxy" if traffic.send_proxy == "v1" else "send-proxy-v2"]
    if traffic.observe is not None:
        words += ["observe", traffic.observe]
    if traffic.error_limit is not None:
        words += ["error-limit", traffic.error_limit]
    if traffic.on_error is not None:
        words += ["on-error", traffic.on_error]
    if traffic.shutdown_when_down:
        words += ["on-marked-down", "shutdown-sessions"]
    if traffic.shutdown_backups_when_up:
        words += ["on-marked-up", "shutdown-backup-sessions"]
    return tuple(words)


def server_line(server: Server, *, cookie: bool, number: int | None = None) -> Words:
    """What is this server's own. `cookie`: clients are kept at it by its name. `number`: its `id`."""
    named = isinstance(server.address, str)
    address = server.address if isinstance(server.address, str) else server.address.compressed
    words: list[str | int] = ["server", server.name, endpoint(address, server.port), "weight", server.weight]
    if server.backup:
        words += ["backup"]
    if server.minconn is not None:
        words += ["minconn", server.minconn]
    if server.maxconn is not None:
        words += ["maxconn", server.maxconn]
    if server.maxqueue is not None:
        words += ["maxqueue", server.maxqueue]
    if cookie:
        words += ["cookie", server.cookie or server.name]
    if named:
        # it is not asked for while HAProxy starts, so that a name server that is away keeps nothing from starting
        words += ["resolvers", RESOLVERS, "resolve-prefer", server.prefer, "init-addr", "last,none"]
    if not server.check:
        words += ["no-check"]
    if server.raw is not None:
        words += server.raw.split(" ")
    if number is not None:
        words += ["id", number]
    if server.state == "maintenance":
        words += ["disabled"]
    return tuple(words)


def _is_consistent(section: Backend) -> bool:
    algorithm, _ = algorithm_of(section.balance)
    return algorithm in HASHING and section.traffic.hash.type == "consistent"


def _numbers(section: Backend) -> dict[str, int]:
    """A number from 1 to 2^31 - 1 for each server, by its name; of two names with one number, the later gets another."""
    taken: dict[int, str] = {}
    for server in section.servers:
        salt = 0
        while (number := _number(f"{server.name}{salt or ''}")) in taken:
            salt += 1
        taken[number] = server.name
    return {name: number for number, name in taken.items()}


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % (2**31 - 1) + 1


def _balance(balance: str, hashed: Hash) -> Iterator[Words]:
    algorithm, argument = algorithm_of(balance)
    # url_param alone takes its argument as a word (configuration manual, 4.2 "balance")
    words: list[str | int] = [algorithm, argument] if algorithm == "url_param" else [balance]
    if hashed.length is not None:
        words += ["len", hashed.length]
    if hashed.depth is not None:
        words += ["depth", hashed.depth]
    options = {
        "whole": hashed.whole,
        "path-only": hashed.path_only,
        "check_post": hashed.check_post,
        "use_domain_only": hashed.domain_only,
    }
    yield "balance", *words, *(option for option, on in options.items() if on)
    if algorithm in HASHING:
        function = hashed.function or ("sdbm" if hashed.avalanche else None)
        modifier = ("avalanche",) if hashed.avalanche else ()
        yield "hash-type", hashed.type, *((function, *modifier) if function else ())
    if hashed.balance_factor is not None:
        yield "hash-balance-factor", hashed.balance_factor
