"""How one word looks: text of the world made harmless, and the colour of each action, impact and health."""

from __future__ import annotations

import re

from rich.text import Text

from lbkit.engine.change import Action, Impact
from lbkit.engine.view import Health

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

SYMBOLS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.REPLACE: "!",
    Action.RESTART: "!",
    Action.ADOPT: "~",
    Action.DELETE: "-",
}
ACTION_STYLES = {
    Action.CREATE: "green",
    Action.UPDATE: "yellow",
    Action.REPLACE: "magenta",
    Action.RESTART: "magenta",
    Action.ADOPT: "cyan",
    Action.DELETE: "red",
}
IMPACT_STYLES = {
    Impact.NONE: "dim",
    Impact.HITLESS: "green",
    Impact.RELOAD: "yellow",
    Impact.DISRUPTIVE: "bold red",
}
HEALTH_STYLES = {
    Health.UP: "green",
    Health.DEGRADED: "yellow",
    Health.DOWN: "bold red",
    Health.UNKNOWN: "dim",
}


def harmless(text: str) -> str:
    """`text` without what steers a terminal: control characters show as escapes, tabs and line ends stay."""
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


def one_line(text: str) -> str:
    return harmless(text.replace("\t", " ").replace("\n", "\\n"))


def word(text: str, style: str = "") -> Text:
    """One line as a renderable that folds where a terminal is narrow and loses nothing."""
    return Text(one_line(text), style=style, overflow="fold")
