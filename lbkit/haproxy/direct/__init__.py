"""One HAProxy that runs somewhere, lbkit's or not, by its runtime socket: no topology, no lock, no journal.

Public as `lbkit.haproxies`. Each `plan_...` only looks; each `apply_...` plans anew, carries out, and looks again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lbkit.haproxy.direct.backend import apply_backend, plan_backend
    from lbkit.haproxy.direct.info import info
    from lbkit.haproxy.direct.server import apply_server, plan_server
    from lbkit.haproxy.direct.wanted import ListedServer, WantedBackend, WantedServer

_HOME = {
    "ListedServer": "wanted",
    "WantedBackend": "wanted",
    "WantedServer": "wanted",
    "apply_backend": "backend",
    "apply_server": "server",
    "info": "info",
    "plan_backend": "backend",
    "plan_server": "server",
}

__all__ = [
    "ListedServer",
    "WantedBackend",
    "WantedServer",
    "apply_backend",
    "apply_server",
    "info",
    "plan_backend",
    "plan_server",
]


def __getattr__(name: str) -> Any:
    """What is done with servers does not bring what is done with maps: each is imported when it is asked for."""
    from importlib import import_module  # noqa: PLC0415 - the point of this function

    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
