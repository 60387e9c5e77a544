"""How a backend treats requests and servers: tries, reuse, limits, and what servers learn."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from lbkit.base.model import Model
from lbkit.base.units import Seconds
from lbkit.haproxy.spec.balance import Hash
from lbkit.haproxy.spec.persistence import OneCookie, OnePersist
from lbkit.haproxy.spec.raw import RawBackend
from lbkit.haproxy.spec.words import Connections

RETRIED_STATUS = (401, 403, 404, 408, 425, 500, 501, 502, 503, 504)  # configuration manual, 4.2 "retry-on"
RetryOn = Literal[
    "none",
    "conn-failure",
    "empty-response",
    "junk-response",
    "response-timeout",
    "0rtt-rejected",
    "all-retryable-errors",
    401,
    403,
    404,
    408,
    425,
    500,
    501,
    502,
    503,
    504,
]


class Keepalive(Model):
    """Probes of a TCP connection on which nothing is said (tcp(7), TCP_KEEPCNT and its kin). Not written: the system's."""

    count: Annotated[int, Field(ge=1, le=127)] | None = Field(None, description="Unanswered ones that end it")
    idle: Annotated[Seconds, Field(ge=1, le=32767)] | None = Field(
        None, description="Silence before the first one, in whole seconds"
    )
    interval: Annotated[Seconds, Field(ge=1, le=32767)] | None = Field(
        None, description="Between them, in whole seconds"
    )


def _keepalive(value: object) -> object:
    if isinstance(value, bool):
        return {} if value else None
    if value is not None and not isinstance(value, dict | Model):
        raise ValueError("true, false, or its keys")
    return value


OneKeepalive = Annotated[
    Keepalive | None, BeforeValidator(_keepalive, json_schema_input_type=Keepalive | bool | None)
]


class Traffic(Model):
    """The part of a backend in which nothing has to be looked up: HAProxy's lines are made from it as it is."""

    hash: Hash = Field(Hash(), description="Of algorithms that hash, and of random")
    cookie: OneCookie | None = Field(
        None, description="Keep a browser at its server by a cookie of this name (http mode)"
    )
    persist: OnePersist | None = Field(
        None, description="`source`: keep a client at its server by its address"
    )
    retries: Annotated[int, Field(ge=0, le=100)] = Field(
        3, description="Tries to connect after the first, each at another server"
    )
    retry_on: Annotated[tuple[RetryOn, ...], Field(min_length=1, max_length=16)] | None = Field(
        None, description="What else is tried again, in http mode; by default failed connections alone"
    )
    redispatch: bool = Field(True, description="Tries go to another server; false: all to the same one")
    http_reuse: Literal["never", "safe", "aggressive", "always"] | None = Field(
        None, description="Whose requests may share a connection to a server; by default safe"
    )
    full_connections: Connections | None = Field(
        None, description="At so many of the backend, servers' limits have grown from minconn to maxconn"
    )
    all_backups: bool = Field(False, description="Backups serve together; by default the first that is up")
    abort_on_close: bool = Field(False, description="Drop a waiting request whose client has gone")
    keepalive: OneKeepalive = Field(None, description="TCP's probes of silent connections to servers")
    slow_start: Seconds | None = Field(
        None, description="A server that comes up gets its full share only after so long"
    )
    send_proxy: Literal["v1", "v2"] | None = Field(
        None, description="Tell servers the client's address by the PROXY protocol"
    )
    observe: Literal["layer4", "layer7"] | None = Field(
        None, description="Judge servers by the traffic as well: by connections, or by HTTP's answers"
    )
    error_limit: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="Errors in a row that `observe` bears; by default 10"
    )
    on_error: Literal["fastinter", "fail-check", "sudden-death", "mark-down"] | None = Field(
        None, description="What happens then; by default fail-check"
    )
    shutdown_when_down: bool = Field(False, description="Cut a server's connections when it goes down")
    shutdown_backups_when_up: bool = Field(
        False, description="Cut backups' connections when a server that is none comes up"
    )
    drain_timeout: Seconds = Field(
        30.0, description="How long requests get to end at a server that is removed or moved"
    )
    up_timeout: Seconds = Field(15.0, description="How long an apply waits for a new server's checks to pass")
    raw: RawBackend = Field((), description="Lines of the section `backend` as they are, for what has no key")

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.cookie is not None and self.persist is not None:
            raise ValueError("`cookie` or `persist`, not both")
        if self.persist is not None and any(line.split()[0] == "stick-table" for line in self.raw):
            raise ValueError("`persist`, or a `stick-table` in `raw`, not both")
        if self.observe is None and (self.error_limit is not None or self.on_error is not None):
            raise ValueError("`observe` beside `error_limit` and `on_error`")
        if self.retry_on is not None and "none" in self.retry_on and len(self.retry_on) > 1:
            raise ValueError("`none` alone, or what is tried again")
        return self


USUAL = Traffic()
