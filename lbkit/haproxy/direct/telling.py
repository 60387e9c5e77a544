"""What a HAProxy says of itself, its frontends, backends and servers, as plain data. Any level of its socket will do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any, Literal, get_args

from lbkit.base.clock import Clock, SystemClock
from lbkit.base.errors import Mistake
from lbkit.base.problems import near
from lbkit.haproxy.direct.reach import TIMEOUT, reach, where_of
from lbkit.haproxy.has import facts, loaded
from lbkit.haproxy.runtime import Row, Runtime, ServerState
from lbkit.haproxy.runtime.servers_state import Check

Part = Literal["info", "servers", "stat", "certificates"]
PARTS: tuple[Part, ...] = ("info", "servers", "stat")
"""By default."""


def info(
    socket: str,
    *,
    gather: Collection[Part] = PARTS,
    backend: str | None = None,
    timeout: float = TIMEOUT,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """`info` of the process; `servers`; `frontends` and `backends` ("stat"); `certificates` that it has, a question for
    each: those that are in `gather`.

    `backend`: of this one alone, and of no frontend. Mistake where there is none of that name.
    """
    known = get_args(Part)
    unknown = sorted(set(gather) - set(known))
    if unknown:
        raise Mistake("parts to gather were wanted", found=unknown[0], remedy=near(unknown[0], known))
    where = where_of(socket)
    found: dict[str, Any] = {}
    with reach(socket, timeout) as runtime:
        if "info" in gather:
            found["info"] = asdict(runtime.info())
        if backend is not None or {"servers", "stat"} & set(gather):
            rows = _rows(runtime, backend, where)
            if "servers" in gather:
                told = {(row.proxy, row.server): row for row in rows}
                found["servers"] = [_server(each, told) for each in runtime.servers() if each.key in told]
            if "stat" in gather:
                found["frontends"] = [_proxy(row) for row in rows if row.server == "FRONTEND"]
                found["backends"] = [_proxy(row) for row in rows if row.server == "BACKEND"]
        if "certificates" in gather:
            now = (clock or SystemClock()).now()
            found["certificates"] = [facts(each, now) for each in loaded(runtime, where)]
    return found


def presented(
    address: str,
    port: int,
    server_name: str = "",
    *,
    timeout: float = TIMEOUT,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """The certificate that whoever listens there shows to a client that asks for `server_name` ("": for none). It is not judged."""
    from lbkit.haproxy.presented import asked  # noqa: PLC0415 - brings ssl

    return asked(address, port, server_name, (clock or SystemClock()).now(), timeout=timeout)


def _rows(runtime: Runtime, backend: str | None, where: str) -> list[Row]:
    rows = runtime.stat()
    if backend is None:
        return rows
    known = {row.proxy for row in rows if row.server == "BACKEND"}
    if backend not in known:
        raise Mistake(
            f"a backend {backend!a} was wanted",
            found="HAProxy has none of that name",
            where=where,
            remedy=near(backend, known),
        )
    return [row for row in rows if row.proxy == backend and row.server != "FRONTEND"]


def _proxy(row: Row) -> dict[str, Any]:
    return {
        "name": row.proxy,
        "status": row.status,
        "sessions": row.sessions,
        "sessions_total": row.sessions_total,
        "queue": row.queue,
        "limit": row.limit,
        "requests": row.requests,
        "rate": row.rate,
        "bytes_in": row.bytes_in,
        "bytes_out": row.bytes_out,
        "request_errors": row.request_errors,
        "http_5xx": row.http_5xx,
    }


def _server(state: ServerState, told: Mapping[tuple[str, str], Row]) -> dict[str, Any]:
    row = told[state.key]
    return {
        "backend": state.backend,
        "name": state.server,
        "address": state.address,
        "port": state.port,
        "fqdn": state.fqdn,
        "state": "maint" if state.admin.maint else "drain" if state.admin.drain else "ready",
        "status": row.status,
        "up": row.up,
        "weight": state.weight,
        "initial_weight": state.initial_weight,
        "maxconn": row.limit,
        "backup": row.backup,
        "sessions": row.sessions,
        "sessions_total": row.sessions_total,
        "queue": row.queue,
        "seconds": state.for_seconds,
        "check": _check(state, row),
        "agent": {"enabled": Check.ENABLED in state.agent, "result": row.agent, "words": row.agent_words},
        "connect_errors": row.connect_errors,
        "response_errors": row.response_errors,
        "http_5xx": row.http_5xx,
    }


def _check(state: ServerState, row: Row) -> dict[str, Any]:
    return {
        "enabled": Check.ENABLED in state.check,
        "result": row.check,
        "code": row.code,
        "words": row.words,
        "detail": row.detail,
    }
