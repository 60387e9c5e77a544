"""Checks of `doctor`, for people: what is there, what is not, and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from lbkit.engine.view import Check
from lbkit.faces.out import Out
from lbkit.faces.render.harmless import one_line
from lbkit.faces.render.words import word


def show_checks(out: Out, checks: Sequence[Check]) -> None:
    for check in checks:
        mark, style = _mark(check)
        out.show(Text.assemble((mark, style), one_line(f"{check.name}: {check.found}"), overflow="fold"))
        if not check.good and check.remedy:
            out.show(word(f"        {check.remedy}", "cyan"))
    missing = sum(check.needed and not check.good for check in checks)
    some = sum(not check.needed and not check.good for check in checks)
    if missing:
        out.show("", word(f"{missing} of {len(checks)} checks fail that every topology needs", "bold red"))
    elif some:
        out.show("", word(f"ready, but for {some} that only some topologies want", "yellow"))
    else:
        out.show("", word("ready", "green"))


def _mark(check: Check) -> tuple[str, str]:
    if check.good:
        return "ok      ", "green"
    return ("MISSING ", "bold red") if check.needed else ("without ", "yellow")
