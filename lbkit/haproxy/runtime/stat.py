"""`show stat`: counters and states of frontends, backends and servers (management guide, 9.1)."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from sys import intern
from typing import NamedTuple, Protocol


class Told(Protocol):
    """What of a server's settings the statistics tell, as `Row` has it."""

    @property
    def backup(self) -> bool: ...
    @property
    def limit(self) -> int: ...
    @property
    def cookie(self) -> str: ...


class Settings(NamedTuple):
    backup: bool
    limit: int
    cookie: str
    shut: str = ""
    """Of a frontend that somebody closed at run time: PAUSED, which can be undone, or STOP."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the statistics: a frontend (`server` is FRONTEND), a backend (BACKEND) or a server.

    `changed`: seconds since it last went up or down. `check`: the last check's result by its short name
    (L4TOUT, L7STS), `code` its HTTP status, `words` what it means. `limit`: the most sessions it gets, 0 without one;
    `cookie`: the value that keeps a client at this server.

    `requests`: of HTTP, else sessions; like bytes, errors and `http_5xx` (answers of that class) counted since the
    process began. `rate`: requests in the last second. `request_errors` are the clients', the others the servers'.

    `agent`: as `check`, of the agent that it is asked by ("INI": not yet); `agent_words`: what it said.
    """

    proxy: str
    server: str
    status: str
    weight: int
    sessions: int
    sessions_total: int
    queue: int
    changed: int
    check: str
    code: str
    words: str
    detail: str
    backup: bool
    address: str
    limit: int = 0
    cookie: str = ""
    requests: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    request_errors: int = 0
    connect_errors: int = 0
    response_errors: int = 0
    http_5xx: int = 0
    rate: int = 0
    agent: str = ""
    agent_words: str = ""

    @property
    def is_server(self) -> bool:
        return self.server not in {"FRONTEND", "BACKEND"}

    @property
    def up(self) -> bool:
        """Whether it may get traffic: "UP", "UP 1/3" while a check fails, "no check". Not DRAIN, MAINT, DOWN, NOLB."""
        return self.status.startswith("UP") or self.status in {"no check", "OPEN"}


_COLUMNS = (
    *("pxname", "svname", "status", "weight", "scur", "stot", "qcur", "lastchg"),
    *("check_status", "check_code", "check_desc", "last_chk", "bck", "addr", "slim", "cookie"),
    *("mode", "req_tot", "bin", "bout", "ereq", "econ", "eresp", "hrsp_5xx", "rate", "req_rate"),
    *("agent_status", "last_agt"),
)


_LINE = re.compile(r"[^\n]*\n|[^\n]+")
"""A field may have other line ends in it, so `splitlines` would cut it."""


def parse_stat(text: str) -> Iterator[Row]:
    """Rows of `show stat` (management guide, 9.1). Columns are found by name: versions add to them."""
    for fields in columns(text, _COLUMNS):
        (proxy, server, status, weight, sessions, total, queue, changed, *rest) = fields
        (check, code, words, detail, backup, address, limit, cookie, *counted) = rest
        (mode, requests, came, went, client_errors, no_connection, no_answer, *rest) = counted
        (failed, rate, request_rate, agent, agent_words) = rest
        yield Row(
            intern(proxy),
            server,
            intern(status),
            int(weight or 0),
            int(sessions or 0),
            int(total or 0),
            int(queue or 0),
            int(changed or 0),
            intern(check.removeprefix("* ")),
            intern(code),
            intern(words),
            intern(detail),
            backup == "1" and server != "BACKEND",
            address,
            int(limit or 0),
            cookie,
            int((requests if mode == "http" else total) or 0),
            int(came or 0),
            int(went or 0),
            int(client_errors or 0),
            int(no_connection or 0),
            int(no_answer or 0),
            int(failed or 0),
            int((request_rate if mode == "http" and request_rate else rate) or 0),
            intern(agent.removeprefix("* ")),
            intern(agent_words),
        )


def parse_settings(text: str) -> dict[tuple[str, str], Settings]:
    """Of each row, by proxy and server, what a plan asks: a third of the work of all that the statistics tell."""
    known: dict[tuple[str, ...], Settings] = {}
    found: dict[tuple[str, str], Settings] = {}
    for proxy, server, *told in columns(text, ("pxname", "svname", "bck", "slim", "cookie", "status")):
        backup, limit, cookie, status = told
        settings = known.get((backup, limit, cookie))
        if settings is None:
            settings = known[backup, limit, cookie] = Settings(backup == "1", int(limit or 0), cookie)
        if server == "FRONTEND" and status in {"PAUSED", "STOP"}:
            settings = settings._replace(shut=status)
        found[proxy, server] = settings
    return found


def columns(text: str, names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    lines = (match[0] for match in _LINE.finditer(text))
    head = next(lines, "").rstrip("\n")
    if not head.startswith("# pxname,"):
        raise ValueError("a head of columns")
    at = {name: index for index, name in enumerate(head.removeprefix("# ").split(","))}
    pick = itemgetter(*(at[name] for name in names))
    if '"' not in text:
        most = max(at[name] for name in names) + 1
        return (pick(line.split(",", most)) for line in lines if line != "\n")
    return (pick(fields) for fields in csv.reader(lines) if fields)
