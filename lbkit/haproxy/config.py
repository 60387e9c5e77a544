"""HAProxy's configuration as typed values: what one HAProxy shall do, section by section.

A section is a frozen dataclass here, its lines are in `text.py`. Times are in milliseconds, HAProxy's own
unit: a value is what the running process will say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lbkit.engine.book import IPAddress
from lbkit.haproxy.resolved import (
    ResolvedBackend,
    ResolvedBind,
    ResolvedFrontend,
    ResolvedLoadBalancer,
    ResolvedServer,
)
from lbkit.haproxy.spec import Mode
from lbkit.health.spec import HealthCheck

CONFIG = "haproxy.cfg"
RUNTIME_SOCKET = "runtime.sock"
MASTER_SOCKET = "master.sock"
STATE_FILE = "servers.state"
"""Files of the service's folder, which is HAProxy's working directory: the configuration names them without a
path, so that the limit of a socket's address (97 bytes of path, uxst_bind_listener) is never met."""

USER = "haproxy"
"""Who workers are, where ids can be switched: as Debian's package makes it."""

CONSISTENT = ("source", "uri", "hdr", "url_param")
"""Algorithms that hash: with a consistent one, a server that comes or goes moves only its own share."""


@dataclass(frozen=True, slots=True)
class Global:
    """`mark` is the owner mark that the running process shows in `show info`. `user` None: as it was started."""

    mark: str
    user: str | None
    log_level: str
    hard_stop_after: int
    maxconn: int | None


@dataclass(frozen=True, slots=True)
class Defaults:
    timeouts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Bind:
    """`address` None: all of IPv4, and of IPv6 too where `both`. `freebind`: also while nobody here has it."""

    address: IPAddress | None
    port: int
    both: bool = False
    freebind: bool = False


@dataclass(frozen=True, slots=True)
class Frontend:
    name: str
    mode: Mode
    binds: tuple[Bind, ...]
    backend: str
    maxconn: int | None = None
    timeouts: Mapping[str, int] = field(default_factory=dict)
    forwarded_for: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """`path` None: a TCP connection is enough. `port` None: the server's."""

    interval: int
    timeout: int
    rise: int
    fall: int
    port: int | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    address: IPAddress
    port: int
    weight: int = 1
    backup: bool = False
    maxconn: int | None = None


@dataclass(frozen=True, slots=True)
class Backend:
    """`host`: what a health check by HTTP says in its Host header."""

    name: str
    mode: Mode
    balance: str
    servers: tuple[Server, ...]
    check: Check | None = None
    host: str = ""
    retries: int = 3
    timeouts: Mapping[str, int] = field(default_factory=dict)
    cookie: str | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration. A new kind of section is a new field here, and its lines in `text.py`."""

    global_: Global
    defaults: Defaults
    frontends: tuple[Frontend, ...]
    backends: tuple[Backend, ...]


def config_of(balancer: ResolvedLoadBalancer, *, mark: str, user: str | None) -> Config:
    """The configuration of one member: alike on all of them but for the owner mark."""
    return Config(
        Global(mark, user, balancer.log_level, _ms(balancer.hard_stop_after), balancer.maxconn),
        Defaults(
            {name.replace("_", "-"): _ms(seconds) for name, seconds in balancer.timeouts.model_dump().items()}
        ),
        tuple(_frontend(frontend, balancer) for frontend in balancer.frontends),
        tuple(_backend(backend, balancer.name) for backend in balancer.backends),
    )


def _frontend(frontend: ResolvedFrontend, balancer: ResolvedLoadBalancer) -> Frontend:
    return Frontend(
        name=frontend.name,
        mode=frontend.mode,
        binds=tuple(_bind(bind, ipv6=balancer.ipv6) for bind in frontend.binds),
        backend=frontend.backend,
        maxconn=frontend.maxconn,
        timeouts=_all_ms(frontend.timeouts),
        forwarded_for=frontend.forwarded_for,
    )


def _bind(bind: ResolvedBind, *, ipv6: bool) -> Bind:
    # without IPv6 addresses the wildcard is IPv4's alone: the machine's kernel may have no IPv6 at all
    return Bind(bind.address, bind.port, both=bind.address is None and ipv6, freebind=bind.foreign)


def _backend(backend: ResolvedBackend, balancer: str) -> Backend:
    return Backend(
        name=backend.name,
        mode=backend.mode,
        balance=backend.balance,
        servers=tuple(_server(server) for server in backend.servers),
        check=_check(backend.health_check) if backend.health_check else None,
        host=balancer,
        retries=backend.retries,
        timeouts=_all_ms(backend.timeouts),
        cookie=backend.cookie,
    )


def _server(server: ResolvedServer) -> Server:
    return Server(server.name, server.address, server.port, server.weight, server.backup, server.maxconn)


def _check(check: HealthCheck) -> Check:
    path = check.path if check.protocol == "http" else None
    return Check(_ms(check.interval), _ms(check.timeout), check.rise, check.fall, check.port, path)


def _all_ms(timeouts: Mapping[str, float]) -> dict[str, int]:
    return {name: _ms(seconds) for name, seconds in timeouts.items()}


def _ms(seconds: float) -> int:
    """At least 1: to HAProxy, 0 is for ever."""
    return max(1, round(seconds * 1000))
