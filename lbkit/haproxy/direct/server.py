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
from lbkit.haproxy.direct.goal import ServerGoal, plain
from lbkit.haproxy.direct.looking import Seen, look
from lbkit.haproxy.direct.planning import KIND, Aim, Way, data_of, way
from lbkit.haproxy.direct.reach import reach
from lbkit.haproxy.direct.stepping import carry_out
from lbkit.haproxy.live import Live
from lbkit.haproxy.runtime.commands.server import set_state
from lbkit.haproxy.transition.state import Timing
from lbkit.haproxy.transition.steps import Do, Step, UntilIdle

_THEN = {
    "fail": "fail where sessions are left, and leave it drained",
    "maint": "put it in maintenance where sessions are left",
    "leave": "go on where sessions are left",
}


def plan_server(goal: ServerGoal) -> Plan:
    """At most one change. Mistake where there is no such server, with the nearest name."""
    with reach(goal.socket, goal.timeout) as runtime:
        found = server_way(goal, look(runtime, goal.backend, goal.where))
    return Plan("", found.changes, found.notes)


def apply_server(goal: ServerGoal, *, promised: Plan | None = None, clock: Clock | None = None) -> Plan:
    """What was carried out, with notes of how it went. A drain that is waited for is so even where nothing is to change.

    Stopped, where HAProxy would not do a step, or where sessions are left at the deadline and that is to fail.
    """
    with reach(goal.socket, goal.timeout) as runtime:
        live = Live(lambda: runtime, goal.where, clock or SystemClock())
        planned: list[Way] = []

        def now() -> Plan:
            # when it is looked at again, the wait is over
            found = server_way(goal, look(runtime, goal.backend, goal.where), waited=bool(planned))
            planned.append(found)
            return Plan("", found.changes, found.notes)

        def after(step: Step) -> None:
            if isinstance(step, UntilIdle) and goal.wait_for_drain:
                _at_deadline(goal, live)

        def act(_: Plan) -> None:
            carry_out(live, planned[-1].steps, after)

        done = carried_out(now, act, promised, goal.where)
        if not done and goal.wait_for_drain and goal.state == "drain":
            carry_out(live, [_wait(goal)], after)
    return replace(done, notes=(*done.notes, *live.notes))


def server_way(goal: ServerGoal, seen: Seen, *, waited: bool = False) -> Way:
    """Pure. `waited`: for its sessions, as long as they may last."""
    name = f"{goal.backend}/{goal.name}"
    have = seen.servers.get(name)
    if have is None:
        raise Mistake(
            f"a server {goal.name} of backend {goal.backend} was wanted",
            found="HAProxy has none of that name",
            where=goal.where,
            remedy=near(goal.name, [each.partition("/")[2] for each in seen.servers]),
        )
    state = goal.state or have.admin
    if goal.state == "drain" and have.admin == "maint" and goal.at_deadline == "maint":
        state = "maint"  # as an earlier drain left it at its deadline
    weight = goal.weight_of(seen.states[name].initial_weight)
    want = have.with_(
        admin=state,
        weight=have.weight if weight is None else weight,
        address=have.address if goal.address is None else plain(goal.address),
        port=have.port if goal.port is None else goal.port,
        asked=asked(have, state, said=goal.state is not None),
        unproven=False,
    )
    timing = Timing(goal.drain_timeout if goal.wait_for_drain else 0.0, goal.up_timeout)
    found = way(seen, Aim({**seen.servers, name: want}, timing=timing, guarded=False), goal.where)
    if not goal.wait_for_drain or have.admin == "maint":
        return found
    if found.changes:
        return _with_wait(goal, found)
    if state == "drain" and goal.at_deadline == "maint" and seen.sessions[name] and not waited:
        key = Key(KIND, name)
        reason = (
            f"sessions are left, and it goes to maintenance after {goal.drain_timeout:g} s unless they end"
        )
        change = Change(
            key,
            Action.UPDATE,
            Impact.HITLESS,
            reason,
            Desired(key, data_of(want)),
            Actual(key, data_of(have), None),
        )
        return _with_wait(goal, Way((change,)))
    return found


def _with_wait(goal: ServerGoal, found: Way) -> Way:
    """What becomes of it at the deadline, in the plan too."""
    wait = _wait(goal)
    steps = found.steps
    (change,) = found.changes
    lines = list(change.steps)
    if goal.state == "drain":
        steps = (*steps, wait)
        lines += wait.lines
    if goal.state == "drain" or goal.at_deadline == "fail":
        lines.insert(lines.index(wait.lines[0]) + 1, _THEN[goal.at_deadline])
    return replace(found, steps=steps, changes=(replace(change, steps=tuple(lines)),))


def _wait(goal: ServerGoal) -> UntilIdle:
    return UntilIdle((f"{goal.backend}/{goal.name}",), goal.drain_timeout)


def _at_deadline(goal: ServerGoal, live: Live) -> None:
    row = live.rows().get(f"{goal.backend}/{goal.name}")
    left = row.sessions if row else 0
    if not left:
        return
    if goal.at_deadline == "fail":
        raise Failure(
            f"sessions of {goal.backend}/{goal.name} were to end within {goal.drain_timeout:g} s",
            found=f"{left} left; it stays drained",
            where=goal.where,
            remedy="wait longer (drain_timeout), or say what else to do (on_deadline: maint or leave)",
        )
    if goal.at_deadline == "maint" and goal.state == "drain":
        live.takes(Do((set_state(goal.backend, goal.name, "maint"),)))
        live.notes.append(f"{goal.backend}/{goal.name} is in maintenance, with {left} sessions left")
