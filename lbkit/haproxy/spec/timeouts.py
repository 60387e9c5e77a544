"""How long to wait for what. Always all set: a connection without a timeout is a leak."""

from __future__ import annotations

from pydantic import Field

from lbkit.base.model import Model
from lbkit.base.units import Seconds


class FrontendTimeouts(Model):
    """What is not written is as in the load balancer's `timeouts`."""

    client: Seconds | None = None
    http_request: Seconds | None = None
    http_keep_alive: Seconds | None = None


class BackendTimeouts(Model):
    """What is not written is as in the load balancer's `timeouts`."""

    connect: Seconds | None = None
    server: Seconds | None = None
    queue: Seconds | None = None
    tunnel: Seconds | None = None


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
