"""Which servers this process has set aside for a moment (aside.py). To who looks meanwhile they are as before."""

from __future__ import annotations

from lbkit.haproxy.instance import Instance
from lbkit.haproxy.transition.server import Server

_resting: dict[tuple[str, str], bool] = {}
"""By HAProxy's folder and "BACKEND/SERVER": whether its agent rests too."""


def rests(instance: Instance, name: str, *, agent: bool) -> None:
    _resting[folder(instance), name] = agent


def serves(instance: Instance, name: str) -> None:
    _resting.pop((folder(instance), name), None)


def as_before(instance: Instance, name: str, server: Server) -> Server:
    if not _resting:
        return server
    agent = _resting.get((folder(instance), name))
    if agent is None:
        return server
    return server.with_(admin="ready", unproven=False, asked=agent or server.asked)


def folder(instance: Instance) -> str:
    """Names one HAProxy, of whichever generation of its machine."""
    return str(instance.machine.folder(instance.service))
