"""One server that is there: its state, weight and address at run time, and a drain that ends by its deadline."""

from __future__ import annotations

from dataclasses import replace

from lbkit.base.clock import Clock, SystemClock
from lbkit.base.errors import Failure, Mistake
from lbkit.base.problems import near
from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.plan import Plan
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.haproxy.direct.backend import asked
from lbkit.haproxy.direct.carrying import carried_out
from lbkit.haproxy.direct.looking import Seen, look
from lbkit.haproxy.direct.planning import KIND, Aim, Way, data_of, way
from lbkit.haproxy.direct.reach import TIMEOUT, reach, where_of
from lbkit.haproxy.direct.stepping import carry_out
from lbkit.haproxy.direct.wanted import WantedServer, plain
from lbkit.haproxy.live import Live
from lbkit.haproxy.runtime.commands.server import set_state
from lbkit.haproxy.transition.state import Timing
from lbkit.haproxy.transition.steps import Do, Step, UntilIdle

_THEN = {
    "fail": "fail where sessions are left, and leave it drained",
    "maint": "put it in maintenance where sessions are left",
    "leave": "go on where sessions are left",
}


def plan_server(socket: str, wanted: WantedServer, *, timeout: float = TIMEOUT) -> Plan:
    """At most one change. Mistake where there is no such server, with the nearest name."""
    where = where_of(socket)
    with reach(socket, timeout) as runtime:
        found = server_way(wanted, look(runtime, wanted.backend, where), where)
    return Plan("", found.changes, found.notes)


def apply_server(
    socket: str,
    wanted: WantedServer,
    *,
    promised: Plan | None = None,
    timeout: float = TIMEOUT,
    clock: Clock | None = None,
) -> Plan:
    """What was carried out, with notes of how it went. A drain that is waited for is so even where nothing is to change.

    Stopped, where HAProxy would not do a step, or where sessions are left at the deadline and that is to fail.
    """
    where = where_of(socket)
    with reach(socket, timeout) as runtime:
        live = Live(lambda: runtime, where, clock or SystemClock())
        planned: list[Way] = []

        def now() -> Plan:
            # when it is looked at again, the wait is over
            found = server_way(wanted, look(runtime, wanted.backend, where), where, waited=bool(planned))
            planned.append(found)
            return Plan("", found.changes, found.notes)

        def after(step: Step) -> None:
            if isinstance(step, UntilIdle) and wanted.wait_for_drain:
                _at_deadline(wanted, live)

        def act(_: Plan) -> None:
            carry_out(live, planned[-1].steps, after)

        done = carried_out(now, act, promised, where)
        if not done and wanted.wait_for_drain and wanted.state == "drain":
            carry_out(live, [_wait(wanted)], after)
    return replace(done, notes=(*done.notes, *live.notes))


def server_way(wanted: WantedServer, seen: Seen, where: str, *, waited: bool = False) -> Way:
    """Pure. `waited`: for its sessions, as long as they may last."""
    name = f"{wanted.backend}/{wanted.name}"
    have = seen.servers.get(name)
    if have is None:
        raise Mistake(
            f"a server {wanted.name} of backend {wanted.backend} was wanted",
            found="HAProxy has none of that name",
            where=where,
            remedy=near(wanted.name, [each.partition("/")[2] for each in seen.servers]),
        )
    state = wanted.state or have.admin
    if wanted.state == "drain" and have.admin == "maint" and wanted.at_deadline == "maint":
        state = "maint"  # as an earlier drain left it at its deadline
    weight = wanted.weight_of(seen.states[name].initial_weight)
    want = have.with_(
        admin=state,
        weight=have.weight if weight is None else weight,
        address=have.address if wanted.address is None else plain(wanted.address),
        port=have.port if wanted.port is None else wanted.port,
        asked=asked(have, state, said=wanted.state is not None),
        unproven=False,
    )
    timing = Timing(wanted.drain_timeout if wanted.wait_for_drain else 0.0, wanted.up_timeout)
    found = way(seen, Aim({**seen.servers, name: want}, timing=timing, guarded=False), where)
    if not wanted.wait_for_drain or have.admin == "maint":
        return found
    if found.changes:
        return _with_wait(wanted, found)
    if state == "drain" and wanted.at_deadline == "maint" and seen.sessions[name] and not waited:
        key = Key(KIND, name)
        reason = (
            f"sessions are left, and it goes to maintenance after {wanted.drain_timeout:g} s unless they end"
        )
        change = Change(
            key,
            Action.UPDATE,
            Impact.HITLESS,
            reason,
            Desired(key, data_of(want)),
            Actual(key, data_of(have), None),
        )
        return _with_wait(wanted, Way((change,)))
    return found


def _with_wait(wanted: WantedServer, found: Way) -> Way:
    """What becomes of it at the deadline, in the plan too."""
    wait = _wait(wanted)
    steps = found.steps
    (change,) = found.changes
    lines = list(change.steps)
    if wanted.state == "drain":
        steps = (*steps, wait)
        lines += wait.lines
    if wanted.state == "drain" or wanted.at_deadline == "fail":
        lines.insert(lines.index(wait.lines[0]) + 1, _THEN[wanted.at_deadline])
    return replace(found, steps=steps, changes=(replace(change, steps=tuple(lines)),))


def _wait(wanted: WantedServer) -> UntilIdle:
    return UntilIdle((f"{wanted.backend}/{wanted.name}",), wanted.drain_timeout)


def _at_deadline(wanted: WantedServer, live: Live) -> None:
    row = live.rows().get(f"{wanted.backend}/{wanted.name}")
    left = row.sessions if row else 0
    if not left:
        return
    if wanted.at_deadline == "fail":
        raise Failure(
            f"sessions of {wanted.backend}/{wanted.name} were to end within {wanted.drain_timeout:g} s",
            found=f"{left} left; it stays drained",
            where=live.where,
            remedy="wait longer (drain_timeout), or say what else to do (on_deadline: maint or leave)",
        )
    if wanted.at_deadline == "maint" and wanted.state == "drain":
        live.takes(Do((set_state(wanted.backend, wanted.name, "maint"),)))
        live.notes.append(f"{wanted.backend}/{wanted.name} is in maintenance, with {left} sessions left")
