"""What routes are to HAProxy: entries of maps, and the order in which the maps are asked.

A request is looked up by a host (its own, then `*.` and all but its first label, then `*`), and by its path, decoded
and with its slashes merged: `shop.example.test/api`. For each of these hosts in turn: the exact paths, the regular
expressions in their order, the prefixes by the longest. Prefixes end with a slash, as what is looked up then does: so
only whole segments fit. Values say what to do: `backend:NAME`, `reject:STATUS`, `to:STATUS:LOCATION`,
`keep:STATUS:LOCATION` (the request's path follows).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lbkit.haproxy.config.files import File, FileKind
from lbkit.haproxy.spec.routes import Route

ANY = "*"


class Table(StrEnum):
    EXACT = "exact"
    REGEX = "regex"
    PREFIX = "prefix"
    SNI = "sni"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a map. `route`: the index of the route that it is of."""

    table: Table
    key: str
    value: str
    route: int


@dataclass(frozen=True, slots=True)
class Routing:
    """Which lookups there are: what a change of these needs a reload. `paths`: more than hosts is looked at."""

    tables: tuple[Table, ...]
    paths: bool

    @classmethod
    def of(cls, routes: Sequence[Route], mode: str) -> Routing:
        if mode == "tcp":
            return cls((Table.SNI,), paths=False)
        if not any(
            route.path or route.path_regex or route.path_prefix not in {None, "/"} for route in routes
        ):
            return cls((Table.PREFIX,), paths=False)
        regex = (Table.REGEX,) if any(route.path_regex for route in routes) else ()
        return cls((Table.EXACT, *regex, Table.PREFIX), paths=True)


def entries(routes: Sequence[Route]) -> Iterator[Entry]:
    for index, route in enumerate(routes):
        value = action(route)
        for name in route.sni:
            yield Entry(Table.SNI, name, value, index)
        if not route.is_http:
            continue
        for host in route.host or (ANY,):
            if route.path is not None:
                yield Entry(Table.EXACT, host + route.path, value, index)
            elif route.path_regex is not None:
                yield Entry(Table.REGEX, f"^{_escaped(host)}(?:{route.path_regex})$", value, index)
            else:
                yield Entry(Table.PREFIX, host + (route.path_prefix or "").rstrip("/") + "/", value, index)


def action(route: Route) -> str:
    if route.backend is not None:
        return f"backend:{route.backend}"
    if route.redirect is not None:
        to, code = route.redirect.to, route.redirect.code
        return f"keep:{code}:{to.rstrip('/')}" if route.redirect.keep_path else f"to:{code}:{to}"
    return f"reject:{route.reject}"


def map_path(frontend: str, table: Table) -> str:
    return f"maps/{frontend}.{table}.map"


def map_files(frontend: str, routes: Sequence[Route], mode: str) -> tuple[File, ...]:
    """One for each table that is asked, empty ones too. In the order of the keys, but where the order has a meaning."""
    lines: dict[Table, list[str]] = {table: [] for table in Routing.of(routes, mode).tables}
    for entry in entries(routes):
        lines[entry.table].append(f"{entry.key} {entry.value}\n")
    return tuple(
        File(
            map_path(frontend, table),
            FileKind.MAP,
            "".join(found if table is Table.REGEX else sorted(found)).encode(),
        )
        for table, found in lines.items()
    )


def _escaped(host: str) -> str:
    return re.sub(r"([.*])", r"\\\1", host)
