"""From servers as they are to servers as they are wanted: the steps of `transition`, told server by server. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lbkit.base.errors import Mistake
from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.haproxy import capabilities
from lbkit.haproxy.direct.looking import Seen
from lbkit.haproxy.transition.server import Server
from lbkit.haproxy.transition.servers import plan_servers
from lbkit.haproxy.transition.state import Running, Timing, Wanted
from lbkit.haproxy.transition.steps import (
    Do,
    Guard,
    Probe,
    Step,
    UntilHeard,
    UntilIdle,
    UntilUnchecked,
    UntilUp,
)

KIND = "server"
_NAMED = re.compile(r" ([^ /]+/[^ ]+)")

LIVE_ONLY = "what is set at the runtime socket is lost when HAProxy reloads or starts anew: write it into the configuration too"


@dataclass(frozen=True, slots=True)
class Way:
    """`steps` carry out all of `changes`; a change has those lines of them that are about its server."""

    changes: tuple[Change, ...] = ()
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Aim:
    """`servers` by "BACKEND/SERVER", all that shall be there; `words` of those that are to be added, on their `server` line."""

    servers: Mapping[str, Server]
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    timing: Timing = field(default_factory=Timing)
    guarded: bool = True
    """Nobody leaves before another serves; without it, who asks has thought of that."""


def way(seen: Seen, aim: Aim, where: str) -> Way:
    """Mistake where HAProxy takes up what is wanted at a reload alone."""
    moves = plan_servers(_running(seen), _wanted(seen, aim), capabilities.of(seen.version))
    if moves.reload:
        raise Mistake(
            f"servers of backend {seen.backend} were to be changed while HAProxy runs",
            found="; ".join(moves.reload[:5]),
            where=where,
            remedy="change its configuration, and reload it",
        )
    planned = [*moves.change, *moves.leave]
    unproven = frozenset(name for step in planned if isinstance(step, Probe) for name in step.servers)
    steps = tuple(step for step in planned if not _left_out(step, aim))
    told = _lines(steps)
    reasons = dict(_reasons(moves.said))
    order = [name for name in aim.servers if name in reasons]
    order += [name for name in seen.servers if name in reasons and name not in aim.servers]
    outage = _serves(seen.servers) and not _serves(aim.servers)
    changes = tuple(
        _change(
            name,
            seen.servers.get(name),
            aim.servers.get(name),
            reasons[name],
            tuple(told.get(name, ())),
            disruptive=name in unproven or (outage and _takes(seen.servers.get(name))),
        )
        for name in order
    )
    return Way(changes, steps, tuple(_notes(unproven, changes)))


def data_of(server: Server) -> dict[str, Any]:
    """A server as a plan shows it."""
    data: dict[str, Any] = {
        "address": server.address,
        "port": server.port,
        "weight": "by agent" if server.weight is None else server.weight,
        "maxconn": server.maxconn,
        "state": server.admin,
        "check": server.checked,
    }
    if server.weight is None:
        data["agent"] = server.asked
    return data


def _running(seen: Seen) -> Running:
    servers = {name: str(server) for name, server in seen.servers.items()}
    empty = frozenset() if servers else frozenset({seen.backend})
    return Running(None, alive=True, answers=True, version=seen.version, servers=servers, empty=empty)


def _wanted(seen: Seen, aim: Aim) -> Wanted:
    servers = {name: str(server.with_(unproven=False)) for name, server in aim.servers.items()}
    return Wanted(_text(seen, aim), servers, timing={seen.backend: aim.timing}, unread=True)


def _text(seen: Seen, aim: Aim) -> str:
    """The backend as the planner reads it: its algorithm, and the lines of servers that are new.

    Whether its hash is consistent nobody can ask: HAProxy refuses the first server where it is not.
    """
    lines = [f"backend {seen.backend}", f"    balance {seen.algorithm}", "    hash-type consistent"]
    for name, server in aim.servers.items():
        words = [server.place, *(shlex.quote(word) for word in aim.words.get(name, ()))]
        lines.append(f"    server {name.partition('/')[2]} {' '.join(words)}")
    return "\n".join(lines) + "\n"


def _left_out(step: Step, aim: Aim) -> bool:
    """A probe as the check does it: how that is nobody can ask. A wait of no time."""
    if isinstance(step, UntilIdle):
        return step.seconds == 0
    return isinstance(step, Probe) or (isinstance(step, Guard) and not aim.guarded)


def _lines(steps: Iterable[Step]) -> dict[str, list[str]]:
    """Of each server its own lines, in order."""
    found: dict[str, list[str]] = {}
    for step in steps:
        if isinstance(step, Do):
            for command in step.commands:
                if match := _NAMED.search(command.line):
                    found.setdefault(match[1], []).append(str(command))
        elif isinstance(step, Guard):
            for name in step.leaving:
                found.setdefault(name, []).extend(replace(step, leaving=(name,)).lines)
        elif isinstance(step, UntilUp | UntilHeard | UntilUnchecked | UntilIdle):
            for name in step.servers:
                found.setdefault(name, []).extend(replace(step, servers=(name,)).lines)
    return found


def _reasons(said: Iterable[str]) -> Iterator[tuple[str, str]]:
    """By server, from "backend B: server S is added"."""
    for sentence in said:
        backend, _, rest = sentence.removeprefix("backend ").partition(": server ")
        server, _, reason = rest.partition(" ")
        yield f"{backend}/{server}", reason


def _change(
    name: str,
    have: Server | None,
    want: Server | None,
    reason: str,
    steps: tuple[str, ...],
    *,
    disruptive: bool,
) -> Change:
    key = Key(KIND, name)
    action = Action.CREATE if have is None else Action.DELETE if want is None else Action.UPDATE
    return Change(
        key,
        action,
        Impact.DISRUPTIVE if disruptive else Impact.HITLESS,
        reason,
        None if want is None else Desired(key, data_of(want)),
        None if have is None else Actual(key, data_of(have), owner=None),
        wave=int(action is Action.DELETE),
        steps=steps,
    )


def _notes(unproven: Iterable[str], changes: Sequence[Change]) -> Iterator[str]:
    yield from (
        f"{name} alone takes requests, and nobody asks its new address before" for name in sorted(unproven)
    )
    if changes:
        yield LIVE_ONLY


def _serves(servers: Mapping[str, Server]) -> bool:
    return any(_takes(server) for server in servers.values())


def _takes(server: Server | None) -> bool:
    return server is not None and server.admin == "ready" and server.weight != 0
