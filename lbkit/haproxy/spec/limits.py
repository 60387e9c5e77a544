"""How much one client gets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lbkit.base.model import Model
from lbkit.base.units import Seconds
from lbkit.haproxy.spec.headers import HeaderName

TableSize = Annotated[int, Field(ge=100, le=100_000_000)]


class ByHeader(Model):
    header: HeaderName


class RateLimit(Model):
    """So many requests of one client get through within any such time; the next are answered with `status`."""

    requests: Annotated[int, Field(ge=1, le=1_000_000_000)]
    per: Seconds = 10.0
    by: Literal["source"] | ByHeader = Field(
        "source",
        description="Who a client is: its address (of IPv6 its /64 network), or what a header says; requests "
        "without that header are not counted",
    )
    status: Literal[403, 429, 503] = 429
    clients: TableSize = Field(100_000, description="How many are remembered; then the oldest is forgotten")


class ConnectionLimit(Model):
    """Connections that one address may have open at a time; more are cut off."""

    connections: Annotated[int, Field(ge=1, le=1_000_000)]
    clients: TableSize = 100_000
