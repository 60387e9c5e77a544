"""Take traffic off servers that the next configuration no longer has, or has elsewhere, before it is loaded.

The process that a reload replaces keeps its clients' connections, and would send their requests on to servers
whose machines are deleted next. In maintenance (management guide, 9.3 "set server") a server gets no new
request, and those under way go on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lbkit.base.clock import Clock
from lbkit.haproxy.runtime import Row, Runtime
from lbkit.haproxy.transition import sections
from lbkit.haproxy.waiting import wait_for

ENDS_WITHIN = 10.0  # seconds that requests under way get to end


@dataclass(frozen=True, slots=True)
class Resting:
    """(backend, server) of those that were set to rest."""

    servers: tuple[tuple[str, str], ...] = ()


def rest(runtime: Runtime, before: str, after: str, clock: Clock) -> Resting:
    """Set to rest what leaves, wherever another server of its backend is up; wait for their requests to end."""
    leaving = departing(before, after)
    if not leaving:
        return Resting()
    able = frozenset(able_to_rest(runtime.stat(), leaving))
    for backend, server in sorted(able):
        runtime.do(f"set server {backend}/{server} state maint")

    def quiet() -> bool | None:
        busy = any((row.proxy, row.server) in able and row.sessions for row in runtime.stat())
        return None if busy else True

    if able:
        wait_for(clock, ENDS_WITHIN, quiet, every=0.05)
    return Resting(tuple(sorted(able)))


def wake(runtime: Runtime, resting: Resting) -> None:
    for backend, server in resting.servers:
        runtime.do(f"set server {backend}/{server} state ready")


def departing(before: str, after: str) -> frozenset[tuple[str, str]]:
    """(backend, server) that `after` does not have, or has at another address."""
    old, new = sections(before), sections(after)
    gone = set()
    for (kind, name), section in old.items():
        later = new.get((kind, name))
        for server, line in section.servers.items():
            now = later.servers.get(server) if later else None
            if now is None or now.split()[0] != line.split()[0]:
                gone.add((name, server))
    return frozenset(gone)


def able_to_rest(rows: Iterable[Row], leaving: frozenset[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Those of `leaving` in whose backend another server is up: the last ones serve on rather than nobody."""
    rows = [row for row in rows if row.is_server]
    others = {row.proxy for row in rows if row.up and (row.proxy, row.server) not in leaving}
    return [
        (row.proxy, row.server) for row in rows if (row.proxy, row.server) in leaving and row.proxy in others
    ]
