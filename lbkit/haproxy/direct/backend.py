"""The whole list of a backend's servers, made so at run time by one plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lbkit.base.clock import Clock, SystemClock
from lbkit.base.errors import LbkitError, Mistake
from lbkit.engine.plan import Plan
from lbkit.haproxy import capabilities
from lbkit.haproxy.capabilities import Capabilities
from lbkit.haproxy.direct.carrying import carried_out
from lbkit.haproxy.direct.looking import Seen, look
from lbkit.haproxy.direct.planning import Aim, Way, way
from lbkit.haproxy.direct.reach import TIMEOUT, reach, where_of
from lbkit.haproxy.direct.state_file import NOTE, file_change, write_state
from lbkit.haproxy.direct.stepping import Stopped, carry_out
from lbkit.haproxy.direct.wanted import ListedServer, WantedBackend, plain
from lbkit.haproxy.live import Live
from lbkit.haproxy.runtime import Runtime
from lbkit.haproxy.runtime.servers_state import Check
from lbkit.haproxy.transition.server import Server
from lbkit.haproxy.transition.state import Timing


def plan_backend(socket: str, wanted: WantedBackend, *, timeout: float = TIMEOUT) -> Plan:
    """One change for each server that is not as listed. Mistake where HAProxy takes it up at a reload alone."""
    with reach(socket, timeout) as runtime:
        return _plan(wanted, runtime, where_of(socket))[0]


def apply_backend(
    socket: str,
    wanted: WantedBackend,
    *,
    promised: Plan | None = None,
    timeout: float = TIMEOUT,
    clock: Clock | None = None,
) -> Plan:
    """New ones serve before others go, sessions of these get their time, and nothing waits beyond its deadline.

    What was carried out, with notes of how it went. Stopped, where HAProxy would not do a step.
    """
    where = where_of(socket)
    with reach(socket, timeout) as runtime:
        live = Live(lambda: runtime, where, clock or SystemClock())
        planned: list[Way] = []

        def now() -> Plan:
            plan, found = _plan(wanted, runtime, where)
            planned.append(found)
            return plan

        def act(_: Plan) -> None:
            lines = carry_out(live, planned[-1].steps)
            if wanted.state_file is not None:
                try:
                    write_state(wanted.state_file, runtime)
                except LbkitError as error:
                    raise Stopped(error, lines) from error

        done = carried_out(now, act, promised, where)
    return replace(done, notes=(*done.notes, *live.notes))


def _plan(wanted: WantedBackend, runtime: Runtime, where: str) -> tuple[Plan, Way]:
    seen = look(runtime, wanted.backend, where)
    found = backend_way(wanted, seen, where)
    changes, notes = found.changes, found.notes
    if wanted.state_file is not None:
        written = file_change(wanted.state_file, runtime.servers(), changes=bool(changes))
        if written is not None:
            changes, notes = (*changes, written), (*notes, NOTE)
    return Plan("", changes, notes), found


def backend_way(wanted: WantedBackend, seen: Seen, where: str) -> Way:
    """Pure. The file of their state is not in it."""
    can = capabilities.of(seen.version)
    servers: dict[str, Server] = {}
    words: dict[str, tuple[str, ...]] = {}
    notes: list[str] = []
    for listed in wanted.servers:
        name = f"{wanted.backend}/{listed.name}"
        have = seen.servers.get(name)
        if have is None:
            servers[name] = _new(listed)
            words[name] = _words(listed)
        else:
            _checkable(listed, seen, name, where)
            servers[name] = _changed(listed, have)
    for name, have in seen.servers.items():
        if name in servers:
            continue
        if not wanted.exclusive:
            servers[name] = have
        elif why := _why_it_stays(name, wanted, seen, can):
            notes.append(f"{name} is not listed, and goes to maintenance: it stays, as {why}")
            servers[name] = have.with_(admin="maint", asked=False)
    notes += _unchecked(seen, servers)
    aim = Aim(servers, words, Timing(wanted.drain_timeout, wanted.up_timeout))
    found = way(seen, aim, where)
    return replace(found, notes=(*notes, *found.notes))


def _why_it_stays(name: str, wanted: WantedBackend, seen: Seen, can: Capabilities) -> str:
    """Empty where HAProxy deletes it. Who is tracked stays for good, and without whom it tracks nobody could tell why."""
    if not can.delete_server:
        return f"HAProxy {seen.version} removes none"
    if name in seen.tracked:
        return "others track its checks"
    tracks = seen.tracks.get(name, "")
    leaves = tracks in seen.servers and tracks.partition("/")[2] not in {each.name for each in wanted.servers}
    return f"it tracks {tracks}, which stays" if leaves else ""


def _new(listed: ListedServer) -> Server:
    """As HAProxy has it once it is added with `_words`."""
    line = Server.of_line(_words(listed, place=_place(listed)), ())
    agent = "agent-check" in listed.words
    state = listed.state or "ready"
    return line.with_(
        admin=state,
        weight=None if agent else line.weight,
        agent_port=_agent_port(listed) if agent else 0,
        asked=agent and state == "ready",
    )


def _agent_port(listed: ListedServer) -> int:
    words = listed.words
    return int(words[words.index("agent-port") + 1]) if "agent-port" in words[:-1] else 0


def _words(listed: ListedServer, place: str = "") -> tuple[str, ...]:
    words = [place] if place else []
    if listed.weight is not None:
        words += ["weight", str(listed.weight)]
    if listed.maxconn is not None:
        words += ["maxconn", str(listed.maxconn)]
    if listed.check:
        words.append("check")
    return (*words, *listed.words)


def _place(listed: ListedServer) -> str:
    return Server(plain(listed.address), listed.port).place


def _changed(listed: ListedServer, have: Server) -> Server:
    state = listed.state or have.admin
    return have.with_(
        address=plain(listed.address),
        port=listed.port,
        weight=have.weight if listed.weight is None else listed.weight,
        maxconn=have.maxconn if listed.maxconn is None else listed.maxconn,
        admin=state,
        checked=have.checked if listed.check is None else listed.check,
        asked=asked(have, state, said=listed.state is not None),
        unproven=False,
    )


def asked(have: Server, state: str, *, said: bool) -> bool:
    """Whether its agent shall be asked: not while a person keeps it out of use, for the agent would put it back."""
    if have.weight is not None:  # it has none
        return have.asked
    return state == "ready" if said else have.asked


def _checkable(listed: ListedServer, seen: Seen, name: str, where: str) -> None:
    if listed.check and Check.CONFIGURED not in seen.states[name].check:
        raise Mistake(
            f"{name} was to be checked",
            found="it was made without `check`, and HAProxy begins to check none that was",
            where=where,
            remedy="leave `check` out; or remove it first, and add it again",
        )


def _unchecked(seen: Seen, servers: dict[str, Server]) -> Iterator[str]:
    if not any(server.checked for server in seen.servers.values()):
        return
    for name, server in servers.items():
        if name not in seen.servers and not server.checked:
            yield f"{name} is added without checks, though others of its backend have them: it gets requests even when dead"
