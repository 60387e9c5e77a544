"""Take a machine out of work: what runs in it finishes, at most so long, and then it goes off; or at once, as by a power cut.

What is stopped keeps its files, or its disk. It stays declared, so that the next apply has it run again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lbkit.base.errors import LbkitError
from lbkit.base.host import Host
from lbkit.engine.book import IPAddress
from lbkit.engine.change import Action, Change, Impact, Verdict
from lbkit.engine.room import Done
from lbkit.engine.scope import Scope
from lbkit.machine.handle import driver
from lbkit.machine.presence import meanwhile
from lbkit.machine.resolved import Machines

WITHIN = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Halt:
    """`within`: seconds for all that runs in it to finish; what has not by then is killed. `at_once`: nothing is asked to."""

    within: float = WITHIN
    at_once: bool = False


class _StaysDown(Exception):
    """Nobody is to wait until what was set aside comes up again: it does not, before it is started."""


def halt(change: Change, name: str, scope: Scope, host: Host, how: Halt, done: Done) -> str:
    """What was done, in words, of a machine of the driver `name` that is declared."""
    member = change.key.name

    def tell(line: str) -> None:
        done.step(change, [line])

    if how.at_once:
        return driver(name).power_off(scope, host, member, None, tell)
    killed: list[str] = []
    try:
        with done.aside(change, _addresses(scope, member)):
            deadline = host.clock.monotonic() + how.within
            killed = _finish(scope, host, member, name, deadline, tell)
            left = max(0.0, deadline - host.clock.monotonic())
            said = driver(name).power_off(scope, host, member, left, tell)
            _stays_down()
    except _StaysDown:
        pass
    if killed:
        done.note(change, f"{', '.join(killed)} did not finish within {how.within:g} s: killed")
    return said


def _finish(
    scope: Scope, host: Host, member: str, name: str, deadline: float, tell: Callable[[str], None]
) -> list[str]:
    """Let its programs end, the newest first, each in its own way. Those that did not in time."""
    where = driver(name).machine(scope, host, member)
    processes = driver(name).processes(scope, host).get(member, {}).values()
    late = []
    for each in sorted(processes, key=lambda process: process.start_time, reverse=True):
        if each.trouble:
            continue
        left = max(0.0, deadline - host.clock.monotonic())
        tell(f"let {each.name} finish, for {left:.0f} s at most")
        try:
            where.drain(each.name, within=left)
        except LbkitError as error:
            # it goes all the same, with its machine: a broken guest is not to stand in the way of its end
            tell(f"{each.name} was not seen to finish: {error.found or error.wanted}")
        if host.clock.monotonic() >= deadline:
            late.append(each.name)
    return late


def steps(how: Halt) -> tuple[str, ...]:
    if how.at_once:
        return ("cut it off its networks", "kill all that runs in it")
    return (
        "keep traffic of load balancers from it",
        f"let its programs finish, newest first, for {how.within:g} s at most, and kill what is left",
        "switch it off",
    )


def cost(scope: Scope, member: str, members: frozenset[str], how: Halt) -> tuple[Impact, str]:
    """Of a machine that goes for a while, together with the other `members`."""
    if how.at_once:
        return Impact.DISRUPTIVE, "at once, as by a power cut: what is under way there is lost"
    machines = scope.of("machine", Machines)
    group = machines.groups[machines.by_name[member].group]
    return meanwhile(1 + len(set(group) - members))


def stopped(scope: Scope, member: str, members: frozenset[str], how: Halt) -> Verdict:
    impact, words = cost(scope, member, members, how)
    return Verdict(Action.UPDATE, impact, f"it is stopped; {words}", steps(how))


def restarted(scope: Scope, member: str, members: frozenset[str], how: Halt) -> Verdict:
    impact, words = cost(scope, member, members, how)
    return Verdict(
        Action.RESTART,
        impact,
        f"a restart is asked for; {words}",
        (*steps(how), "start it, and all that it is to run"),
    )


def _stays_down() -> None:
    raise _StaysDown


def _addresses(scope: Scope, member: str) -> frozenset[IPAddress]:
    interfaces = scope.of("machine", Machines).by_name[member].interfaces
    return frozenset(address.ip for each in interfaces for address in each.addresses)
