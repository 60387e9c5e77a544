"""What a frontend does with what comes in, in the order in which it is done."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.haproxy.config.sections import Frontend
from lbkit.haproxy.routing import Routing
from lbkit.haproxy.text.routes import routes
from lbkit.haproxy.text.words import Words


def handling(section: Frontend) -> Iterator[Words]:
    do = section.handling
    if do.routes is not None:
        routing = Routing.of(do.routes, section.mode)
        yield from routes(section.name, routing, default=section.backend is not None)
