"""What a frontend does with what comes in, before a backend gets it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lbkit.base.model import Model, OneOrMany
from lbkit.haproxy.spec.access import Source
from lbkit.haproxy.spec.compression import OneCompression
from lbkit.haproxy.spec.headers import Headers
from lbkit.haproxy.spec.https import OneHsts, OneHttpsRedirect
from lbkit.haproxy.spec.limits import ConnectionLimit, RateLimit
from lbkit.haproxy.spec.routes import Route

HTTP_ALONE = ("rate_limit", "https_redirect", "hsts", "headers", "forwarded_proto", "compression")
"""Keys that mean nothing in tcp mode."""


class Handling(Model):
    allow: Annotated[tuple[Source, ...], Field(min_length=1, max_length=100_000), OneOrMany()] | None = Field(
        None, description="Sources that may come in, and no other: http mode answers 403, tcp mode cuts off"
    )
    deny: Annotated[tuple[Source, ...], Field(max_length=100_000), OneOrMany()] | None = Field(
        None, description="Sources that may not, also out of `allow`. Both lists change without a reload"
    )
    connections_per_source: ConnectionLimit | None = Field(
        None, description="Connections that one address may have open; more are cut off"
    )
    connections_per_second: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        None, description="New connections of all clients; more wait to be accepted"
    )
    rate_limit: Annotated[tuple[RateLimit, ...], Field(max_length=2), OneOrMany()] = Field(
        (), description="Requests of one client; two may be written, such as by source and by a header"
    )
    https_redirect: OneHttpsRedirect = Field(
        None, description="Send requests that came without TLS to https://: true, or {code, port}"
    )
    hsts: OneHsts = Field(None, description="Strict-Transport-Security: true, or {days, subdomains, preload}")
    routes: Annotated[tuple[Route, ...], Field(max_length=10_000)] | None = Field(
        None,
        description="By host, path, headers or SNI; what none fits goes to `backend`. A list, an empty one too, makes "
        "that routes come and go without a reload",
    )
    headers: Headers = Headers()
    forwarded_proto: bool = Field(
        False, description="Tell servers whether the client came by http or https (X-Forwarded-Proto)"
    )
    compression: OneCompression = Field(
        None, description="Of responses: true for the usual types by gzip, or {algorithms, types}"
    )

    @property
    def has_limits(self) -> bool:
        """Clients are counted in tables."""
        return bool(self.rate_limit) or self.connections_per_source is not None


NOTHING = Handling()
