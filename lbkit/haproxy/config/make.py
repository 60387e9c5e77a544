"""From a resolved load balancer to the configuration of one of its HAProxys."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Literal

from lbkit.haproxy.config.handling import handling_files
from lbkit.haproxy.config.sections import (
    METRICS,
    Backend,
    Bind,
    Config,
    Defaults,
    Frontend,
    Global,
    Metrics,
    Peers,
    Serials,
    Server,
)
from lbkit.haproxy.config.times import ms
from lbkit.haproxy.config.tls import list_path, tls_files
from lbkit.haproxy.resolved import (
    ResolvedBackend,
    ResolvedBind,
    ResolvedFrontend,
    ResolvedLoadBalancer,
    ResolvedServer,
)

USER = "haproxy"
"""Who workers are, where ids can be switched: as Debian's package makes it."""


def config_of(
    balancer: ResolvedLoadBalancer, *, mark: str, user: str | None, member: str | None = None
) -> Config:
    """The configuration of one member (None: the first): alike on all but for the owner mark and what is its own.

    Its own are its name among peers and the address that its connections to servers come from.
    """
    member = member or next(iter(balancer.members), "")
    process = balancer.process
    return Config(
        Global(
            mark,
            user,
            balancer.log_level,
            ms(balancer.hard_stop_after),
            balancer.maxconn,
            process.log,
            process.tuning,
            process.raw,
        ),
        Defaults(
            {name.replace("_", "-"): ms(seconds) for name, seconds in balancer.timeouts.model_dump().items()},
            process.raw_defaults,
        ),
        tuple(_frontend(frontend, balancer) for frontend in balancer.frontends),
        tuple(_backend(backend, balancer, member) for backend in balancer.backends),
        files=(*tls_files(balancer), *chain.from_iterable(map(handling_files, balancer.frontends))),
        peers=_peers(balancer, member),
        resolvers=process.resolvers,
        metrics=_metrics(balancer),
        raw_sections=process.raw_sections,
    )


def _peers(balancer: ResolvedLoadBalancer, member: str) -> Peers | None:
    if balancer.peers is not None:
        return Peers(member, balancer.peers.members, balancer.peers.port)
    has_tables = any(
        backend.traffic.persist is not None or backend.mirror is not None for backend in balancer.backends
    ) or any(frontend.handling.has_limits for frontend in balancer.frontends)
    return Peers(member) if has_tables else None


def _metrics(balancer: ResolvedLoadBalancer) -> Metrics | None:
    if balancer.metrics is None:
        return None
    binds = tuple(
        _bind(bind, list_path(METRICS, index), ipv6=balancer.ipv6)
        for index, bind in enumerate(balancer.metrics.binds)
    )
    return Metrics(binds, balancer.metrics.path)


def _frontend(frontend: ResolvedFrontend, balancer: ResolvedLoadBalancer) -> Frontend:
    return Frontend(
        name=frontend.name,
        mode=frontend.mode,
        binds=tuple(
            _bind(bind, list_path(frontend.name, index), ipv6=balancer.ipv6)
            for index, bind in enumerate(frontend.binds)
        ),
        backend=frontend.backend,
        maxconn=frontend.maxconn,
        timeouts=_all_ms(frontend.timeouts),
        forwarded_for=frontend.forwarded_for,
        handling=frontend.handling,
        log_format=frontend.log_format,
        keepalive=frontend.keepalive,
        raw=frontend.raw,
        stand_ins={
            each.stands_in_for: each.name
            for each in balancer.backends
            if each.stands_in_for is not None and each.stands_in_for in frontend.backends
        },
    )


def _bind(bind: ResolvedBind, certificate_list: str, *, ipv6: bool) -> Bind:
    # without IPv6 addresses the wildcard is IPv4's alone: the machine's kernel may have no IPv6 at all
    return Bind(
        bind.address,
        bind.port,
        both=bind.address is None and ipv6,
        freebind=bind.foreign,
        tls=bind.tls,
        accept_proxy=bind.accept_proxy,
        certificate_list=certificate_list if bind.tls is not None else "",
        raw=bind.raw,
    )


def _backend(backend: ResolvedBackend, balancer: ResolvedLoadBalancer, member: str) -> Backend:
    resolvers = balancer.process.resolvers
    prefer = resolvers.prefer if resolvers else "ipv4"
    return Backend(
        name=backend.name,
        mode=backend.mode,
        balance=backend.balance,
        servers=tuple(_server(server, prefer) for server in backend.servers),
        check=backend.health_check,
        host=balancer.name,
        timeouts=_all_ms(backend.timeouts),
        traffic=backend.traffic,
        source=backend.source.get(member),
        tls=backend.tls,
        serials=None if backend.mirror is None else Serials(backend.mirror.counter, backend.mirror.session),
        unpinned=backend.stands_in_for is not None,
        agent_checked=backend.mirror is not None and backend.mirror.agent_checked,
    )


def _server(server: ResolvedServer, prefer: Literal["ipv4", "ipv6"]) -> Server:
    return Server(
        server.name,
        server.address,
        server.port,
        server.weight,
        server.backup,
        server.maxconn,
        server.minconn,
        server.maxqueue,
        server.state,
        prefer,
        server.check,
        server.cookie,
        server.raw,
    )


def _all_ms(timeouts: Mapping[str, float]) -> dict[str, int]:
    return {name: ms(seconds) for name, seconds in timeouts.items()}
