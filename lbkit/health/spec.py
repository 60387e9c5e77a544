"""What a person declares of a health check. The field names are the same wherever one is declared."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from lbkit.base.model import Model
from lbkit.base.units import Seconds

Protocol = Literal["tcp", "http"]


class HealthCheck(Model):
    """Probe every `interval`; up after `rise` good ones in a row, down after `fall` bad ones."""

    protocol: Protocol = "tcp"
    port: Annotated[int, Field(ge=1, le=65535)] | None = Field(
        None, description="By default the port of the traffic"
    )
    path: Annotated[str, StringConstraints(pattern=r"^/[!-~]*$", max_length=2048)] = "/"
    interval: Seconds = 2.0
    timeout: Seconds = 1.0
    rise: Annotated[int, Field(ge=1, le=100)] = 2
    fall: Annotated[int, Field(ge=1, le=100)] = 3
