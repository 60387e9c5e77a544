"""Rows of status, for people: does it stand, does it work: two columns, never one word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from lbkit.engine.resource import Key
from lbkit.engine.view import Health, Status
from lbkit.faces.out import Out
from lbkit.faces.render.harmless import one_line
from lbkit.faces.render.words import HEALTH_STYLES, word


def show_status(out: Out, topology: str, rows: Sequence[Status]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("thing", "stands", "health", "detail"):
        table.add_column(name, overflow="fold")
    for row, depth in _as_tree(rows):
        table.add_row(
            Text.assemble("  " * depth, (f"{one_line(row.key.kind)} ", "dim"), one_line(row.key.name)),
            word("yes") if row.present else word("no", "bold red"),
            word(str(row.health), HEALTH_STYLES[row.health]),
            word(row.detail),
        )
    out.show(table, "", _verdict(topology, rows))


def _as_tree(rows: Sequence[Status]) -> Iterator[tuple[Status, int]]:
    """Each row under its parent, in the rooms' order; one whose parent has no row stands at the top."""
    keys = {row.key for row in rows}
    children: dict[Key | None, list[Status]] = {}
    for row in rows:
        parent = row.parent if row.parent in keys and row.parent != row.key else None
        children.setdefault(parent, []).append(row)
    waiting = [(row, 0) for row in reversed(children.get(None, []))]
    while waiting:
        row, depth = waiting.pop()
        yield row, depth
        waiting += [(child, depth + 1) for child in reversed(children.pop(row.key, []))]


def _verdict(topology: str, rows: Sequence[Status]) -> Text:
    stand = sum(row.present for row in rows)
    parts = [f"{stand} of {len(rows)} stand"]
    style = "green" if stand == len(rows) else "yellow"
    for health in Health:
        count = sum(row.health is health for row in rows)
        if count:
            parts.append(f"{count} {health}")
            if health is Health.DOWN:
                style = "bold red"
            elif health is Health.DEGRADED and style == "green":
                style = "yellow"
    return word(f"{topology}: " + ", ".join(parts), style)
