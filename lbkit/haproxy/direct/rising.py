"""A server that comes back is waited for, and fails what waits where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lbkit.base.errors import Failure
from lbkit.haproxy.direct.planning import Way
from lbkit.haproxy.direct.wanted import WantedServer
from lbkit.haproxy.live import Live
from lbkit.haproxy.runtime.servers_state import OpState
from lbkit.haproxy.transition.steps import Names, Step, UntilUp, listed

_THEN = "fail where it is not up"


def with_up(wanted: WantedServer, found: Way, name: str, *, waited: bool) -> Way:
    """`found`, and a wait for its checks, also where nothing changes. `waited`: that is over."""
    if not wanted.wait_for_up or waited:
        return found
    wait = UntilUp((name,), wanted.up_timeout)
    waits = any(isinstance(step, UntilUp) for step in found.steps)
    steps = found.steps if waits else (*found.steps, wait)
    changes = tuple(
        replace(change, steps=(*change.steps, *(() if waits else wait.lines), _THEN))
        for change in found.changes
    )
    return replace(found, steps=steps, changes=changes)


def must_be_up(live: Live, step: Step) -> None:
    """Failure where `step` waited for servers, and some are not up."""
    if not isinstance(step, UntilUp):
        return
    states = live.states(step.servers)
    down = tuple(
        name for name, state in states.items() if name in step.servers and state.op_state is OpState.STOPPED
    )
    if down:
        raise Failure(
            f"{listed(down)} {'was' if len(down) == 1 else 'were'} to be up within {step.seconds:g} s",
            found="; ".join(_words(live, down)),
            where=live.where,
            remedy="see to what it says; requests go there as soon as its checks pass, or wait longer (up_timeout)",
        )


def _words(live: Live, names: Names) -> Iterator[str]:
    rows = live.rows()
    for name in names[:5]:
        row = rows[name]
        yield f"{name} is {', '.join(filter(None, (row.status, row.check, row.detail or row.words)))}"
