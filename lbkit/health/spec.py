"""What a person declares of a health check. The field names are the same wherever one is declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from lbkit.base.model import Model, OneOrMany
from lbkit.base.units import Seconds
from lbkit.health.values import (
    DnsName,
    Expression,
    HeaderName,
    HeaderValue,
    HostHeader,
    Octets,
    OneLine,
    StatusCodes,
)

Protocol = Literal["tcp", "http", "tls", "https"]
Port = Annotated[int, Field(ge=1, le=65535)]

GOOD_STATUS = ("200-399",)

_OF_HTTP = ("path", "method", "host", "headers")
_OF_TCP = ("send",)
_ITS_OWN = frozenset({"host", "connection", "content-length", "transfer-encoding"})


class Expect(Model):
    """A good answer: all that is said of it holds. What is searched for may stand anywhere in it."""

    status: Annotated[tuple[StatusCodes, ...], Field(min_length=1, max_length=16), OneOrMany()] = Field(
        GOOD_STATUS, description="Of http: 200, 200-299, or a list of such"
    )
    body: OneLine | None = Field(None, description="Of http: text in the body's first 16 KB")
    body_regex: Expression | None = Field(None, description="Of http: a regular expression of the body")
    answer: Octets | None = Field(None, description="Of tcp and tls: what the server says, or {hex: ...}")
    answer_regex: Expression | None = Field(
        None, description="Of tcp and tls: a regular expression of what it says"
    )

    @property
    def ranges(self) -> Iterator[tuple[int, int]]:
        """Of good status codes, both ends included."""
        for codes in self.status:
            first, _, last = codes.partition("-")
            yield int(first), int(last or first)


class Agent(Model):
    """A service beside the server's own that says what it can take: `up`, `drain`, `maint`, `50%` (HAProxy's agent-check)."""

    port: Port
    interval: Seconds = 2.0
    send: OneLine | None = Field(None, description="A line that it gets when it is asked")


class HealthCheck(Model):
    """Probe every `interval`; up after `rise` good ones in a row, down after `fall` bad ones."""

    protocol: Protocol = Field(
        "tcp",
        description="tcp and http speak TLS too where the traffic does and no `port` is set; tls and https always",
    )
    port: Port | None = Field(None, description="By default the port of the traffic")
    path: Annotated[str, StringConstraints(pattern=r"^/[!-~]*$", max_length=2048)] = "/"
    method: Literal["GET", "HEAD", "OPTIONS", "POST"] = "GET"
    host: HostHeader | None = Field(None, description="The Host header; by default the load balancer's name")
    headers: Annotated[dict[HeaderName, HeaderValue], Field(max_length=12)] = Field(default_factory=dict)
    send: Octets | None = Field(None, description="Of tcp and tls: what the server gets first, or {hex: ...}")
    expect: Expect = Expect()
    server_name: DnsName | None = Field(None, description="The name that TLS asks for (SNI)")
    proxy_protocol: bool = Field(
        False,
        description="Begin with a PROXY line; to the traffic's own port, as the traffic does in any case",
    )
    interval: Seconds = 2.0
    interval_changing: Seconds | None = Field(
        None, description="Between checks while it is on its way up or down; by default `interval`"
    )
    interval_down: Seconds | None = Field(
        None, description="Between checks while it is down; by default `interval`"
    )
    timeout: Seconds = 1.0
    rise: Annotated[int, Field(ge=1, le=100)] = 2
    fall: Annotated[int, Field(ge=1, le=100)] = 3
    agent: Agent | None = None

    @property
    def is_http(self) -> bool:
        return self.protocol in {"http", "https"}

    @property
    def forces_tls(self) -> bool:
        return self.protocol in {"tls", "https"}

    @property
    def has_dialogue(self) -> bool:
        """Whether more than a connection is asked of a server without HTTP."""
        return not self.is_http and bool(self.send or self.expect.answer or self.expect.answer_regex)

    @field_validator("headers")
    @classmethod
    def _no_header_of_its_own(cls, headers: dict[str, str]) -> dict[str, str]:
        names = [name.lower() for name in headers]
        if any(name in _ITS_OWN for name in names):
            raise ValueError(
                f"headers other than {', '.join(sorted(_ITS_OWN))} (`host` is a field of its own)"
            )
        if len(set(names)) != len(names):
            raise ValueError("each header once: case makes no difference in their names")
        return headers

    @model_validator(mode="after")
    def _fields_of_its_protocol(self) -> Self:
        written = self.model_fields_set | {f"expect.{name}" for name in self.expect.model_fields_set}
        http = {*_OF_HTTP, "expect.status", "expect.body", "expect.body_regex"}
        tcp = {*_OF_TCP, "expect.answer", "expect.answer_regex"}
        wrong = sorted(written & (tcp if self.is_http else http))
        if wrong:
            others = "tcp or tls" if self.is_http else "http or https"
            raise ValueError(f"`protocol: {others}` for {', '.join(wrong)}")
        if self.method == "HEAD" and (self.expect.body or self.expect.body_regex):
            raise ValueError("another method than HEAD where a body is expected")
        return self
