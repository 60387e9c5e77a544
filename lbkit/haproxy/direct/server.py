"""One server that is there: its state, weight, address and checks at run time, and a drain that ends by its deadline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lbkit.base.clock import Clock, SystemClock
from lbkit.base.errors import Mistake
from lbkit.base.problems import near
from lbkit.engine.plan import Plan
from lbkit.haproxy.direct.backend import asked
from lbkit.haproxy.direct.carrying import carried_out
from lbkit.haproxy.direct.checking import must_have_checks, own_state, stays
from lbkit.haproxy.direct.draining import Leaving, at_its_end, with_end
from lbkit.haproxy.direct.looking import Seen, look, look_for
from lbkit.haproxy.direct.planning import Aim, Way, way
from lbkit.haproxy.direct.reach import TIMEOUT, reach, where_of
from lbkit.haproxy.direct.rising import must_be_up, with_up
from lbkit.haproxy.direct.stepping import carry_out
from lbkit.haproxy.direct.together import together
from lbkit.haproxy.direct.wanted import WantedServer, plain
from lbkit.haproxy.live import Live
from lbkit.haproxy.runtime import Runtime
from lbkit.haproxy.transition.state import Timing
from lbkit.haproxy.transition.steps import Step


def plan_server(socket: str, wanted: WantedServer, *, timeout: float = TIMEOUT) -> Plan:
    """At most one change for each server of that name. Mistake where there is none, with the nearest name."""
    where = where_of(socket)
    with reach(socket, timeout) as runtime:
        found = servers_way(wanted, _look(wanted, runtime, where), where)
    return Plan("", found.changes, found.notes)


def apply_server(
    socket: str,
    wanted: WantedServer,
    *,
    promised: Plan | None = None,
    timeout: float = TIMEOUT,
    clock: Clock | None = None,
) -> Plan:
    """What was carried out, with notes of how it went. What is waited for is so even where nothing is to change.

    Stopped, where HAProxy would not do a step, or at a deadline where that is to fail: sessions are left, or it is not up.
    """
    where = where_of(socket)
    with reach(socket, timeout) as runtime:
        live = Live(lambda: runtime, where, clock or SystemClock())
        planned: list[Way] = []

        def now() -> Plan:
            # when it is looked at again, the wait is over
            seen = _look(wanted, runtime, where)
            found = servers_way(wanted, seen, where, waited=bool(planned))
            planned.append(found)
            return Plan("", found.changes, found.notes)

        def after(step: Step) -> None:
            at_its_end(wanted, live, step)
            if wanted.wait_for_up:
                must_be_up(live, step)

        def act(_: Plan) -> None:
            carry_out(live, planned[-1].steps, after)

        done = carried_out(now, act, promised, where)
        if not done:
            carry_out(live, planned[-1].steps, after)
    return replace(done, notes=(*done.notes, *live.notes))


def _look(wanted: WantedServer, runtime: Runtime, where: str) -> list[Seen]:
    if wanted.backend is None:
        return look_for(runtime, wanted.name, where)
    return [look(runtime, wanted.backend, where)]


def servers_way(wanted: WantedServer, seen: Sequence[Seen], where: str, *, waited: bool = False) -> Way:
    """Of the server in each backend that is `seen`."""
    return together([server_way(wanted, each, where, waited=waited) for each in seen])


def server_way(wanted: WantedServer, seen: Seen, where: str, *, waited: bool = False) -> Way:
    """Pure. `waited`: for its sessions, as long as they may last."""
    name = f"{seen.backend}/{wanted.name}"
    if name not in seen.servers:
        raise Mistake(
            f"a server {wanted.name} of backend {seen.backend} was wanted",
            found="HAProxy has none of that name",
            where=where,
            remedy=near(wanted.name, [each.partition("/")[2] for each in seen.servers]),
        )
    must_have_checks(wanted, seen, name, where)
    have = own_state(wanted, seen.servers[name], seen.states[name])
    state = wanted.state or have.admin
    if wanted.state == "drain" and have.admin == "maint" and wanted.at_deadline == "maint":
        state = "maint"  # as an earlier drain left it at its deadline
    weight = wanted.weight_of(seen.states[name].initial_weight)
    want = have.with_(
        admin=state,
        weight=have.weight if weight is None else weight,
        address=have.address if wanted.address is None else plain(wanted.address),
        port=have.port if wanted.port is None else wanted.port,
        checked=have.checked if wanted.check is None else wanted.check,
        asked=asked(have, state, said=wanted.state is not None) if wanted.agent is None else wanted.agent,
        unproven=False,
    )
    timing = Timing(wanted.drain_timeout if wanted.wait_for_drain else 0.0, wanted.up_timeout)
    aim = Aim({**seen.servers, name: want}, timing=timing, guarded=False)
    found = way(replace(seen, servers={**seen.servers, name: have}), aim, where)
    notes = stays(name, have, want, seen.states[name])
    found = with_up(wanted, replace(found, notes=(*notes, *found.notes)), name, waited=waited)
    return with_end(wanted, found, Leaving(name, have, want, seen.sessions[name], waited))
