"""What became of each line of an imported haproxy.cfg, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from lbkit.faces.render.harmless import one_line
from lbkit.faces.render.words import word
from lbkit.haproxy.importing.report import Report, Way

_STYLES = {Way.CARRIED: "green", Way.RAW: "yellow", Way.LEFT_OUT: "red"}


def report_parts(
    report: Report, problems: Sequence[Mapping[str, str]], file: str, *, full: bool
) -> Iterator[RenderableType]:
    """`full`: the lines that keys say, too."""
    shown = [way for way in Way if full or way is not Way.CARRIED]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("line", justify="right")
    for column in ("what became of it", "why, or what says it", "text"):
        table.add_column(column, overflow="fold")
    for entry in sorted((entry for way in shown for entry in report.of(way)), key=lambda entry: entry.number):
        table.add_row(
            str(entry.number),
            Text(entry.way.value, style=_STYLES[entry.way]),
            Text(one_line(entry.about)),
            Text(one_line(f"{entry.section}: {entry.text}" if entry.section else entry.text)),
        )
    if table.row_count:
        yield table
        yield ""
    for note in report.notes:
        yield word(f"note: {note}")
    for problem in problems:
        yield word(f"to be mended: {problem['path']}: {problem['wanted']}; found: {problem['found']}", "red")
    counts = ", ".join(f"{report.count(way)} {_WORDS[way]}" for way in Way)
    yield word(f"{file}: {counts}", "bold")


_WORDS = {Way.CARRIED: "lines said by keys", Way.RAW: "kept as raw", Way.LEFT_OUT: "left out"}
