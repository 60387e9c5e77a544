"""Rows of status: each HAProxy, each virtual address, each server as the HAProxys see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.holds import Hold
from lbkit.engine.resource import Key
from lbkit.engine.scope import Scope
from lbkit.engine.view import Health, Status
from lbkit.haproxy import expiry
from lbkit.haproxy.instance import KIND, key_of
from lbkit.haproxy.resolved import (
    LoadBalancers,
    ResolvedBackend,
    ResolvedLoadBalancer,
    ResolvedServer,
    ResolvedVip,
    vip_program_name,
)
from lbkit.haproxy.runtime import Row
from lbkit.haproxy.seen import Seen, see
from lbkit.haproxy.vip.observe import holds


def vip_key(balancer: str) -> Key:
    return Key("vip", balancer)


def backend_key(balancer: str, backend: str) -> Key:
    return Key("backend", f"{balancer}/{backend}")


def server_key(balancer: str, backend: str, server: str) -> Key:
    return Key("server", f"{balancer}/{backend}/{server}")


def status(scope: Scope, host: Host) -> Iterator[Status]:
    for balancer in scope.of("haproxy", LoadBalancers).by_name.values():
        seen = list(see(balancer, scope, host))
        held = None if balancer.vip is None else holders(balancer.vip, seen)
        if balancer.vip is not None and held is not None:
            yield _vip_row(balancer, balancer.vip, seen, held)
        for each in seen:
            row = _haproxy_row(each, balancer)
            active = each.info is not None and (held is None or each.member in held)
            backends = (str(backend_key(balancer.name, name)) for name in _declared(balancer))
            yield replace(row, feeds=frozenset(backends if active else ()))
        for backend, server in balancer.servers:
            if backend.stands_in_for is not None:
                continue
            hold = scope.holds.get(server_key(balancer.name, backend.name, server.name).name)
            yield _server_row(balancer, backend, server, seen, hold)


def _haproxy_row(seen: Seen, balancer: ResolvedLoadBalancer) -> Status:
    key = key_of(KIND, seen.member, seen.instance.balancer)
    parent = Key("machine", seen.member)
    if seen.info is None:
        return Status(key, present=False, health=Health.DOWN, detail=seen.way.reason, parent=parent)
    info = seen.info
    servers = [row for row in seen.servers if row.proxy in _declared(balancer)]
    up = sum(row.up for row in servers)
    facts = {
        "version": info.version,
        "pid": info.pid,
        "uptime": info.uptime,
        "sessions": info.sessions,
        "servers_up": up,
        "servers": len(servers),
        "certificates": expiry.facts(balancer),
        "frontends": {row.proxy: numbers(row) for row in seen.rows if row.server == "FRONTEND"},
        "backends": {row.proxy: numbers(row) for row in seen.rows if row.server == "BACKEND"},
    }
    rate = sum(row.rate for row in seen.rows if row.server == "FRONTEND")
    queue = sum(row.queue for row in seen.rows if row.server == "BACKEND")
    goes = f"{info.sessions} sessions" + (f", {rate} requests/s" if rate else "")
    goes += f", {queue} queued" if queue else ""
    detail = f"{up}/{len(servers)} servers up, {goes}, HAProxy {info.version}"
    if not seen.as_declared:
        detail += f"; not as declared: {seen.way.reason}"
    serving = {row.proxy for row in seen.rows if row.server == "BACKEND" and row.up}
    empty = any(
        row.server == "BACKEND" and serving.isdisjoint(balancer.everywhere(row.proxy))
        for row in seen.rows
        if row.proxy in _declared(balancer)
    )
    health = Health.UP if up == len(servers) and seen.as_declared else Health.DEGRADED
    return Status(key, seen.as_declared, Health.DOWN if empty and not up else health, detail, facts, parent)


def _declared(balancer: ResolvedLoadBalancer) -> list[str]:
    """Its backends without those that stand in for another."""
    return [each.name for each in balancer.backends if each.stands_in_for is None]


def numbers(row: Row) -> dict[str, Any]:
    """What goes through it: `rate` are requests in the last second; `requests`, bytes and errors count since its start."""
    return {
        "sessions": row.sessions,
        "queue": row.queue,
        "rate": row.rate,
        "requests": row.requests,
        "bytes_in": row.bytes_in,
        "bytes_out": row.bytes_out,
        "errors": {
            "request": row.request_errors,
            "connect": row.connect_errors,
            "response": row.response_errors,
            "http_5xx": row.http_5xx,
        },
    }


def holders(vip: ResolvedVip, seen: Sequence[Seen]) -> list[str]:
    """The members that have the address now. One that cannot be asked does not count."""
    found = []
    for each in seen:
        try:
            if holds(each.instance.machine, vip.network, vip.addresses):
                found.append(each.member)
        except Failure:
            continue
    return found


def _vip_row(
    balancer: ResolvedLoadBalancer, vip: ResolvedVip, seen: Sequence[Seen], held: Sequence[str]
) -> Status:
    service = vip_program_name(balancer.name)
    silent = [each.member for each in seen if service not in each.instance.machine.running()]
    addresses = ", ".join(str(address) for address in vip.addresses)
    facts = {
        "addresses": [str(each) for each in vip.addresses],
        "holders": held,
        "without_keepalived": silent,
    }
    if not held:
        health, detail = Health.DOWN, f"{addresses}: no machine has it"
    elif len(held) > 1:
        health, detail = Health.DEGRADED, f"{addresses}: {' and '.join(held)} have it at the same time"
    else:
        health, detail = Health.UP, f"{addresses} at {held[0]}"
    if silent:
        health = Health.DEGRADED if held else Health.DOWN
        detail += f"; keepalived does not run on {', '.join(silent)}"
    feeds = frozenset(str(key_of(KIND, member, balancer.name)) for member in held)
    return Status(vip_key(balancer.name), not silent, health, detail, facts, feeds=feeds)


def _server_row(
    balancer: ResolvedLoadBalancer,
    backend: ResolvedBackend,
    server: ResolvedServer,
    seen: Sequence[Seen],
    hold: Hold | None = None,
) -> Status:
    key = server_key(balancer.name, backend.name, server.name)
    parent = vip_key(balancer.name) if balancer.vip else None
    rows = {each.member: row for each in seen if (row := each.row(backend.name, server.name))}
    facts = {
        "address": f"{server.address}",
        "port": server.port,
        "backup": server.backup,
        "seen": {
            member: {
                "status": row.status,
                "check": row.check,
                "code": row.code,
                "weight": row.weight,
                **numbers(row),
            }
            for member, row in rows.items()
        },
        "hold": hold.as_data() if hold else None,
    }
    if not rows:
        return Status(key, False, Health.UNKNOWN, "no HAProxy to ask knows it", facts, parent)
    up = [member for member, row in rows.items() if row.up]
    resting = hold and all(row.up or row.status.startswith("DRAIN") for row in rows.values())
    health = Health.UP if len(up) == len(rows) else Health.DEGRADED if up or resting else Health.DOWN
    words = dict.fromkeys(_words(row) for row in rows.values())
    detail = (
        words.popitem()[0] if len(words) == 1 else "; ".join(f"{m}: {_words(r)}" for m, r in rows.items())
    )
    if server.backup:
        detail += " (backup)"
    if hold:
        detail += f"; {hold}"
    return Status(key, True, health, detail, facts, parent)


def _words(row: Row) -> str:
    check = " ".join(filter(None, (row.check, row.code)))
    return row.status + (f", {check}" if check and row.check != "INI" else "")
