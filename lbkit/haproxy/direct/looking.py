"""A backend of a running HAProxy as it is now, in four questions whatever the number of its servers. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lbkit.base.errors import Mistake
from lbkit.base.problems import near
from lbkit.haproxy.direct.level import needs_admin
from lbkit.haproxy.runtime import Runtime, ServerState, show
from lbkit.haproxy.runtime.questions import INFO, SERVERS, Question, servers_of
from lbkit.haproxy.runtime.servers_state import Check
from lbkit.haproxy.runtime.stat import columns
from lbkit.haproxy.transition.server import Server

_COLUMNS = ("pxname", "svname", "bck", "slim", "cookie", "scur", "tracked", "check_rise", "algo")


class Told(NamedTuple):
    """What the statistics tell of a row (management guide, 9.1). `tracks`: the server whose checks count for it."""

    backup: bool
    limit: int
    cookie: str
    sessions: int
    tracks: str
    rise: int
    algorithm: str


@dataclass(frozen=True, slots=True)
class Seen:
    """`servers`, `states` and `sessions` by "BACKEND/SERVER". `algorithm`: as `balance` has it, without its argument.

    `tracks`: servers that go by another's checks, and which; `tracked`: those others, of which HAProxy deletes none.
    """

    version: str
    backend: str
    algorithm: str
    servers: Mapping[str, Server]
    states: Mapping[str, ServerState]
    sessions: Mapping[str, int]
    tracks: Mapping[str, str] = field(default_factory=dict)
    tracked: frozenset[str] = frozenset()


def look(runtime: Runtime, backend: str, where: str) -> Seen:
    """Mistake where there is no such backend, Failure where the socket lets nobody change it."""
    needs_admin(runtime, where)
    version = runtime.read(INFO).version
    rows = runtime.read(_ROWS)
    if (backend, "BACKEND") not in rows:
        known = {name for name, row in rows if row == "BACKEND"}
        raise Mistake(
            f"a backend {backend} was wanted",
            found="HAProxy has none of that name",
            where=where,
            remedy=near(backend, known),
        )
    own = runtime.read(servers_of(backend))
    return _seen(version, backend, rows, own)


def look_for(runtime: Runtime, server: str, where: str) -> list[Seen]:
    """The backends that have a server of that name. Mistake where none has, Failure as `look`."""
    needs_admin(runtime, where)
    version = runtime.read(INFO).version
    rows = runtime.read(_ROWS)
    states: dict[str, list[ServerState]] = {}
    for state in runtime.read(SERVERS):
        states.setdefault(state.backend, []).append(state)
    found = [
        _seen(version, backend, rows, own)
        for backend, own in states.items()
        if any(state.server == server for state in own)
    ]
    if not found:
        raise Mistake(
            f"a server {server} was wanted, in whichever backends",
            found="no backend of HAProxy has one of that name",
            where=where,
            remedy=near(server, {state.server for own in states.values() for state in own}),
        )
    return found


def _seen(
    version: str, backend: str, rows: Mapping[tuple[str, str], Told], own: Iterable[ServerState]
) -> Seen:
    states = {f"{backend}/{state.server}": state for state in own}
    told = {name: rows[backend, state.server] for name, state in states.items()}
    return Seen(
        version,
        backend,
        _algorithm(rows[backend, "BACKEND"].algorithm),
        {name: _server(state, told[name]) for name, state in states.items()},
        states,
        {name: row.sessions for name, row in told.items()},
        {name: row.tracks for name, row in told.items() if row.tracks},
        frozenset(row.tracks for row in rows.values() if row.tracks),
    )


def _server(state: ServerState, row: Told) -> Server:
    agent = Check.CONFIGURED in state.agent
    server = Server.running(state, row, agent=agent, rise=row.rise)
    return server.with_(address=state.address) if state.address else server


def _algorithm(name: str) -> str:
    return "random" if name == "unknown" else name  # so 2.6 and 3.0 call `balance random`


def _rows(text: str) -> dict[tuple[str, str], Told]:
    return {
        (proxy, server): Told(
            backup == "1" and server != "BACKEND",
            int(limit or 0),
            cookie,
            int(sessions or 0),
            tracks,
            int(rise or 2),
            algorithm,
        )
        for proxy, server, backup, limit, cookie, sessions, tracks, rise, algorithm in columns(text, _COLUMNS)
    }


_ROWS: Question[dict[tuple[str, str], Told]] = Question(show.stat(), _rows)
