"""Hand a machine's place on its networks from older generations to the newest. Two never have their links up at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from itertools import chain

from lbkit.base.errors import Failure, LbkitError
from lbkit.base.host import Host
from lbkit.engine.book import IPAddress
from lbkit.engine.scope import Scope
from lbkit.hypervisor.connection import connect
from lbkit.machine.contract import Program
from lbkit.machine.guest.remote import RemoteMachine
from lbkit.machine.libvirt import plan, plugging
from lbkit.machine.libvirt.fleet import Generation, look
from lbkit.machine.libvirt.reach import greet
from lbkit.machine.libvirt.removing import remove
from lbkit.machine.libvirt.telling import Teller

CARRIER_WITHIN = 10.0  # seconds until a guest sees that its links are up

Aside = Callable[[Collection[IPAddress]], AbstractContextManager[None]]
"""Keeps traffic from what has one of these addresses for as long as the block lasts: `Done.aside`."""


def take_over(scope: Scope, host: Host, member: str, tell: Teller, aside: Aside) -> str:
    """What was done, in words. Where the newest does not come up on the networks, the one before has them again."""
    fleet = look(scope, host)
    newest, older = fleet.newest(member), fleet.older(member)
    if newest is None or newest.hello is None:
        raise Failure(
            f"machine {member} was to take over",
            found=newest.silence if newest else "it does not stand",
            where=f"machine {member}",
            remedy="apply again: that makes it anew",
        )
    alive = [each for each in older if each.runs]
    if alive:
        # as they were wanted of each: a new one may have others
        has = [plan.addresses(each.domain.wanted) for each in (*alive, newest)]
        with aside(frozenset(chain.from_iterable(has))):
            _swap(scope, host, alive, newest, tell)
    else:
        _swap(scope, host, alive, newest, tell)
    removed = []
    for each in older:
        tell(f"remove {each.domain.name}")
        removed.append(remove(scope, host, each))
    return "; ".join([f"{newest.domain.name} is on its networks", *removed])


def _swap(scope: Scope, host: Host, alive: Sequence[Generation], newest: Generation, tell: Teller) -> None:
    drained = {each.number: _drain(scope, host, each, tell) for each in alive}
    for each in alive:
        tell(f"links of {each.domain.name} down")
        set_links(each, up=False)
    try:
        tell(f"links of {newest.domain.name} up, and announced")
        set_links(newest, up=True)
        newest.line(host).call("announce", {"within": CARRIER_WITHIN}, timeout=CARRIER_WITHIN + 30.0)
        tell(f"look at {newest.domain.name}")
        greet(newest.line(host))
    except LbkitError:
        if alive:
            _put_back(scope, host, newest, alive[-1], drained[alive[-1].number])
        raise


def set_links(generation: Generation, *, up: bool) -> None:
    """Of the interfaces that lbkit gave it, in what runs and in what is defined. A person's own are left as they are."""
    domain = generation.domain
    connection = connect(generation.host)
    with connection.doing(f"the links of {domain.name} were to be {'up' if up else 'down'}") as raw:
        plugging.set_links(raw.lookupByUUIDString(domain.uuid), plan.macs(domain.wanted), up=up)


def _drain(scope: Scope, host: Host, generation: Generation, tell: Teller) -> Sequence[Program]:
    """Let its programs end, the newest first, each in its own way. What ran, in that order; nothing of a silent guest."""
    machine = RemoteMachine(scope.name, generation.domain.member, generation.line(host))
    try:
        running = [each for each in machine.processes().values() if not each.trouble and each.program]
    except LbkitError as error:
        tell(
            f"{generation.domain.name} does not answer ({error.found}): its programs are not asked to finish"
        )
        return ()
    programs = [
        each.program
        for each in sorted(running, key=lambda each: each.start_time, reverse=True)
        if each.program
    ]
    for program in programs:
        tell(f"let {program.name} of {generation.domain.name} finish")
        try:
            machine.drain(program.name)
        except LbkitError as error:
            # it goes all the same: a broken one is not to stand in the way of its replacement
            tell(f"{program.name} of {generation.domain.name} was not seen to finish: {error.found}")
    return programs


def _put_back(
    scope: Scope, host: Host, newest: Generation, before: Generation, programs: Sequence[Program]
) -> None:
    set_links(newest, up=False)
    set_links(before, up=True)
    machine = RemoteMachine(scope.name, before.domain.member, before.line(host))
    for program in reversed(programs):
        machine.start(program)
