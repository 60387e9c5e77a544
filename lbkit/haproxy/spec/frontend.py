"""A frontend: where it listens, and what becomes of what comes in."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lbkit.base.model import Model, OneOrMany
from lbkit.base.names import Label
from lbkit.haproxy.spec.bind import OneBind
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
