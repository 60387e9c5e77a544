"""An error, for people: what was wanted, what was found, what to do."""

from __future__ import annotations

from rich.text import Text

from lbkit.base.errors import LbkitError
from lbkit.engine.applying import ApplyFailed, PlanChanged
from lbkit.faces.render.harmless import harmless


def error_text(error: LbkitError) -> Text:
    text = Text.assemble(("error: ", "bold red"), harmless(str(error)), overflow="fold")
    if isinstance(error, ApplyFailed):
        for change in error.result.not_done:
            text.append(harmless(f"\n  not done: {change}"))
    if isinstance(error, PlanChanged):
        text.append("\n  nothing was touched")
    return text
