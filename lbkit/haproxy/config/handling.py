"""The files that a frontend's rules look things up in."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.haproxy.config.files import File
from lbkit.haproxy.resolved import ResolvedFrontend
from lbkit.haproxy.routing import map_files
from lbkit.haproxy.sources import list_files


def handling_files(frontend: ResolvedFrontend) -> Iterator[File]:
    if frontend.handling.routes is not None:
        yield from map_files(frontend.name, frontend.handling.routes, frontend.mode)
    yield from list_files(frontend.name, frontend.handling)
