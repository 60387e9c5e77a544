"""What routes mean, said without maps: of all that fit, the most particular."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lbkit.haproxy.spec.routes import Route


def meant(routes: Sequence[Route], host: str, path: str, headers: Mapping[str, str]) -> int | None:
    """The index of the route that a request takes: by its host first, then its path, then its headers."""
    sets = list(dict.fromkeys(names(route) for route in routes if route.headers))
    fitting = [
        ((*by_host, *by_path, len(route.headers), -_first(sets, route), -index), index)
        for index, route in enumerate(routes)
        if all(headers.get(name) == value for name, value in route.headers.items())
        if (by_host := _host(route, host)) is not None
        if (by_path := _path(route, path)) is not None
    ]
    return max(fitting)[1] if fitting else None


def names(route: Route) -> tuple[str, ...]:
    return tuple(sorted(route.headers))


def _first(sets: Sequence[tuple[str, ...]], route: Route) -> int:
    """Of two sets of as many headers, the one that is written first."""
    return sets.index(names(route)) if route.headers else 0


def _host(route: Route, host: str) -> tuple[int] | None:
    if host in route.host:
        return (2,)
    if any(each.startswith("*.") and host.partition(".")[2] == each[2:] for each in route.host):
        return (1,)
    return None if route.host else (0,)


def _path(route: Route, path: str) -> tuple[int, int] | None:
    if route.path is not None:
        return (2, 0) if path == route.path else None
    if route.path_regex is not None:
        return (1, 0) if re.fullmatch(route.path_regex, path) else None
    prefix = (route.path_prefix or "/").rstrip("/") + "/"
    return (0, len(prefix)) if f"{path}/".startswith(prefix) else None
