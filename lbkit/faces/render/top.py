"""One view of `top`: a line for all of it, then frontends, backends and servers, as many as fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lbkit.engine.traffic import Counters, Flow, Traffic, fitting
from lbkit.faces.render.harmless import one_line
from lbkit.faces.render.words import word

_NUMBERS = ("req/s", "in/s", "out/s", "sess", "queue", "err/s", "5xx/s")
_WORDS = ("state", "check", "weight")
_LEFT_OUT_FIRST = ("weight", "in/s", "check", "out/s", "5xx/s", "sess")
_AROUND = 3  # lines beside those of the flows: all of it, the columns' names, what does not fit
_GAP = 2
_NAME = 28  # columns that a name gets before others are left out for it


def view(
    topology: str,
    time: datetime,
    flows: Sequence[Flow],
    now: Traffic,
    *,
    each: bool = False,
    lines: int | None = None,
    width: int | None = None,
) -> RenderableType:
    """`each`: of every machine by itself. `lines` and `width`: the screen to keep to; None: whatever it takes."""
    silent = [_cut(text, "bold red") for text in now.silent]
    if lines is not None:
        silent = silent[: max(0, lines // 4)]
    shown = fitting(flows, None if lines is None else lines - _AROUND - len(silent))
    names = [(f"{flow.kind} ", _name(flow, each=each)) for flow in shown.flows]
    cells = [dict(zip((*_NUMBERS, *_WORDS), _cells(flow), strict=True)) for flow in shown.flows]
    wide = {
        column: max([len(column), *(len(row[column]) for row in cells)]) for column in (*_NUMBERS, *_WORDS)
    }
    room = max((len(kind) + len(name) for kind, name in names), default=0)
    if width is not None:
        for column in _LEFT_OUT_FIRST:
            if min(room, _NAME) + _taken(wide) > width:
                del wide[column]
        room = max(min(room, width - _taken(wide)), 1)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True, width=room)
    for column, size in wide.items():
        table.add_column(
            column, justify="right" if column in _NUMBERS else "left", no_wrap=True, min_width=size
        )
    for (kind, name), row in zip(names, cells, strict=True):
        short = name if len(kind) + len(name) <= room else f"…{name[len(kind) + len(name) - room + 1 :]}"
        table.add_row(Text.assemble((kind, "dim"), short), *(row[column] for column in wide))
    hidden = ", ".join(f"{number:,} more {kind}s" for kind, number in shown.hidden.items())
    below = [_cut(f"{hidden}: those that fare worst are shown", "dim")] if hidden else []
    return Group(_all(topology, time, flows), *silent, table, *below)


def _taken(wide: Mapping[str, int]) -> int:
    return sum(size + _GAP for size in wide.values())


def _cut(text: str, style: str) -> Text:
    """One line, and no second where the screen is narrow."""
    return Text(one_line(text), style=style, no_wrap=True, overflow="ellipsis")


def _name(flow: Flow, *, each: bool) -> str:
    return one_line(f"{flow.path} at {flow.places[0]}" if each else flow.path)


def _all(topology: str, time: datetime, flows: Sequence[Flow]) -> Text:
    """What comes in by all frontends."""
    fronts = [flow for flow in flows if flow.kind == "frontend"]
    servers = {flow.path for flow in flows if flow.kind == "server"}
    ailing = {flow.path for flow in flows if flow.kind == "server" and not flow.good}
    total = _total(fronts)
    # a client's error is counted by a frontend, a server's by its backend
    errors = _total([flow for flow in flows if flow.kind != "server"])
    parts = [
        f"{topology}  {time:%H:%M:%S} UTC",
        f"{_number(total.requests if total else None)} requests/s",
        f"{sum(flow.sessions for flow in fronts):,} sessions",
        f"{sum(flow.queue for flow in flows if flow.kind == 'backend'):,} queued",
        f"{_number(errors.errors if errors else None)} errors/s",
        f"{len(servers) - len(ailing):,} of {len(servers):,} servers up",
    ]
    return _cut("  ".join(parts), "bold")


def _total(flows: Sequence[Flow]) -> Counters | None:
    rates = [flow.rates for flow in flows if flow.rates is not None]
    return Counters(*map(sum, zip(*rates, strict=True))) if rates else None


def _cells(flow: Flow) -> list[Text]:
    rates = flow.rates
    numbers = [
        _number(rates.requests if rates else None),
        _bytes(rates.bytes_in if rates else None),
        _bytes(rates.bytes_out if rates else None),
        f"{flow.sessions:,}",
        f"{flow.queue:,}",
        _number(rates.errors if rates else None),
        _number(rates.http_5xx if rates else None),
    ]
    styles = ["", "", "", "", "yellow" if flow.queue else ""]
    styles += (
        ["red" if rates and bad else "" for bad in (rates.errors, rates.http_5xx)] if rates else ["", ""]
    )
    state = "green" if flow.good else "yellow" if flow.up else "bold red"
    return [
        *(word(text, style) for text, style in zip(numbers, styles, strict=True)),
        word(flow.state if flow.kind != "frontend" else "", state),
        word(flow.check),
        word(str(flow.weight) if flow.kind == "server" else ""),
    ]


def _number(rate: float | None) -> str:
    """Three digits that count: 0, 0.05, 7.25, 123, 12.3k, 1.20M."""
    if rate is None:
        return "-"
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if rate >= size:
            return f"{_three(rate / (1e3 if unit == 'k' else size))}{unit}"
    return _three(rate)


def _three(number: float) -> str:
    if number == int(number):
        return f"{int(number):,}"
    return f"{number:.2f}" if number < 10 else f"{number:.1f}" if number < 100 else f"{number:,.0f}"


def _bytes(rate: float | None) -> str:
    if rate is None:
        return "-"
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if rate >= size:
            return f"{_three(rate / size)} {unit}"
    return f"{rate:.0f} B"
