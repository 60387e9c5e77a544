"""How a drain ends: with its sessions, by its deadline, or by a cut."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lbkit.base.errors import Failure
from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.haproxy.direct.planning import KIND, LIVE_ONLY, Way, data_of
from lbkit.haproxy.direct.wanted import WantedServer
from lbkit.haproxy.live import Live
from lbkit.haproxy.runtime.commands.server import set_state, shutdown_sessions
from lbkit.haproxy.transition.backend import pair
from lbkit.haproxy.transition.moving import CUT_WITHIN
from lbkit.haproxy.transition.server import Server
from lbkit.haproxy.transition.steps import Do, Names, Step, UntilIdle, listed

_THEN = {
    "fail": "fail where sessions are left, and leave it drained",
    "maint": "put it in maintenance where sessions are left",
    "leave": "go on where sessions are left",
}


@dataclass(frozen=True, slots=True)
class UntilCut(UntilIdle):
    """Until sessions that were cut are gone, as they must."""

    @property
    def lines(self) -> tuple[str, ...]:
        return (f"see that no session of {listed(self.servers)} is left ({self.seconds:g} s at most)",)


@dataclass(frozen=True, slots=True)
class Leaving:
    """One server before and after its drain. `waited`: for its sessions, as long as they may last."""

    name: str
    have: Server
    want: Server
    sessions: int
    waited: bool


def with_end(wanted: WantedServer, found: Way, leaving: Leaving) -> Way:
    """`found`, with what becomes of its sessions: a change too, where they alone are what is to change."""
    if not (wanted.wait_for_drain or wanted.cuts):
        return found
    if found.changes:
        return _prolonged(wanted, found, leaving)
    if not leaving.waited and leaving.sessions and (reason := _reason(wanted, leaving)):
        key = Key(KIND, leaving.name)
        want, have = Desired(key, data_of(leaving.want)), Actual(key, data_of(leaving.have), None)
        change = Change(key, Action.UPDATE, Impact.HITLESS, reason, want, have)
        notes = () if wanted.cuts else (LIVE_ONLY,)
        return _prolonged(wanted, Way((change,), (), notes), leaving, said=True)
    if wanted.wait_for_drain and wanted.state == "drain" and not leaving.waited:
        return replace(found, steps=(_wait(wanted, leaving.name),))  # nothing changes, and it is waited for
    return found


def _reason(wanted: WantedServer, leaving: Leaving) -> str:
    """Why something is to be done though it is drained, or in maintenance, already."""
    if wanted.cuts:
        return _cut_words(wanted, leaving.sessions)
    if leaving.want.admin == "drain" and wanted.at_deadline == "maint":
        return (
            f"sessions are left, and it goes to maintenance after {wanted.drain_timeout:g} s unless they end"
        )
    return ""


def _cut_words(wanted: WantedServer, sessions: int) -> str:
    count = "1 session" if sessions == 1 else f"{sessions} sessions"
    return (
        f"cuts {count}"
        if wanted.cut_sessions
        else f"cuts what is left of {count} after {wanted.drain_timeout:g} s"
    )


def _prolonged(wanted: WantedServer, found: Way, leaving: Leaving, *, said: bool = False) -> Way:
    """What becomes of it at the deadline, in the plan too. `said`: its reason is that."""
    (change,) = found.changes
    steps, lines = list(found.steps), list(change.steps)
    if wanted.wait_for_drain and (leaving.have.admin != "maint" or (wanted.cuts and leaving.sessions)):
        wait = _wait(wanted, leaving.name)
        if not any(isinstance(step, UntilIdle) for step in steps):
            steps.append(wait)
            lines += wait.lines
        if wanted.at_deadline != "cut" and (wanted.state == "drain" or wanted.at_deadline == "fail"):
            lines.insert(lines.index(wait.lines[0]) + 1, _THEN[wanted.at_deadline])
    if wanted.cuts:
        end: tuple[Step, ...] = (
            Do((shutdown_sessions(*pair(leaving.name)),)),
            UntilCut((leaving.name,), CUT_WITHIN),
        )
        steps += end
        lines += [line for step in end for line in step.lines]
        if leaving.sessions:
            change = _without_sessions(wanted, change, leaving.sessions, said=said)
    return replace(found, steps=tuple(steps), changes=(replace(change, steps=tuple(lines)),))


def _without_sessions(wanted: WantedServer, change: Change, sessions: int, *, said: bool) -> Change:
    reason = change.reason if said else f"{change.reason}, {_cut_words(wanted, sessions)}"
    return replace(
        change,
        reason=reason,
        impact=Impact.DISRUPTIVE if wanted.cut_sessions else change.impact,
        have=Actual(change.key, {**(change.before or {}), "sessions": sessions}, None),
        want=Desired(change.key, {**(change.after or {}), "sessions": 0}),
    )


def _wait(wanted: WantedServer, name: str) -> UntilIdle:
    return UntilIdle((name,), wanted.drain_timeout)


def at_its_end(wanted: WantedServer, live: Live, step: Step) -> None:
    """What is to be done where sessions are left after `step`, a wait for them."""
    if not isinstance(step, UntilIdle):
        return
    left = _left(live, step.servers)
    if not left:
        return
    if isinstance(step, UntilCut):
        raise Failure(
            f"the sessions of {listed(tuple(left))} were to be cut",
            found=f"{sum(left.values())} left after {step.seconds:g} s",
            where=live.where,
            remedy="in drain clients that a cookie keeps there come back: `state: maint` keeps them off",
        )
    if wanted.wait_for_drain:
        _at_deadline(wanted, live, left)


def _at_deadline(wanted: WantedServer, live: Live, left: dict[str, int]) -> None:
    if wanted.at_deadline == "fail":
        stay = "it stays drained" if len(left) == 1 else "they stay drained"
        raise Failure(
            f"sessions of {listed(tuple(left))} were to end within {wanted.drain_timeout:g} s",
            found=f"{sum(left.values())} left; {stay}",
            where=live.where,
            remedy="wait longer (drain_timeout), or say what else to do (on_deadline: cut, maint or leave)",
        )
    if wanted.at_deadline == "maint" and wanted.state == "drain":
        live.takes(Do(tuple(set_state(*pair(name), "maint") for name in left)))
        live.notes += [
            f"{name} is in maintenance, with {count} sessions left" for name, count in left.items()
        ]


def _left(live: Live, names: Names) -> dict[str, int]:
    rows = live.rows()
    return {name: rows[name].sessions for name in names if name in rows and rows[name].sessions}
