"""How much one client gets: tables of who came how often, and the rules that read them.

The tables stand in the section `peers`, and so a process hands them on to the one that replaces it. Each is
counted by a sticky counter of its own: 0 connections, 1 and 2 requests (HAProxy has three).
"""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.haproxy.config.sections import Frontend
from lbkit.haproxy.config.times import ms
from lbkit.haproxy.spec.limits import ByHeader, RateLimit
from lbkit.haproxy.spec.words import PEERS
from lbkit.haproxy.text.words import Words

CONNECTIONS = 0
KEY_BYTES = 128  # of a header's value; what follows is cut off
_STATUS = {403: "Forbidden", 429: "Too many requests", 503: "Service unavailable"}


def table_name(frontend: str, counter: int) -> str:
    """As rules name it."""
    return f"{PEERS}/{_own_name(frontend, counter)}"


def tables(section: Frontend) -> Iterator[Words]:
    """Lines of the section `peers`."""
    limit = section.handling.connections_per_source
    if limit is not None:
        # HAProxy keeps an entry while its connections are open, and then for `expire`
        yield _table(section.name, CONNECTIONS, ("type", "ipv6"), limit.clients, 10_000, "conn_cur")
    for counter, rate in enumerate(section.handling.rate_limit, start=1):
        kind = ("type", "string", "len", KEY_BYTES) if isinstance(rate.by, ByHeader) else ("type", "ipv6")
        per = ms(rate.per)
        yield _table(section.name, counter, kind, rate.clients, 2 * per, f"gpc0_rate({per})")


def limits(section: Frontend) -> Iterator[Words]:
    for counter, rate in enumerate(section.handling.rate_limit, start=1):
        table = ("table", table_name(section.name, counter))
        if isinstance(rate.by, ByHeader):
            yield "http-request", f"track-sc{counter}", f"req.fhdr({rate.by.header})", *table
        else:  # who has an IPv6 address has the other 2^64 of its network, too
            yield "http-request", f"track-sc{counter}", "src,ipmask(32,64)", *table
        yield *_refusal(rate), "if", "{", f"sc{counter}_gpc0_rate", "ge", rate.requests, "}"
        # only what gets through counts: who asks too often gets its share all the same
        yield "http-request", f"sc-inc-gpc0({counter})"


def _refusal(rate: RateLimit) -> Words:
    after = max(1, round(rate.per))
    return (
        *("http-request", "deny", "deny_status", rate.status, "content-type", "text/plain"),
        *("string", _STATUS[rate.status], "hdr", "Retry-After", after),
    )


def _table(frontend: str, counter: int, kind: Words, size: int, expire: int, store: str) -> Words:
    return (
        *("table", _own_name(frontend, counter), *kind),
        *("size", size, "expire", expire, "store", store),
    )


def _own_name(frontend: str, counter: int) -> str:
    return f"{frontend}.{counter}"
