"""What a frontend does with what comes in, before a backend gets it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lbkit.base.model import Model
from lbkit.haproxy.spec.routes import Route


class Handling(Model):
    routes: Annotated[tuple[Route, ...], Field(max_length=10_000)] | None = Field(
        None,
        description="By host, path, headers or SNI; what none fits goes to `backend`. A list, an empty one too, makes "
        "that routes come and go without a reload",
    )


NOTHING = Handling()
