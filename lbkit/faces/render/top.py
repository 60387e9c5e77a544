"""One view of `top`: a line for all of it, then frontends, backends and servers, as many as fit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lbkit.engine.traffic import Counters, Flow, Traffic, fitting
from lbkit.faces.render.harmless import one_line
from lbkit.faces.render.words import word

_NUMBERS = ("req/s", "in/s", "out/s", "sess", "queue", "err/s", "5xx/s")
_AROUND = 3  # lines beside those of the flows: all of it, the columns' names, what does not fit


def view(
    topology: str,
    time: datetime,
    flows: Sequence[Flow],
    now: Traffic,
    *,
    each: bool = False,
    lines: int | None = None,
) -> RenderableType:
    """`each`: of every machine by itself. `lines`: the height to keep to; None: whatever it takes."""
    silent = [word(text, "bold red") for text in now.silent]
    if lines is not None:
        silent = silent[: max(0, lines // 4)]
    shown = fitting(flows, None if lines is None else lines - _AROUND - len(silent))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True, overflow="ellipsis")
    for name in _NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("state", "check", "weight"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for flow in shown.flows:
        table.add_row(*_cells(flow, each=each))
    hidden = ", ".join(f"{number:,} more {kind}s" for kind, number in shown.hidden.items())
    below = [word(f"{hidden}: those that fare worst are shown", "dim")] if hidden else []
    return Group(_all(topology, time, flows), *silent, table, *below)


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
    return word("  ".join(parts), "bold")


def _total(flows: Sequence[Flow]) -> Counters | None:
    rates = [flow.rates for flow in flows if flow.rates is not None]
    return Counters(*map(sum, zip(*rates, strict=True))) if rates else None


def _cells(flow: Flow, *, each: bool) -> list[Text]:
    rates = flow.rates
    name = Text.assemble((f"{flow.kind} ", "dim"), one_line(flow.path))
    if each:
        name.append(f" at {one_line(flow.places[0])}", style="dim")
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
        name,
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
