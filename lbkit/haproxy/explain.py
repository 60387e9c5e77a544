"""Why a load balancer, a backend or a server works or does not: evidence from every HAProxy, and the likely cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.engine.view import Finding
from lbkit.haproxy import expiry
from lbkit.haproxy.reasons.told import check_words, server_findings
from lbkit.haproxy.resolved import (
    LoadBalancers,
    ResolvedBackend,
    ResolvedLoadBalancer,
    vip_program_name,
)
from lbkit.haproxy.seen import Seen, see
from lbkit.haproxy.view import holders


def explainable(scope: Scope) -> Iterator[str]:
    for balancer in scope.of("haproxy", LoadBalancers).by_name.values():
        yield balancer.name
        for backend in balancer.backends:
            yield f"{balancer.name}/{backend.name}"
            yield from (f"{balancer.name}/{backend.name}/{server.name}" for server in backend.servers)


def explain(scope: Scope, host: Host, path: Sequence[str]) -> list[Finding] | None:
    """`shop`, `shop/web` or `shop/web/web-3`."""
    balancer = scope.of("haproxy", LoadBalancers).by_name.get(path[0]) if path else None
    if balancer is None or len(path) > 3:
        return None
    if len(path) == 1:
        seen = list(see(balancer, scope, host))
        return [*_balancer(balancer, seen), *expiry.findings(balancer, host.clock.now())]
    backend = next((each for each in balancer.backends if each.name == path[1]), None)
    if backend is None:
        return None
    if len(path) == 2:
        return list(_backend(balancer, backend, list(see(balancer, scope, host))))
    server = next((each for each in backend.servers if each.name == path[2]), None)
    if server is None:
        return None
    seen = list(see(balancer, scope, host))
    stopped = [finding for each in seen if each.info is None for finding in _process(each)]
    return [*stopped, *server_findings(balancer, backend, server, seen, scope, host)]


def _balancer(balancer: ResolvedLoadBalancer, seen: list[Seen]) -> Iterator[Finding]:
    if balancer.vip is not None:
        held = holders(balancer.vip, seen)
        addresses = ", ".join(str(address) for address in balancer.vip.addresses)
        words = f"{addresses} is at {' and '.join(held)}" if held else f"no machine has {addresses}"
        yield Finding(len(held) == 1, words, f"priorities: {' > '.join(balancer.members)}; no preemption")
        for each in seen:
            service = vip_program_name(balancer.name)
            runs = service in each.instance.machine.running()
            last = each.instance.machine.log(service, lines=1)
            yield Finding(
                runs,
                f"{each.member}: keepalived {'runs' if runs else 'does not run'}",
                last[-1] if last else "",
            )
    for each in seen:
        yield from _process(each)
    for backend in balancer.backends:
        yield from _backend_rows(backend, seen)


def _backend(balancer: ResolvedLoadBalancer, backend: ResolvedBackend, seen: list[Seen]) -> Iterator[Finding]:
    users = [front.name for front in balancer.frontends if backend.name in front.backends]
    yield Finding(
        bool(users) or None,
        f"frontends that use it: {', '.join(users) or 'none'}",
        f"mode {backend.mode}, balance {backend.balance}",
    )
    for each in seen:
        if each.info is None:
            yield from _process(each)
    yield from _backend_rows(backend, seen)
    for server in backend.servers:
        for each in seen:
            row = each.row(backend.name, server.name)
            if row is not None and not row.up:
                yield Finding(False, f"{each.member}: {server.name} is {row.status}", check_words(row))


def _backend_rows(backend: ResolvedBackend, seen: list[Seen]) -> Iterator[Finding]:
    for each in seen:
        rows = [row for row in each.servers if row.proxy == backend.name]
        if rows:
            up = sum(row.up for row in rows)
            yield Finding(
                up == len(rows), f"{each.member}: {up} of {len(rows)} servers of {backend.name} are up"
            )


def _process(seen: Seen) -> Iterator[Finding]:
    if seen.info is None:
        last = seen.instance.machine.log(seen.instance.service, lines=1)
        yield Finding(False, f"{seen.member}: {seen.way.reason}", last[-1] if last else "")
    elif seen.as_declared:
        info = seen.info
        yield Finding(
            True,
            f"{seen.member}: HAProxy runs as declared",
            f"version {info.version}, pid {info.pid}, {info.sessions} sessions, for {info.uptime} s",
        )
    else:
        yield Finding(False, f"{seen.member}: HAProxy runs, but not as declared", seen.way.reason)
