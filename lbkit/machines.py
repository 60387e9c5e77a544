"""What a person does with machines of a topology beside having them as declared: stop them, start, restart and replace them.

>>> import lbkit
>>> scope = lbkit.load("web.yml")
>>> lbkit.machines.apply_machine(scope, lbkit.machines.Wanted("web-1", "stopped", within=30))

What is stopped stays declared: the next apply of the topology starts it again, as does `Wanted("web-1")`; `lbkit watch` does so at once.
Restarted and replaced are done each time they are asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from glob import escape
from typing import Any, Literal

from lbkit import operate
from lbkit.base.errors import Failure, Mistake
from lbkit.base.host import Host
from lbkit.base.problems import near
from lbkit.engine.applying import PlanChanged, Result, Watcher, carry_out
from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.journal import Journal
from lbkit.engine.limiting import part
from lbkit.engine.plan import Plan
from lbkit.engine.planning import make_plan
from lbkit.engine.proof import ProofFailed
from lbkit.engine.resource import Key
from lbkit.engine.room import Room
from lbkit.engine.scope import Scope
from lbkit.engine.view import Status
from lbkit.machine.halting import WITHIN, Halt
from lbkit.machine.handle import leaving
from lbkit.machine.power import Restarting, Stopping
from lbkit.machine.resolved import Machines
from lbkit.machine.room import ROOM
from lbkit.prove import proving
from lbkit.topology.register import rooms

__all__ = ["WITHIN", "State", "Wanted", "apply_machine", "members_of", "plan_machine", "rows"]

State = Literal["present", "absent", "stopped", "restarted", "replaced"]

Rooms = Sequence[Room[Any]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of one machine, or of all of a group, at the same time. `present`: as declared and running, with all that runs in it.

    Stopped and restarted: what runs in it has `within` seconds to finish, and is killed then; with `at_once` it is not asked, and the
    machine goes as by a power cut.
    """

    name: str
    state: State = "present"
    within: float = WITHIN
    at_once: bool = False

    def __post_init__(self) -> None:
        if self.at_once and self.state not in {"stopped", "restarted"}:
            raise Mistake("`at_once` was to be said of a stop or a restart", found=f"the state {self.state}")
        if not 0 <= self.within < float("inf"):
            raise Mistake("the time to finish was to be 0 or more", found=f"{self.within:g} s")


def plan_machine(scope: Scope, wanted: Wanted, host: Host | None = None) -> Plan:
    """What `apply_machine` would do now. Changes nothing.

    Mistake where nothing of that name is declared; Failure where nobody can see whether it stands.
    """
    host = host or Host()
    match wanted.state:
        case "stopped" | "restarted":
            plan, _ = _own(operate.with_holds(scope, host)[0], wanted, host)
            return plan
        case "absent":
            return operate.plan(scope, host, absent=True, only=_of_machine(wanted))
    return _seen(operate.plan(scope, host, **_asked(scope, wanted, host)), scope, wanted, host)


def apply_machine(
    scope: Scope,
    wanted: Wanted,
    host: Host | None = None,
    *,
    promised: Plan | None = None,
    lock_timeout: float = 0.0,
    watch: Watcher = lambda _event: None,
    prove: bool = False,
) -> Result:
    """Do it, holding the topology's lock, and read it back. The result's notes say what was killed at its deadline.

    With `prove` steady requests go meanwhile to all that the topology promises, as `operate.apply` has them, and once more in the
    end: the result has the proof. ProofFailed where one was lost, but for a machine that went at once: there it is what was asked for.

    Where `promised` is given and the plan is another one by now, nothing is done, and PlanChanged says so.
    """
    host = host or Host()
    match wanted.state:
        case "stopped" | "restarted":
            return _apply_own(scope, wanted, host, promised, lock_timeout, watch, prove=prove)
        case "absent":
            only: Mapping[str, Any] = {"absent": True, "only": _of_machine(wanted)}
        case _:
            only = {**_asked(scope, wanted, host), "prove": prove}
            plan_machine(scope, wanted, host)  # raises where nobody can see how it is
    return operate.apply(scope, host, promised=promised, lock_timeout=lock_timeout, watch=watch, **only)


def rows(scope: Scope, name: str, host: Host | None = None) -> list[Status]:
    """Of a machine or of a group, and of the services that it declares, the rows of `lbkit status`. Changes nothing."""
    return operate.status(scope, host, only=[f"machine/{escape(name)}"])


def members_of(scope: Scope, name: str) -> tuple[str, ...]:
    """The machines that are meant; of a name that is both, the machine's. Mistake where there is none."""
    machines = scope.of("machine", Machines)
    if name in machines.by_name:
        return (name,)
    if name in machines.groups:
        return machines.groups[name]
    known = {*machines.by_name, *machines.groups}
    raise Mistake(
        f"{name!r} was to name a machine, or a group of them",
        found=f"nothing of that name in {scope.file}",
        remedy=near(name, known) or "`lbkit status` lists the machines",
    )


