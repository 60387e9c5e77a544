"""A frontend: where it listens, and what becomes of what comes in."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lbkit.base.model import Model, OneOrMany
from lbkit.base.names import Label
from lbkit.haproxy.spec.bind import OneBind
from lbkit.haproxy.spec.prove import Prove
from lbkit.haproxy.spec.timeouts import FrontendTimeouts
from lbkit.haproxy.spec.words import Connections, Mode


class Frontend(Model):
    bind: Annotated[tuple[OneBind, ...], Field(min_length=1, max_length=64), OneOrMany()]
    mode: Mode = "http"
    backend: Label
    maxconn: Connections | None = None
    timeouts: FrontendTimeouts = FrontendTimeouts()
    forwarded_for: bool = Field(
        True, description="In http mode: tell servers the client's address (X-Forwarded-For)"
    )
    prove: Prove | Literal[False] = Field(
        default_factory=Prove, description="What `lbkit apply --prove` asks of it; false: nothing"
    )
