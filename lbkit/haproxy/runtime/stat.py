"""`show stat`: counters and states of frontends, backends and servers (management guide, 9.1)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from sys import intern


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the statistics: a frontend (`server` is FRONTEND), a backend (BACKEND) or a server.

    `changed`: seconds since it last went up or down. `check`: the last check's result by its short name
    (L4TOUT, L7STS), `code` its HTTP status, `words` what it means. `limit`: the most sessions it gets, 0 without one;
    `cookie`: the value that keeps a client at this server.
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
)


def parse_stat(text: str) -> Iterator[Row]:
    """Rows of `show stat` (management guide, 9.1). Columns are found by name: versions add to them."""
    lines = io.StringIO(text, newline="\n")  # as HAProxy ends its lines: a field may have other ends in it
    head = next(lines, "").strip()
    if not head.startswith("# pxname,"):
        raise ValueError("a head of columns")
    at = {name: index for index, name in enumerate(head.removeprefix("# ").split(","))}
    pick = itemgetter(*(at[name] for name in _COLUMNS))
    for fields in csv.reader(lines):
        if not fields:
            continue
        (proxy, server, status, weight, sessions, total, queue, changed, *rest) = pick(fields)
        (check, code, words, detail, backup, address, limit, cookie) = rest
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
        )