def _of_machine(wanted: Wanted) -> list[str]:
    return [f"machine/{escape(wanted.name)}"]


def _asked(scope: Scope, wanted: Wanted, host: Host) -> Mapping[str, Any]:
    """As `operate.plan` and `operate.apply` take it: the machines, and all that lives within them."""
    keys = {Key("machine", member) for member in members_of(scope, wanted.name)}
    names = [f"machine/{key.name}" for key in sorted(keys)]
    if wanted.state == "replaced":
        return {"only": names, "anew": names}
    within = {want.key for room in rooms() for want in room.desired(scope, host) if want.within in keys}
    return {"only": [*names, *sorted(f"{key.kind}/{key.name}" for key in within if key.kind != "presence")]}


def _seen(plan: Plan, scope: Scope, wanted: Wanted, host: Host) -> Plan:
    """The same. Failure where nobody can tell how one of the machines is: nothing was promised of it then."""
    unseen = ROOM.unseen(scope, host)
    hidden = {
        member: unseen[key]
        for member in members_of(scope, wanted.name)
        if (key := Key("machine", member)) in unseen
    }
    if hidden:
        raise Failure(
            f"{', '.join(hidden)} {'was' if len(hidden) == 1 else 'were'} to be {wanted.state}",
            found="; ".join(dict.fromkeys(hidden.values())),
            remedy="bring the host back, or name another machine; nothing was touched",
        )
    return plan


def _own(scope: Scope, wanted: Wanted, host: Host) -> tuple[Plan, Rooms]:
    """The plan of a stop or a restart, and the rooms that carry it out."""
    members = members_of(scope, wanted.name)
    keys = {Key("machine", member) for member in members}
    how = Halt(wanted.within, wanted.at_once)
    if wanted.state == "stopped":
        stopping: Rooms = (Stopping(members, how, scope),)
        plan = part(make_plan(stopping, scope, host), lambda change: change.key in keys)
        plan = replace(plan, changes=tuple(_with_what_runs(change, scope, host) for change in plan.changes))
        note = "what is stopped stays declared: the next apply of the topology starts it again"
        plan, its = replace(plan, notes=(note,)), stopping
    else:
        its = [Restarting(how) if room is ROOM else room for room in rooms()]
        whole = make_plan(its, scope, host, anew=dict.fromkeys(keys, Action.RESTART))
        plan = part(whole, lambda change: change.key in keys or change.within in keys)
    _seen(plan, scope, wanted, host)
    _alone(members, scope, wanted, host)
    return plan, its


def _with_what_runs(change: Change, scope: Scope, host: Host) -> Change:
    """The stop of a machine costs what the stop of all that runs in it costs, too: a virtual address that moves."""
    going = replace(change, action=Action.RESTART)
    told = [
        (list(Impact).index(verdict.impact), want.key)
        for room in rooms()
        for want in room.desired(scope, host)
        if want.within == change.key and (verdict := room.judge_again(want, going)) is not None
    ]
    worst = max((rank for rank, _ in told), default=0)
    if worst <= list(Impact).index(change.impact):
        return change
    names = ", ".join(str(key) for rank, key in told if rank == worst)
    return replace(change, impact=list(Impact)[worst], reason=f"{change.reason}; {names} goes with it")


def _alone(members: Collection[str], scope: Scope, wanted: Wanted, host: Host) -> None:
    if beside := sorted({each.name for each in leaving(scope, host)} & {*members}):
        raise Failure(
            f"{', '.join(beside)} {'was' if len(beside) == 1 else 'were'} to be {wanted.state}",
            found="a new one is about to take over from one that runs: which is meant cannot be told",
            remedy="`lbkit apply` ends that; then say it again",
        )


def _apply_own(
    scope: Scope,
    wanted: Wanted,
    host: Host,
    promised: Plan | None,
    lock_timeout: float,
    watch: Watcher,
    *,
    prove: bool,
) -> Result:
    with operate.alone(scope, host, lock_timeout):
        scope, _ = operate.with_holds(scope, host)
        plan, its = _own(scope, wanted, host)
        if promised is not None and plan.as_data() != promised.as_data():
            raise PlanChanged(promised, plan)
        if not plan:
            return Result(plan, (), (), 0.0)
        journal = Journal(host.folder(scope.name) / "journal.jsonl", host.clock)

        def act(watch: Watcher) -> Result:
            return carry_out(plan, its, scope, host, journal=journal, watch=watch)

        if not prove:
            return act(watch)
        promises = [promise for room in rooms() for promise in room.promises(scope, host)]
        try:
            return proving.proved(act, promises, plan, scope, host, journal=journal, watch=watch)
        except ProofFailed as lost:
            if not wanted.at_once:
                raise
            return lost.result
