"""HAProxy's configuration as typed values: what one HAProxy shall do, section by section.

A section is a frozen dataclass here, its lines are in `text/`. Times are in milliseconds, HAProxy's own
unit: a value is what the running process will say. What a person declares that needs nothing filled in is
held as its model of `spec/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lbkit.engine.book import IPAddress
from lbkit.haproxy.config.files import File
from lbkit.haproxy.spec.handling import NOTHING, Handling
from lbkit.haproxy.spec.tls import BindTls, ServerTls
from lbkit.haproxy.spec.words import Mode
from lbkit.health.spec import HealthCheck

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
    """`address` None: all of IPv4, and of IPv6 too where `both`. `freebind`: also while nobody here has it.

    `certificate_list`: where it speaks TLS, the path of its crt-list.
    """

    address: IPAddress | None
    port: int
    both: bool = False
    freebind: bool = False
    tls: BindTls | None = None
    certificate_list: str = ""


@dataclass(frozen=True, slots=True)
class Frontend:
    name: str
    mode: Mode
    binds: tuple[Bind, ...]
    backend: str | None
    maxconn: int | None = None
    timeouts: Mapping[str, int] = field(default_factory=dict)
    forwarded_for: bool = False
    handling: Handling = NOTHING


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
    check: HealthCheck | None = None
    host: str = ""
    retries: int = 3
    timeouts: Mapping[str, int] = field(default_factory=dict)
    cookie: str | None = None
    tls: ServerTls | None = None


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
