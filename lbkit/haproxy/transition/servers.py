"""Servers that come, change and go: by which steps in the running process, or with a reload."""

from __future__ import annotations

from dataclasses import dataclass, field

from lbkit.haproxy.capabilities import Capabilities
from lbkit.haproxy.transition import moving, written
from lbkit.haproxy.transition.backend import Backend
from lbkit.haproxy.transition.changes import Changes, changes
from lbkit.haproxy.transition.state import Running, Wanted
from lbkit.haproxy.transition.steps import Do, Guard, Step, UntilHeard, UntilUp


@dataclass(slots=True)
class Moves:
    """The steps for servers, in the order in which `planner` puts them; and what must wait for a reload."""

    change: list[Step] = field(default_factory=list)  # weights, limits, who is new, who moves
    leave: list[Step] = field(default_factory=list)  # who drains, who goes
    reload: list[str] = field(default_factory=list)  # why, in words
    new: list[str] = field(
        default_factory=list
    )  # who comes, or changes, with the reload, by "BACKEND/SERVER"
    guards: list[Guard] = field(default_factory=list)  # that the next process has servers where this one has
    said: list[str] = field(default_factory=list)  # what changes at run time, in words
    kept: list[str] = field(default_factory=list)  # what was set by hand and stays


def plan_servers(running: Running, wanted: Wanted, can: Capabilities, *, reloads: bool = False) -> Moves:
    """`reloads`: the process is replaced in any case, and what changes comes with the next one."""
    moves = Moves()
    names: dict[str, list[str]] = {}
    for name in dict.fromkeys([*wanted.servers, *running.servers]):
        if running.servers.get(name) != wanted.servers.get(name):
            names.setdefault(name.partition("/")[0], []).append(name)
    if not names:
        return moves
    sections = written.sections(wanted.text)
    # without the file that the process loaded, what it cannot tell is taken to be as wanted
    loaded = written.sections(running.text) if running.text is not None else sections
    for backend, changed in names.items():
        section = sections.get(("backend", backend))
        if section is None:
            moves.said.append(f"backend {backend} goes")
            continue
        if backend not in running.empty and not any(
            name.startswith(f"{backend}/") for name in running.servers
        ):
            moves.new += changed
            moves.reload.append(f"backend {backend} is new")
            continue
        was = loaded.get(("backend", backend), section)
        of = Backend(backend, section, was, running, wanted, can)
        found = changes(of, changed)
        moves.reload += found.reload
        moves.said += found.said
        moves.kept += found.kept
        if reloads:
            _with_reload(of, found, moves)
        else:
            _at_once(of, found, moves)
    return moves


def _with_reload(of: Backend, found: Changes, moves: Moves) -> None:
    """The next process has them so from its first moment: in the state that a probe of lbkit's finds."""
    new = dict.fromkeys([*found.came, *found.moved, *found.again, *found.rests, *found.woken])
    moves.new += new
    others = tuple(name for name in of.mine(of.wanted.servers) if of.takes(name) and name not in new)
    probed = tuple(name for name in new if of.takes(name) and name.partition("/")[0] not in of.wanted.late)
    staying = frozenset(others)
    leaving = tuple(name for name in of.mine(of.running.servers) if name not in staying)
    unchecked = any(not of.wanted.server(name).checked for name in probed)
    if leaving and (others or probed) and not unchecked:
        moves.guards.append(Guard(of.name, leaving, others, of.timing.up, probed))


def _at_once(of: Backend, found: Changes, moves: Moves) -> None:
    change, leave = moves.change, moves.leave
    if found.settings:
        change.append(Do(tuple(found.settings)))
    again = [name for name in found.again if name not in found.moved]
    arriving = [command for name in found.came for command in moving.add(of, name)]
    arriving += [command for name in again for command in moving.ready(of, name)]
    if arriving:
        change.append(Do(tuple(arriving)))
    if awaited := of.awaited([*found.came, *again]):
        change.append(UntilUp(awaited, of.timing.up))
    if heard := tuple(name for name in found.came if of.by_agent(name)):
        change.append(UntilHeard(heard))
    change += moving.readdress(of, [name for name in found.moved if name not in found.rests])
    leave += moving.empty(of, [name for name in found.emptied if name not in found.rests])
    leave += moving.rest(of, found.rests, frozenset(found.moved))
    leave += moving.remove(of, found.went)
