"""Findings of `explain`, for people: each with its evidence below it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from lbkit.engine.view import Finding
from lbkit.faces.out import Out
from lbkit.faces.render.harmless import harmless, one_line

_MARKS = {True: ("yes ", "green"), False: ("NO  ", "bold red"), None: ("--  ", "dim")}


def show_findings(out: Out, path: str, findings: Sequence[Finding]) -> None:
    out.show(Text(one_line(path), style="bold"))
    for finding in findings:
        out.show(Text.assemble(_MARKS[finding.good], one_line(finding.what), overflow="fold"))
        for line in harmless(finding.evidence).splitlines():
            out.show(Text(f"      {line}", style="dim", overflow="fold"))
