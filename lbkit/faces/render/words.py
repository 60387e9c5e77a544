"""How one word looks: the colour of each action, impact and health."""

from __future__ import annotations

from rich.text import Text

from lbkit.engine.change import Action, Impact
from lbkit.engine.view import Health
from lbkit.faces.render.harmless import one_line

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


def word(text: str, style: str = "") -> Text:
    """One line as a renderable that folds where a terminal is narrow and loses nothing."""
    return Text(one_line(text), style=style, overflow="fold")
