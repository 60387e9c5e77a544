"""Where proxies log to. lbkit's all log to the targets of `global`, and to HAProxy's own log in its folder."""

from __future__ import annotations

from lbkit.haproxy.importing.cfg import Line
from lbkit.haproxy.importing.settings import Proxy

OWN = "log stdout format raw local0 notice"


def targets(proxy: Proxy) -> tuple[Line, ...]:
    """Its lines that count: `no log` takes away all before it."""
    found: list[Line] = []
    for line in proxy.all("log"):
        found = [] if line.negated else [*found, line]
    return tuple(found)


def difference(found: tuple[Line, ...], *, logs: bool) -> tuple[list[str], list[Line]]:
    """Lines that undo what lbkit says, and lines that stay. `logs`: `global` has targets."""
    inherits = any(line.words[1:] == ("global",) for line in found)
    others = [line for line in found if line.words[1:] != ("global",)]
    return ([] if inherits or not logs else ["no log", OWN]), others
