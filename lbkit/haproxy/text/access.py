"""Which sources may come in, and how many connections one may have."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.haproxy.config.sections import Frontend
from lbkit.haproxy.sources import Sources, list_path
from lbkit.haproxy.text.limits import CONNECTIONS, table_name
from lbkit.haproxy.text.words import Words


def connections(section: Frontend) -> Iterator[Words]:
    """Before anything is read. Where a PROXY header says who comes, only after it: as a session, not a connection."""
    do = section.handling
    begin = ("tcp-request", "session" if any(bind.accept_proxy for bind in section.binds) else "connection")
    if section.mode == "tcp":
        for condition in _unwanted(section):
            yield *begin, "reject", *condition
    if do.connections_per_source is not None:
        yield *begin, "track-sc0", "src", "table", table_name(section.name, CONNECTIONS)
        yield (
            *begin,
            "reject",
            *("if", "{", "sc0_conn_cur", "gt", do.connections_per_source.connections, "}"),
        )


def requests(section: Frontend) -> Iterator[Words]:
    for condition in _unwanted(section):
        yield "http-request", "deny", "deny_status", 403, *condition


def _unwanted(section: Frontend) -> Iterator[Words]:
    do = section.handling
    if do.deny is not None:
        yield "if", "{", "src", "-f", list_path(section.name, Sources.DENY), "}"
    if do.allow is not None:
        yield "unless", "{", "src", "-f", list_path(section.name, Sources.ALLOW), "}"
