"""A backend whose servers are a mirror's nodes: what it has besides, and the backend that stands in for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lbkit.base.problems import Path, near
from lbkit.engine.book import Endpoint
from lbkit.engine.scope import Draft
from lbkit.haproxy.resolved import ResolvedBackend, ResolvedMirror, stand_in
from lbkit.haproxy.spec.backend import Backend
from lbkit.haproxy.spec.balancer import LoadBalancer
from lbkit.haproxy.spec.frontend import Frontend
from lbkit.haproxy.spec.server import MirrorServers
from lbkit.haproxy.spec.traffic import RetryOn
from lbkit.haproxy.spec.words import Mode
from lbkit.health.spec import Agent, HealthCheck

TRACE = ".lbkit-trace"
"""The file of every generation that says which one it is (docs/adr/0012-mirrors.md)."""
SERVED, ASKED = "http", "check"
"""Ports of a node, by their names in the address book: of its web server, and of its agent."""
SESSION = "session"
"""And for how long a client is kept at a generation."""
ASKED_EVERY = 1.0  # seconds, for agents and checks
STANDS_IN_AFTER = 5
"""Checks that a server must pass to stand in: by then the agents of all that are reached were heard twice."""
MOST_RETRIES = 10
_RETRIED: tuple[RetryOn, ...] = ("conn-failure", "empty-response", 503)
"""Not 404: what another node says then, 503 where it has not come so far, would stand for the answer that there is no such file."""


def nodes(server: MirrorServers, draft: Draft, path: Path) -> tuple[Endpoint, ...]:
    """None where the mirror is broken, or not there, which is said."""
    found = draft.book.endpoints(f"mirrors.{server.mirror}")
    if found is None and not draft.is_broken("mirrors", server.mirror):
        known = [name.removeprefix("mirrors.") for name in draft.book.entries if name.startswith("mirrors.")]
        draft.problems.add(
            (*path, "mirror"), "a mirror", found=server.mirror, remedy=near(server.mirror, known)
        )
    if found and SERVED not in found[0].ports:
        draft.problems.add(
            (*path, "mirror"), "a mirror that is published by HTTP", found=f"mirrors.{server.mirror} is not"
        )
        return ()
    return found or ()


def mirror_of(backend: Backend) -> MirrorServers | None:
    return next((server for server in backend.servers if isinstance(server, MirrorServers)), None)


def misfits(backend: Backend, mode: Mode) -> Iterator[tuple[str, str, str]]:
    """Of a backend of a mirror: the field, what was wanted there, what was found."""
    if len(backend.servers) > 1:
        yield "servers", "the nodes of one mirror and nothing else", f"{len(backend.servers)} entries"
    if mode != "http":
        yield "mode", "http for a mirror: a session's serial is in headers", mode
    for field, value in (("cookie", backend.cookie), ("persist", backend.persist)):
        if value is not None:
            yield field, "none for a mirror: a stale node would keep its clients", f"{field} of servers"
    if backend.health_check is False:
        yield "health_check", "a check of a mirror's nodes", "false"
    elif backend.health_check.agent is not None:
        yield (
            "health_check",
            "no agent: a mirror's nodes have theirs",
            f"port {backend.health_check.agent.port}",
        )


def with_mirror(
    found: ResolvedBackend, backend: Backend, server: MirrorServers, ports: Endpoint, counter: int
) -> tuple[ResolvedBackend, ResolvedBackend]:
    """The backend of the nodes that may serve; and the one of all that are up, whatever their agents say."""
    check = backend.health_check or HealthCheck()
    written = "health_check" in backend.model_fields_set
    if not written:
        check = HealthCheck(protocol="http", path=f"/{server.mirror}/{TRACE}", interval=ASKED_EVERY)
    traffic = {
        "retries": min(MOST_RETRIES, max(backend.retries, len(found.servers))),
        "retry_on": _RETRIED,
    }
    own = backend.model_copy(
        update={name: value for name, value in traffic.items() if name not in backend.model_fields_set}
    )
    nodes = replace(
        found,
        traffic=own,
        health_check=check.model_copy(update={"agent": Agent(port=ports.ports[ASKED], interval=ASKED_EVERY)}),
        mirror=ResolvedMirror(server.mirror, counter, round(ports.times[SESSION]), agent_checked=not written),
    )
    slowly = {"agent": None, "interval": ASKED_EVERY, "interval_changing": None, "rise": STANDS_IN_AFTER}
    others = replace(
        nodes,
        name=stand_in(found.name),
        health_check=check.model_copy(update=slowly),
        mirror=None,
        stands_in_for=found.name,
    )
    return nodes, others


def counter_for(name: str, spec: LoadBalancer, draft: Draft, path: Path) -> int:
    """A sticky counter that no frontend before this backend uses: HAProxy has three."""
    users = [frontend for frontend in spec.frontends.values() if name in frontend.backends]
    taken = {counter for frontend in users for counter in _counters(frontend)}
    free = [counter for counter in (2, 1, 0) if counter not in taken]
    if not free:
        draft.problems.add(
            (*path, "servers"),
            "a counter of HAProxy's three for a mirror's clients",
            found="the frontends that use this backend have them all",
            remedy="leave out a `rate_limit`, or `connections_per_source`, of one of them",
        )
    return free[0] if free else 0


def _counters(frontend: Frontend) -> Iterator[int]:
    """As text/limits.py gives them out."""
    if frontend.connections_per_source is not None:
        yield 0
    yield from range(1, 1 + len(frontend.rate_limit))
