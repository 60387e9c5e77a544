"""Why a load balancer, a backend or a server works or does not: evidence from every HAProxy, and the likely cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.engine.view import Finding
from lbkit.haproxy import expiry
from lbkit.haproxy.resolved import (
    LoadBalancers,
    ResolvedBackend,
    ResolvedLoadBalancer,
    ResolvedServer,
    vip_program_name,
)
from lbkit.haproxy.runtime import Row
from lbkit.haproxy.seen import Seen, see
from lbkit.haproxy.view import holders

# configuration and management manuals, "check_status" of show stat
CAUSES = {
    "L4TOUT": "nobody answers at its address: the machine is gone, or a firewall drops packets",
    "L4CON": "the machine answers, but nothing listens on its port: the service does not run",
    "L6TOUT": "it accepts connections, but TLS does not begin",
    "L6RSP": "what it says is not TLS",
    "L7TOUT": "it accepts connections and answers the check too late: it hangs, or is overloaded",
    "L7RSP": "what it answers is not HTTP: another service has the port, or it closes the connection",
    "L7STS": "it answers the check with a status that is not 200 to 399: the application says that it is not well",
    "SOCKERR": "HAProxy itself could not open a socket to check it",
}
DIAL_TIMEOUT = 2.0  # seconds


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
    return list(_server(backend, server, list(see(balancer, scope, host))))


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
                yield Finding(False, f"{each.member}: {server.name} is {row.status}", _check_words(row))


def _backend_rows(backend: ResolvedBackend, seen: list[Seen]) -> Iterator[Finding]:
    for each in seen:
        rows = [row for row in each.servers if row.proxy == backend.name]
        if rows:
            up = sum(row.up for row in rows)
            yield Finding(
                up == len(rows), f"{each.member}: {up} of {len(rows)} servers of {backend.name} are up"
            )


def _server(backend: ResolvedBackend, server: ResolvedServer, seen: list[Seen]) -> Iterator[Finding]:
    verdicts: list[str] = []
    for each in seen:
        row = each.row(backend.name, server.name)
        if row is None:
            yield from _process(each)
            if each.info is not None:
                yield Finding(False, f"{each.member}: HAProxy does not know {server.name}", each.way.reason)
                verdicts.append("its configuration is not loaded: apply")
            else:
                verdicts.append("HAProxy does not run")
            continue
        yield Finding(
            row.up,
            f"{each.member}: {row.status} for {row.changed} s, weight {row.weight}",
            f"{row.sessions} sessions now, {row.sessions_total} in all",
        )
        yield Finding(_good(row), f"{each.member}: last check {row.check or 'none'}", _check_words(row))
        accepts = _dial(each, server)
        yield Finding(
            not accepts, f"{each.member}: {server.address} port {server.port}", accepts or "accepts TCP"
        )
        verdicts.append(_cause(row, server, accepts))
    for verdict in dict.fromkeys(filter(None, verdicts)):
        yield Finding(None, f"likely cause: {verdict}")


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


def _good(row: Row) -> bool | None:
    return None if not row.check or row.check == "INI" else row.check.endswith(("OK", "OKC"))


def _check_words(row: Row) -> str:
    said = [
        row.words,
        f"status {row.code}" if row.code else "",
        row.detail if row.detail != row.words else "",
    ]
    return ", ".join(filter(None, said))


def _dial(seen: Seen, server: ResolvedServer) -> str:
    """Why the server's port does not accept a connection from this machine; "" where it does."""
    try:
        seen.instance.machine.dial(str(server.address), server.port, timeout=DIAL_TIMEOUT).close()
    except Failure as error:
        return error.found or error.wanted
    return ""


def _cause(row: Row, server: ResolvedServer, refused: str) -> str:
    if row.status.startswith("MAINT"):
        return "somebody set it to maintenance (`set server ... state ready` at the runtime socket ends that)"
    if row.status.startswith("DRAIN"):
        return "it is drained: it keeps its sessions and gets no new ones"
    if row.up and row.weight == 0:
        return "its weight is 0"
    if row.up and server.backup:
        return "it is a backup: it gets traffic only while no other server is up"
    if row.up:
        return "" if not refused else "it stopped listening just now; the next checks will take it out"
    if not refused and row.check.startswith("L4"):
        return "it listens again; the next checks will bring it back"
    return CAUSES.get(row.check, row.words)
