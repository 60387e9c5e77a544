"""A backend: its servers, and how requests are spread over them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from lbkit.base.model import Model
from lbkit.haproxy.spec.server import OneServer
from lbkit.haproxy.spec.timeouts import BackendTimeouts
from lbkit.haproxy.spec.tls import ServerTls
from lbkit.haproxy.spec.words import Mode, Token
from lbkit.health.spec import HealthCheck

BALANCE = (
    r"^(roundrobin|static-rr|leastconn|first|source|uri|random(\([1-9][0-9]?\))?"
    r"|(hdr|url_param)\([A-Za-z0-9_-]{1,64}\))$"
)
Balance = Annotated[str, StringConstraints(pattern=BALANCE)]


class Backend(Model):
    mode: Mode | None = Field(None, description="By default that of the frontends that use it")
    balance: Balance = Field(
        "roundrobin",
        description="roundrobin, static-rr, leastconn, first, source, random, uri, hdr(NAME), url_param(NAME)",
    )
    servers: Annotated[tuple[OneServer, ...], Field(max_length=10_000)]
    health_check: HealthCheck | Literal[False] = Field(
        default_factory=HealthCheck, description="By default a TCP connection every 2 s; false for none"
    )
    retries: Annotated[int, Field(ge=0, le=100)] = Field(
        3, description="Tries to connect after the first, each at another server"
    )
    timeouts: BackendTimeouts = BackendTimeouts()
    tls: ServerTls | None = Field(None, description="Speak TLS to its servers")
    cookie: Token | None = Field(
        None, description="Keep a browser at its server by a cookie of this name (http mode)"
    )
