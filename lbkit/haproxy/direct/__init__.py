"""One HAProxy that runs somewhere, lbkit's or not, by its runtime socket: no topology, no lock, no journal.

Public as `lbkit.haproxies`. Each `plan_...` only looks; each `apply_...` plans anew, carries out, and looks again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lbkit.haproxy.direct.backend import apply_backend, plan_backend
    from lbkit.haproxy.direct.certificates import apply_certificate, plan_certificate
    from lbkit.haproxy.direct.entries import MapEntry, WantedEntries
    from lbkit.haproxy.direct.given import Given, read_certificate
    from lbkit.haproxy.direct.maps import apply_map, plan_map
    from lbkit.haproxy.direct.server import apply_server, plan_server
    from lbkit.haproxy.direct.telling import info, presented
    from lbkit.haproxy.direct.wanted import ListedServer, WantedBackend, WantedServer
    from lbkit.haproxy.direct.wanted_certificate import WantedCertificate

_HOME = {
    "Given": "given",
    "ListedServer": "wanted",
    "MapEntry": "entries",
    "WantedBackend": "wanted",
    "WantedCertificate": "wanted_certificate",
    "WantedEntries": "entries",
    "WantedServer": "wanted",
    "apply_backend": "backend",
    "apply_certificate": "certificates",
    "apply_map": "maps",
    "apply_server": "server",
    "info": "telling",
    "plan_backend": "backend",
    "plan_certificate": "certificates",
    "plan_map": "maps",
    "plan_server": "server",
    "presented": "telling",
    "read_certificate": "given",
}

__all__ = [
    "Given",
    "ListedServer",
    "MapEntry",
    "WantedBackend",
    "WantedCertificate",
    "WantedEntries",
    "WantedServer",
    "apply_backend",
    "apply_certificate",
    "apply_map",
    "apply_server",
    "info",
    "plan_backend",
    "plan_certificate",
    "plan_map",
    "plan_server",
    "presented",
    "read_certificate",
]


def __getattr__(name: str) -> Any:
    """What is done with servers does not bring what is done with maps: each is imported when it is asked for."""
    from importlib import import_module  # noqa: PLC0415 - the point of this function

    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
