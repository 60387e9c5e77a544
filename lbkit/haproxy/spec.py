"""What a person declares of load balancers."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    RootModel,
    StringConstraints,
    Tag,
    field_validator,
)

from lbkit.base.model import Model, OneOrMany
from lbkit.base.names import Label
from lbkit.base.units import Seconds
from lbkit.health.spec import HealthCheck
from lbkit.network.spec import IPAddress

Port = Annotated[int, Field(ge=1, le=65535)]
Mode = Literal["http", "tcp"]
Connections = Annotated[int, Field(ge=1, le=10_000_000)]
Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)]
"""A name inside HTTP (a cookie): the part of RFC 9110's token that means nothing to HAProxy either."""

BALANCE = (
    r"^(roundrobin|static-rr|leastconn|first|source|uri|random(\([1-9][0-9]?\))?"
    r"|(hdr|url_param)\([A-Za-z0-9_-]{1,64}\))$"
)
Balance = Annotated[str, StringConstraints(pattern=BALANCE)]

_ADDRESS_AND_PORT = re.compile(
    r"(?:(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[0-9.]+|\*)?):)?(?P<port>\d{1,5})\Z", re.ASCII
)


class VirtualAddress(Model):
    """An address that one of the machines has at a time (VRRP, RFC 5798): the first that works, and it keeps it."""

    network: Label
    address: Annotated[tuple[IPAddress, ...], Field(min_length=1, max_length=2), OneOrMany()] = Field(
        description="One, or one IPv4 and one IPv6 address; they move together"
    )
    router_id: Annotated[int, Field(ge=1, le=255)] | None = Field(
        None, description="VRRP's number, one of its own on the network; by default made from the names"
    )
    interval: Annotated[Seconds, Field(ge=0.01, le=40)] = Field(
        0.2, description="Between advertisements; a dead machine is noticed after three and a bit"
    )

    @field_validator("address")
    @classmethod
    def _one_of_a_kind(cls, addresses: tuple[IPAddress, ...]) -> tuple[IPAddress, ...]:
        if len({address.version for address in addresses}) != len(addresses):
            raise ValueError(f"one IPv4 and one IPv6 address, not two of IPv{addresses[0].version}")
        return addresses


class Bind(Model):
    """Where a frontend listens. Without an address: on all of the machine's, and so on the virtual one too."""

    address: IPAddress | None = None
    port: Port


def _bind(value: object) -> object:
    """80, "80", ":80", "*:80", "10.80.0.10:80" and "[fd00::10]:80" are written for `{address, port}`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {"port": value}
    if isinstance(value, str):
        match = _ADDRESS_AND_PORT.match(value)
        if match is None:
            raise ValueError("a port, ADDRESS:PORT, [IPV6]:PORT, or address and port")
        host = match["six"] or match["four"]
        port = int(match["port"])
        return {"port": port} if host in {None, "*"} else {"address": ip_address(host), "port": port}
    return value


OneBind = Annotated[Bind, BeforeValidator(_bind, json_schema_input_type=Bind | Port | str)]


class FrontendTimeouts(Model):
    """What is not written is as in the load balancer's `timeouts`."""

    client: Seconds | None = None
    http_request: Seconds | None = None
    http_keep_alive: Seconds | None = None


class Frontend(Model):
    bind: Annotated[tuple[OneBind, ...], Field(min_length=1, max_length=64), OneOrMany()]
    mode: Mode = "http"
    backend: Label
    maxconn: Connections | None = None
    timeouts: FrontendTimeouts = FrontendTimeouts()
    forwarded_for: bool = Field(
        True, description="In http mode: tell servers the client's address (X-Forwarded-For)"
    )


class _ServerSettings(Model):
    weight: Annotated[int, Field(ge=0, le=256)] = Field(1, description="Share of the traffic; 0 gets none")
    backup: bool = Field(False, description="Gets traffic only while no other server is up")
    maxconn: Connections | None = Field(None, description="Requests beyond it wait in the queue")


class GroupServers(_ServerSettings):
    """One server for each machine of a group, named as the machine."""

    machines: Label
    network: Label | None = Field(
        None, description="Where the machines are reached; by default the first of theirs that is shared"
    )
    port: Port


class AddressServer(_ServerSettings):
    """A server that lbkit does not make."""

    name: Label
    address: IPAddress
    port: Port


class BackendTimeouts(Model):
    """What is not written is as in the load balancer's `timeouts`."""

    connect: Seconds | None = None
    server: Seconds | None = None
    queue: Seconds | None = None
    tunnel: Seconds | None = None


def _which(value: object) -> str | None:
    if isinstance(value, Model):
        return "group" if isinstance(value, GroupServers) else "single"
    if not isinstance(value, dict) or ("machines" in value) == bool({"name", "address"} & value.keys()):
        return None
    return "group" if "machines" in value else "single"


OneServer = Annotated[
    Annotated[GroupServers, Tag("group")] | Annotated[AddressServer, Tag("single")],
    Discriminator(
        _which,
        custom_error_type="server",
        custom_error_message="a server: either machines and port, or name, address and port",
    ),
]


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
    cookie: Token | None = Field(
        None, description="Keep a browser at its server by a cookie of this name (http mode)"
    )


class Timeouts(Model):
    """Always all set: a connection without a timeout is a leak."""

    connect: Seconds = 5.0
    client: Seconds = 30.0
    server: Seconds = 30.0
    queue: Seconds = 10.0
    http_request: Seconds = Field(10.0, description="For a request's headers to arrive whole")
    http_keep_alive: Seconds = Field(10.0, description="For the next request of a connection")
    tunnel: Seconds = Field(
        3600.0, description="Of connections that were upgraded (WebSocket), and of tcp mode"
    )


class LoadBalancer(Model):
    """HAProxy on every machine of a group, all with the same configuration."""

    machines: Label = Field(description="The group that HAProxy runs on")
    vip: VirtualAddress | None = None
    frontends: dict[Label, Frontend] = Field(min_length=1)
    backends: dict[Label, Backend] = Field(min_length=1)
    timeouts: Timeouts = Timeouts()
    maxconn: Connections | None = Field(
        None, description="Connections of the whole process; by default what its open files allow"
    )
    log_level: Literal["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"] = Field(
        "notice",
        description="`notice` tells of servers that go up and down; `info` adds a line for each request",
    )
    hard_stop_after: Seconds = Field(
        300.0, description="How long connections may go on in the process that a reload replaces"
    )


class LoadBalancers(RootModel[dict[Label, LoadBalancer]]):
    root: dict[Label, LoadBalancer] = Field(default_factory=dict)
