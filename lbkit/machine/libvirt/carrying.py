"""Carry out one change of a virtual machine, of its presence, or of a spare."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial

from lbkit.base.errors import Failure, LbkitError
from lbkit.base.host import Host
from lbkit.engine.change import Action, Change
from lbkit.engine.resource import State
from lbkit.engine.room import Done
from lbkit.engine.scope import Scope
from lbkit.hypervisor.accelerator import probe
from lbkit.hypervisor.connection import connect
from lbkit.image.store import Store
from lbkit.machine.libvirt import changing, fleet, handing, making, power, removing, spares
from lbkit.machine.libvirt.fleet import Fleet, Generation, declared, vm_of
from lbkit.machine.libvirt.telling import Teller
from lbkit.machine.presence import PRESENCE
from lbkit.machine.resolved import ResolvedMachine
from lbkit.machine.spare import SPARE

_SPARES = threading.Lock()


def carry_out(change: Change, scope: Scope, host: Host, done: Done) -> str:
    member = change.key.name

    def tell(line: str) -> None:
        done.step(change, [line])

    if change.key.kind == PRESENCE:
        return handing.take_over(scope, host, member, tell, partial(done.aside, change))
    found = fleet.last(scope, host)
    if change.key.kind == SPARE:
        return _keep_spare(scope, host, found, change, tell)
    if change.want is None:
        return _remove_all(scope, host, found, member)
    if change.action is Action.ADOPT:
        raise Failure(
            f"machine {member} was to be taken over",
            found="a domain that lbkit did not make has no program of lbkit's in it",
            where=str(change.key),
            remedy=f"rename it: virsh domrename {change.before['domain'] if change.before else ''}",
        )
    if change.action is Action.RESTART:
        return power.on(scope, host, found.newest(member), declared(scope)[member], change, tell)
    if change.action is Action.UPDATE:
        return changing.change(scope, host, found.newest(member), declared(scope)[member], change, tell)
    return _make(scope, host, found, change, tell)


def _make(scope: Scope, host: Host, found: Fleet, change: Change, tell: Teller) -> str:
    """A new machine, or another generation: beside the one before where that runs, else in its place."""
    machine = declared(scope)[change.key.name]
    vm = vm_of(machine)
    at = fleet.host_of(scope, machine.host)
    connection = connect(at)
    generations = found.generations.get(machine.name, ())
    said = []
    for each in generations:
        if not each.of_use:
            what = "never took over" if each.runs else f"is {each.domain.state}"
            tell(f"remove {each.domain.name}, which {what}")
            said.append(removing.remove(scope, host, each, keep_disk=vm.keep_disk and not each.runs))
    running = [each for each in generations if each.of_use]
    number = max(removing.highest(connection, scope, machine.name), *(each.number for each in generations), 0)
    order = replace(
        _order(scope, host, machine, dict(change.after or {})), generation=number + 1, links_up=not running
    )
    made = _from_spare(order, tell, said) or making.make(order, tell)
    fleet.has_become(scope, host, made)
    return "; ".join([*said, f"{made.domain.name} answers"])


def _order(scope: Scope, host: Host, machine: ResolvedMachine, wanted: State) -> making.Order:
    """What is the same for every generation, and for the spares of its group."""
    vm = vm_of(machine)
    at = fleet.host_of(scope, machine.host)
    kind = probe(connect(at), vm.accelerator, host).kind
    image = Store(host).find(vm.image)
    return making.Order(scope, host, at, machine, vm, image, kind, 0, wanted, links_up=True)


def _from_spare(order: making.Order, tell: Teller, said: list[str]) -> Generation | None:
    with _SPARES:  # no two machines are made of the same one
        spare = spares.find(fleet.last(order.scope, order.host), order)
        if spare is None:
            return None
        fleet.is_taken(order.scope, order.host, spare)
    try:
        return spares.use(spare, order, tell)
    except LbkitError as error:
        said.append(spares.give_up(order.scope, order.host, spare, error))
        return None


def _keep_spare(scope: Scope, host: Host, found: Fleet, change: Change, tell: Teller) -> str:
    if change.want is None:
        return spares.remove(scope, host, found, change.key, str((change.before or {})["domain"]))
    group = change.key.name.partition("/")[0]
    machine = next(each for each in declared(scope).values() if each.group == group)
    order = replace(_order(scope, host, machine, {}), at=fleet.host_of(scope, str(change.want.state["host"])))
    make = partial(spares.order_for, order, change.key, change.want)
    return spares.keep(scope, host, fleet.last(scope, host), change.key, make, tell)


def _remove_all(scope: Scope, host: Host, found: Fleet, member: str) -> str:
    generations = found.generations.get(member, ())
    return "; ".join(removing.remove(scope, host, each, retiring=True) for each in reversed(generations))
