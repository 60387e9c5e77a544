"""Load balancers with everything filled in: members, addresses, servers one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lbkit.base.model import Model
from lbkit.engine.book import IPAddress
from lbkit.engine.resource import Key
from lbkit.haproxy.resolved_tls import ResolvedAuthority, ResolvedCertificate
from lbkit.haproxy.spec.handling import NOTHING, Handling
from lbkit.haproxy.spec.process import USUAL as USUAL_PROCESS
from lbkit.haproxy.spec.process import Process
from lbkit.haproxy.spec.prove import Prove
from lbkit.haproxy.spec.timeouts import Timeouts
from lbkit.haproxy.spec.tls import BindTls, ServerTls
from lbkit.haproxy.spec.traffic import USUAL as USUAL_TRAFFIC
from lbkit.haproxy.spec.traffic import Keepalive, Traffic
from lbkit.haproxy.spec.words import Mode, State
from lbkit.health.spec import HealthCheck


@dataclass(frozen=True, slots=True)
class ResolvedVip:
    """`peers`: each member's own addresses on the network, in the order of members: the first is preferred."""

    network: str
    addresses: tuple[IPAddress, ...]
    router_id: int
    interval: float
    peers: Mapping[str, tuple[IPAddress, ...]]


@dataclass(frozen=True, slots=True)
class ResolvedServer:
    """`member`: the machine that it is, None for one that lbkit does not make. `address` may be a name then."""

    name: str
    address: IPAddress | str
    port: int
    weight: int
    backup: bool
    maxconn: int | None
    member: str | None
    minconn: int | None = None
    maxqueue: int | None = None
    state: State = "ready"
    check: bool = True
    cookie: str | None = None
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class ResolvedMirror:
    """What a backend of a mirror's nodes has besides. `counter`: which of HAProxy's three sticky counters is its own;
    `session`: seconds that a client is kept at the generation that it began with; `agent_checked`: the health check asks the agent's port too, whether anybody answers there.
    """

    name: str
    counter: int
    session: int
    agent_checked: bool


@dataclass(frozen=True, slots=True)
class ResolvedBackend:
    """`timeouts` by HAProxy's names, in seconds: those that differ from the load balancer's. `source`: where connections
    to servers come from, by member. `stands_in_for`: the backend whose servers these are again, for while it has none.
    """

    name: str
    mode: Mode
    balance: str
    servers: tuple[ResolvedServer, ...]
    health_check: HealthCheck | None
    timeouts: Mapping[str, float]
    traffic: Traffic = USUAL_TRAFFIC
    source: Mapping[str, IPAddress] = field(default_factory=dict)
    tls: ServerTls | None = None
    mirror: ResolvedMirror | None = None
    stands_in_for: str | None = None

    @property
    def late(self) -> bool:
        """Whether its servers begin without traffic, whatever was known of them: until their agents have said `ready`;
        of a backend that stands in, until that would have been heard, and their checks have passed.
        """
        return self.mirror is not None or self.stands_in_for is not None


@dataclass(frozen=True, slots=True)
class ResolvedBind:
    """`address` None: all of the machine's. `foreign`: not every member has it, and no member always."""

    address: IPAddress | None
    port: int
    foreign: bool = False
    tls: BindTls | None = None
    accept_proxy: bool = False
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class ResolvedFrontend:
    name: str
    mode: Mode
    binds: tuple[ResolvedBind, ...]
    backend: str | None
    maxconn: int | None
    timeouts: Mapping[str, float]
    forwarded_for: bool
    prove: Prove | None = None
    handling: Handling = NOTHING
    log_format: str = "standard"
    keepalive: Keepalive | None = None
    raw: tuple[str, ...] = ()

    @property
    def backends(self) -> frozenset[str]:
        """All that it may use."""
        named = (self.backend, *(route.backend for route in self.handling.routes or ()))
        return frozenset(name for name in named if name is not None)


@dataclass(frozen=True, slots=True)
class ResolvedPeers:
    """`members`: each one's address, by name."""

    port: int
    members: Mapping[str, IPAddress]


@dataclass(frozen=True, slots=True)
class ResolvedMetrics:
    binds: tuple[ResolvedBind, ...]
    path: str


@dataclass(frozen=True, slots=True)
class ResolvedLoadBalancer:
    """`requires`: what must stand for its servers to answer. `ipv6`: a member has an IPv6 address."""

    name: str
    members: tuple[str, ...]
    ipv6: bool
    vip: ResolvedVip | None
    frontends: tuple[ResolvedFrontend, ...]
    backends: tuple[ResolvedBackend, ...]
    timeouts: Timeouts
    maxconn: int | None
    log_level: str
    hard_stop_after: float
    requires: frozenset[Key] = frozenset()
    certificates: Mapping[str, ResolvedCertificate] = field(default_factory=dict)
    authorities: Mapping[str, ResolvedAuthority] = field(default_factory=dict)
    process: Process = USUAL_PROCESS
    peers: ResolvedPeers | None = None
    metrics: ResolvedMetrics | None = None

    @property
    def by_hand(self) -> Literal["undo", "keep"]:
        """What becomes of what somebody set at the runtime socket."""
        return self.process.by_hand

    @property
    def program(self) -> str:
        """HAProxy's executable."""
        return self.process.program

    def everywhere(self, backend: str) -> tuple[str, ...]:
        """The backends that have its servers: itself, and the one that stands in for it."""
        return (backend, *(each.name for each in self.backends if each.stands_in_for == backend))

    @property
    def late(self) -> frozenset[str]:
        """Names of backends, as `ResolvedBackend.late`."""
        return frozenset(backend.name for backend in self.backends if backend.late)

    @property
    def servers(self) -> tuple[tuple[ResolvedBackend, ResolvedServer], ...]:
        return tuple((backend, server) for backend in self.backends for server in backend.servers)


@dataclass(frozen=True)
class LoadBalancers:
    by_name: Mapping[str, ResolvedLoadBalancer]


def stand_in(backend: str) -> str:
    """Name of the backend that serves while this one has no server in use. No label has a dot: no person's is named so."""
    return f"{backend}.any"


def program_name(load_balancer: str) -> str:
    """HAProxy's name among the services of its machine."""
    return f"haproxy-{load_balancer}"


def vip_program_name(load_balancer: str) -> str:
    return f"vip-{load_balancer}"


def written_timeouts(timeouts: Model) -> Mapping[str, float]:
    """Those that a person wrote, in seconds, by HAProxy's names."""
    written = timeouts.model_dump(exclude_none=True)
    return {name.replace("_", "-"): seconds for name, seconds in written.items()}
