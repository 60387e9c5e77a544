"""From a topology to the keeper of one of its mirrors, wherever that runs. Reads only; what does not stand is told, not made."""

from __future__ import annotations

import socket

from lbkit.base.errors import Failure, LbkitError, Mistake
from lbkit.base.host import Host
from lbkit.base.problems import near
from lbkit.engine.scope import Scope
from lbkit.machine.handle import machine
from lbkit.mirror.resolved import CONTROL, Mirrors, ResolvedMirror

_CONNECTED_WITHIN = 5.0  # seconds
_CHECK = 100  # bytes: what a node's agent says to HAProxy is a word or two


class KeeperAway(Failure):
    """The keeper does not run, or nobody gets to it."""


def mirrors_of(scope: Scope) -> tuple[ResolvedMirror, ...]:
    return tuple(scope.of("mirror", Mirrors).by_name.values())


def mirror_of(scope: Scope, name: str) -> ResolvedMirror:
    """Mistake, with a near miss, where the topology declares no such mirror."""
    declared = scope.of("mirror", Mirrors).by_name
    found = declared.get(name)
    if found is None:
        raise Mistake(
            f"{name!r} was to be a mirror",
            found=f"nothing of that name in {scope.file}"
            if declared
            else f"{scope.file} declares no mirrors",
            remedy=near(name, declared),
        )
    return found


def keeper(
    scope: Scope, host: Host, mirror: ResolvedMirror, *, timeout: float = _CONNECTED_WITHIN
) -> socket.socket:
    """Connected to its control (`asking.ask`). KeeperAway where there is none within `timeout` seconds."""
    try:
        there = machine(scope, host, mirror.master)
        return there.connect(there.folder(mirror.keeper) / CONTROL, timeout=timeout)
    except (LbkitError, OSError) as error:
        found = error.found or error.wanted if isinstance(error, LbkitError) else error.strerror or str(error)
        raise KeeperAway(
            f"the keeper of mirror {mirror.name} was to be asked",
            found=f"no answer at its control: {found}",
            where=f"machine {mirror.master}",
            remedy="`lbkit apply` starts what does not run; where that machine is lost, "
            f"`lbkit mirror promote {mirror.name}` puts a node in its place",
        ) from error


def verdict(scope: Scope, host: Host, mirror: ResolvedMirror, node: str, *, timeout: float) -> str | None:
    """What the node's agent tells HAProxy now: "ready up", "drain". None: it does not answer within `timeout` seconds, for each of two waits."""
    try:
        where = str(mirror.inner[node])
        with machine(scope, host, node).dial(where, mirror.ports.check, timeout=timeout) as connection:
            connection.settimeout(timeout)
            said = connection.recv(_CHECK)
    except (LbkitError, OSError):
        return None
    return said.decode("ascii", "replace").strip() or None
