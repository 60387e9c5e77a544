"""What routes are to HAProxy: entries of maps, and the order in which the maps are asked.

A request is looked up by a host (its own, then `*.` and all but its first label, then `*`), and by its path, decoded
and with its slashes merged: `shop.example.test/api`. For each of these hosts in turn: the exact paths, the regular
expressions in their order, the prefixes by the longest. Prefixes end with a slash, as what is looked up then does: so
only whole segments fit. Values say what to do: `backend:NAME`, `reject:STATUS`, `to:STATUS:LOCATION`,
`keep:STATUS:LOCATION` (the request's path follows).

Conditions on headers stand before the host, values percent-encoded: `x-canary=1;shop.example.test/api`. Each set of
names that is asked for is looked up by itself, and the longest prefix of all these lookups is taken: where there are
such sets, values of prefixes begin with their length (`4:backend:NAME`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

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
    headers: tuple[tuple[str, ...], ...] = ()  # sets of names, those of most names first

    @classmethod
    def of(cls, routes: Sequence[Route], mode: str) -> Routing:
        if mode == "tcp":
            return cls((Table.SNI,), paths=False)
        asked = dict.fromkeys(_names(route) for route in routes if route.headers)
        headers = tuple(sorted(asked, key=len, reverse=True))
        if not any(route.path or route.path_regex or (route.path_prefix or "/") != "/" for route in routes):
            return cls((Table.PREFIX,), paths=False, headers=headers)
        regex = (Table.REGEX,) if any(route.path_regex for route in routes) else ()
        return cls((Table.EXACT, *regex, Table.PREFIX), paths=True, headers=headers)


def entries(routes: Sequence[Route]) -> Iterator[Entry]:
    ranked = any(route.headers for route in routes)
    for index, route in enumerate(routes):
        value = action(route)
        for name in dict.fromkeys(route.sni):
            yield Entry(Table.SNI, name, value, index)
        if not route.is_http:
            continue
        for host in dict.fromkeys(route.host or (ANY,)):
            about = _said(route) + host
            if route.path is not None:
                yield Entry(Table.EXACT, about + route.path, value, index)
            elif route.path_regex is not None:
                yield Entry(Table.REGEX, f"^{_escaped(about)}(?:{route.path_regex})$", value, index)
            else:
                prefix = (route.path_prefix or "").rstrip("/") + "/"
                length = f"{len(prefix.encode())}:" if ranked else ""
                yield Entry(Table.PREFIX, about + prefix, length + value, index)


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


def _names(route: Route) -> tuple[str, ...]:
    return tuple(sorted(name.lower() for name in route.headers))


def _said(route: Route) -> str:
    """What its headers are to be, as it begins a key. HAProxy's url_enc leaves what `quote` leaves."""
    values = {name.lower(): value for name, value in route.headers.items()}
    return "".join(f"{name}={quote(values[name], safe='')};" for name in _names(route))


def _escaped(about: str) -> str:
    return re.sub(r"([.*])", r"\\\1", about)
