"""Frontends that somebody closed at the runtime socket: what opens them again."""

from __future__ import annotations

from dataclasses import dataclass, field

from lbkit.haproxy.runtime import commands
from lbkit.haproxy.transition import written
from lbkit.haproxy.transition.state import Running, Wanted
from lbkit.haproxy.transition.steps import Do


@dataclass(slots=True)
class Fronts:
    """`said` are reasons of `open`, `reload` those of a reload; `kept`: what was set by hand and stays."""

    open: list[Do] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    reload: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def plan_frontends(running: Running, wanted: Wanted) -> Fronts:
    """A pause can be undone; `shutdown frontend` gave the ports away, and only a new process takes them."""
    fronts = Fronts()
    if not running.shut:
        return fronts
    declared = written.sections(wanted.text)
    for name, how in running.shut.items():
        if ("frontend", name) not in declared:
            continue
        if wanted.by_hand == "keep":
            fronts.kept.append(f"frontend {name} is {'disabled' if how == 'PAUSED' else 'shut down'}")
        elif how == "PAUSED":
            fronts.open.append(Do((commands.enable_frontend(name),)))
            fronts.said.append(f"frontend {name} is disabled")
        else:
            fronts.reload.append(f"frontend {name} is shut down")
    return fronts
