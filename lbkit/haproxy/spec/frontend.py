"""A frontend: where it listens, and what becomes of what comes in."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lbkit.base.model import OneOrMany
from lbkit.base.names import Label
from lbkit.haproxy.spec.bind import OneBind
from lbkit.haproxy.spec.handling import Handling
from lbkit.haproxy.spec.logs import LogFormat
from lbkit.haproxy.spec.prove import Prove
from lbkit.haproxy.spec.raw import RawFrontend
from lbkit.haproxy.spec.timeouts import FrontendTimeouts
from lbkit.haproxy.spec.traffic import OneKeepalive
from lbkit.haproxy.spec.words import Connections, Mode


class Frontend(Handling):
    bind: Annotated[tuple[OneBind, ...], Field(min_length=1, max_length=64), OneOrMany()]
    mode: Mode = "http"
    backend: Label | None = Field(
        None, description="For what no route fits; without one that is answered with 404, in tcp mode cut off"
    )
    maxconn: Connections | None = None
    timeouts: FrontendTimeouts = FrontendTimeouts()
    forwarded_for: bool = Field(
        True, description="In http mode: tell servers the client's address (X-Forwarded-For)"
    )
    log_format: LogFormat = Field(
        "standard",
        description="Of the line for each request: standard (HAProxy's httplog, tcplog), clf, json, or a format of "
        "your own with %",
    )
    keepalive: OneKeepalive = Field(None, description="TCP's probes of silent connections of clients")
    raw: RawFrontend = Field(
        (), description="Lines of the section `frontend` as they are, for what has no key"
    )
    prove: Prove | Literal[False] = Field(
        default_factory=Prove, description="What `lbkit apply --prove` asks of it; false: nothing"
    )

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Frontend:
        if self.backend is None and self.routes is None and not self.raw:
            raise ValueError("a backend, or routes, or both; or lines of `raw` that answer")
        return self

    @property
    def backends(self) -> frozenset[str]:
        """All that it may use."""
        named = (self.backend, *(route.backend for route in self.routes or ()))
        return frozenset(name for name in named if name is not None)
