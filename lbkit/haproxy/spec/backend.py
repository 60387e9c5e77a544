"""A backend: its servers, and how requests are spread over them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lbkit.base.names import Label
from lbkit.haproxy.spec.balance import Balance
from lbkit.haproxy.spec.server import OneServer
from lbkit.haproxy.spec.timeouts import BackendTimeouts
from lbkit.haproxy.spec.tls import ServerTls
from lbkit.haproxy.spec.traffic import Traffic
from lbkit.haproxy.spec.words import Mode
from lbkit.health.spec import HealthCheck


class Backend(Traffic):
    mode: Mode | None = Field(None, description="By default that of the frontends that use it")
    balance: Balance = Field("roundrobin", description="How requests are spread over servers")
    servers: Annotated[tuple[OneServer, ...], Field(max_length=10_000)]
    health_check: HealthCheck | Literal[False] = Field(
        default_factory=HealthCheck, description="By default a TCP connection every 2 s; false for none"
    )
    timeouts: BackendTimeouts = BackendTimeouts()
    tls: ServerTls | None = Field(None, description="Speak TLS to its servers")
    source: Label | None = Field(
        None, description="A network: connections to servers come from each machine's own address there"
    )

    @model_validator(mode="after")
    def _of_its_algorithm(self) -> Self:
        wrong = self.hash.misplaced(self.balance)
        if wrong:
            raise ValueError(
                f"`balance: {self.balance}` without {', '.join(f'hash.{name}' for name in wrong)}"
            )
        return self
