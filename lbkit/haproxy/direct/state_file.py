"""`show servers state` as a file, which HAProxy reads when it starts (`server-state-file`): weights, drain, maintenance."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lbkit.base.errors import Mistake
from lbkit.base.files import read, write_atomic
from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.haproxy.runtime import Runtime, ServerState, parse_servers_state

_MODE = 0o644

NOTE = (
    "a state file keeps weight, drain and maintenance of servers that the configuration has, where it says "
    "`load-server-state-from-file`; added servers and addresses it does not keep"
)


def file_change(path: str, now: Iterable[ServerState], *, changes: bool) -> Change | None:
    """None: it has all servers as they are. `changes`: some are about to change. Mistake where its folder is not there."""
    key = Key("file", path)
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise Mistake(
            f"{path} was to be written", found=f"there is no folder {folder}", remedy="make it first"
        )
    content = read(Path(path))
    servers = sorted(_lasting(state) for state in now)
    if content is not None and not changes and _of(content) == servers:
        return None
    wanted: dict[str, Any] = {"holds": "the state of all servers"}
    have = None if content is None else Actual(key, {"holds": "an older state"}, owner=None)
    reason = "new" if content is None else "servers are no longer as it says"
    action = Action.CREATE if content is None else Action.UPDATE
    steps = ("show servers state", f"write {path}")
    return Change(key, action, Impact.NONE, reason, Desired(key, wanted), have, wave=2, steps=steps)


def write_state(path: str, runtime: Runtime) -> None:
    write_atomic(Path(path), runtime.servers_state().encode(), mode=_MODE)


def _of(content: bytes) -> list[tuple[Any, ...]]:
    try:
        return sorted(_lasting(state) for state in parse_servers_state(content.decode()))
    except (ValueError, KeyError, IndexError):  # another file, or half of one
        return []


def _lasting(state: ServerState) -> tuple[Any, ...]:
    """What does not change by itself, as times and results of checks do."""
    return state.backend, state.server, state.address, state.port, int(state.admin), state.weight
