"""Health and agent checks of a server, turned on and off while it runs. Pure.

Measured on 2.6 and 3.0: who is down when the last check is turned off stays down (the management guide, 9.3, has it up),
and an agent is asked in maintenance too: its `ready` ends drain and maintenance alike.
"""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.base.errors import Mistake
from lbkit.haproxy.direct.looking import Seen
from lbkit.haproxy.direct.wanted import WantedServer
from lbkit.haproxy.runtime.servers_state import Admin, Check, OpState, ServerState
from lbkit.haproxy.transition.server import Server


def must_have_checks(wanted: WantedServer, seen: Seen, name: str, where: str) -> None:
    """Mistake where HAProxy has nothing to turn on or off: it says so of neither check when it is turned off."""
    state = seen.states[name]
    if wanted.check is not None and Check.CONFIGURED not in state.check:
        found = (
            f"it goes by those of {seen.tracks[name]}"
            if name in seen.tracks
            else "it was made without `check`"
        )
        raise _nothing("health checks", wanted.check, name, found, where)
    if wanted.agent is not None and Check.CONFIGURED not in state.agent:
        raise _nothing("agent checks", wanted.agent, name, "it was made without `agent-check`", where)


def _nothing(what: str, on: bool, name: str, found: str, where: str) -> Mistake:  # noqa: FBT001
    return Mistake(
        f"{what} of {name} were to be turned {'on' if on else 'off'}",
        found=found,
        where=where,
        remedy="write them into its configuration, and reload it; or name the server that has them",
    )


def own_state(wanted: WantedServer, have: Server, state: ServerState) -> Server:
    """As it is without its agent, where that is asked no more: a drain that this said stays as a person's would."""
    if wanted.agent is False and have.admin == "ready" and Admin.FORCED_DRAIN in state.admin:
        return have.with_(admin="drain")
    return have


def stays(name: str, have: Server, want: Server, state: ServerState) -> Iterator[str]:
    """What a person may not expect of a check that is turned on or off."""
    off = have.asked and not want.asked
    if off and have.admin == want.admin == "drain":
        yield f"{name} stays drained, as its agent said last: `state: ready` ends that"
    if off and state.weight != state.initial_weight:
        yield f"{name} keeps weight {state.weight} of {state.initial_weight}, as its agent said last"
    ends = (have.checked or have.asked) and not (want.checked or want.asked)
    if ends and have.admin == want.admin != "maint" and state.op_state is OpState.STOPPED:
        yield f"{name} is down, and stays so while nothing checks it"
    if want.asked and not have.asked and want.admin != "ready":
        yield f"{name} is in {want.admin} until its agent says `ready`"
