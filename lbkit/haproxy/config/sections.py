"""HAProxy's configuration as typed values: what one HAProxy shall do, section by section.

A section is a frozen dataclass here, its lines are in `text/`. Times are in milliseconds, HAProxy's own
unit: a value is what the running process will say. What a person declares that needs nothing filled in is
held as its model of `spec/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lbkit.engine.book import IPAddress
from lbkit.haproxy.config.files import File
from lbkit.haproxy.spec.handling import NOTHING, Handling
from lbkit.haproxy.spec.logs import LogTarget
from lbkit.haproxy.spec.names import Resolvers
from lbkit.haproxy.spec.process import USUAL as USUAL_PROCESS
from lbkit.haproxy.spec.process import Tuning
from lbkit.haproxy.spec.tls import BindTls, ServerTls
from lbkit.haproxy.spec.traffic import USUAL as USUAL_TRAFFIC
from lbkit.haproxy.spec.traffic import Keepalive, Traffic
from lbkit.haproxy.spec.words import Mode, State
from lbkit.health.spec import HealthCheck

METRICS = "lbkit.metrics"
"""Name of the frontend that answers Prometheus. No label has a dot: none of a person's is named so."""


@dataclass(frozen=True, slots=True)
class Global:
    """`mark` is the owner mark that the running process shows in `show info`. `user` None: as it was started."""

    mark: str
    user: str | None
    log_level: str
    hard_stop_after: int
    maxconn: int | None
    log: tuple[LogTarget, ...] = ()
    tuning: Tuning = USUAL_PROCESS.tuning
    raw: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Defaults:
    timeouts: Mapping[str, int]
    raw: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Peers:
    """Members by name with their addresses; the process itself is `local`. None: alone, by a socket of its own.

    Also one that is alone needs it: by this way a process hands its tables on to the one that replaces it.
    """

    local: str
    members: Mapping[str, IPAddress] | None = None
    port: int = 0


@dataclass(frozen=True, slots=True)
class Metrics:
    binds: tuple[Bind, ...]
    path: str


@dataclass(frozen=True, slots=True)
class Bind:
    """`address` None: all of IPv4, and of IPv6 too where `both`. `freebind`: also while nobody here has it.

    `certificate_list`: where it speaks TLS, the path of its crt-list.
    """

    address: IPAddress | None
    port: int
    both: bool = False
    freebind: bool = False
    tls: BindTls | None = None
    certificate_list: str = ""
    accept_proxy: bool = False
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class Frontend:
    """`stand_ins`: of the backends that it uses, those that another stands in for, with that other's name."""

    name: str
    mode: Mode
    binds: tuple[Bind, ...]
    backend: str | None
    maxconn: int | None = None
    timeouts: Mapping[str, int] = field(default_factory=dict)
    forwarded_for: bool = False
    handling: Handling = NOTHING
    log_format: str = "standard"
    keepalive: Keepalive | None = None
    raw: tuple[str, ...] = ()
    stand_ins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Server:
    """`address`: a name where the resolvers are asked. `prefer`: which of its addresses.

    `state` drain is no word of the file: it is said at run time. `cookie` None: its name. `check` false: it is not
    checked where others are.
    """

    name: str
    address: IPAddress | str
    port: int
    weight: int = 1
    backup: bool = False
    maxconn: int | None = None
    minconn: int | None = None
    maxqueue: int | None = None
    state: State = "ready"
    prefer: Literal["ipv4", "ipv6"] = "ipv4"
    check: bool = True
    cookie: str | None = None
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class Serials:
    """`counter`: the sticky counter that tracks clients. `session`: seconds for which one is kept at a generation."""

    counter: int
    session: int


@dataclass(frozen=True, slots=True)
class Backend:
    """`host`: what a health check by HTTP says in its Host header. `source`: where connections to servers come from.

    `serials`: of a mirror, how clients' serials are remembered. `unpinned`: a mirror's nodes, and
    whichever serial they have. `agent_checked`: the health check wants an answer of the agent too.
    """

    name: str
    mode: Mode
    balance: str
    servers: tuple[Server, ...]
    check: HealthCheck | None = None
    host: str = ""
    timeouts: Mapping[str, int] = field(default_factory=dict)
    traffic: Traffic = USUAL_TRAFFIC
    source: IPAddress | None = None
    tls: ServerTls | None = None
    serials: Serials | None = None
    unpinned: bool = False
    agent_checked: bool = False

    @property
    def drain_timeout(self) -> float:
        """Seconds that requests get to end at a server that goes."""
        return self.traffic.drain_timeout

    @property
    def up_timeout(self) -> float:
        """Seconds that an apply waits for a new server's checks."""
        return self.traffic.up_timeout


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration. A new kind of section is a new field here, and its lines in a file of `text/`.

    `files` are what the sections name beside, each path once.
    """

    global_: Global
    defaults: Defaults
    frontends: tuple[Frontend, ...]
    backends: tuple[Backend, ...]
    files: tuple[File, ...] = ()
    peers: Peers | None = None
    resolvers: Resolvers | None = None
    metrics: Metrics | None = None
    raw_sections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
