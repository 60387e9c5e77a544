"""Spares of a group (`warm_pool`): machines that booted once, are nobody yet, and wait with their memory (`warm_in`).

One is resumed in a second, gets its interfaces and its identity, and is a machine: a replacement need not boot. Saved to disk
they take no memory of the host. Paused in memory they are there at once, and an emulated one knows the code that it ran: QEMU
need not translate all of it anew. A spare that was used is made anew after all else that an apply does.

The state: `driver`, `host`, what it was made with (as of a machine, lbkit.machine.libvirt.plan), and where it is `kept`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from lbkit.base.errors import LbkitError
from lbkit.base.files import make_folder
from lbkit.base.host import Host
from lbkit.engine.change import Action, Impact, Verdict
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.engine.scope import Scope
from lbkit.hypervisor import storage
from lbkit.hypervisor.connection import Connection, connect
from lbkit.machine.guest.pack import packed, program_digest
from lbkit.machine.libvirt import plan, plugging, removing
from lbkit.machine.libvirt.design import interfaces_of
from lbkit.machine.libvirt.fleet import Fleet, Generation, Spare, declared
from lbkit.machine.libvirt.making import Order, make
from lbkit.machine.libvirt.metadata import Metadata
from lbkit.machine.libvirt.names import channel_folder
from lbkit.machine.libvirt.noting import note
from lbkit.machine.libvirt.observe import SeenDomain
from lbkit.machine.libvirt.reach import greet, line_to
from lbkit.machine.libvirt.settling import has_memory
from lbkit.machine.libvirt.states import RUNNING
from lbkit.machine.libvirt.telling import Teller
from lbkit.machine.libvirt.who import identity_of
from lbkit.machine.resolved import Machines, ResolvedMachine
from lbkit.machine.spare import SPARE

_MADE_WITH = ("host", "image", "disk", "user_data", "memory", "max_memory", "cpus", "accelerator")
_WHERE = {"disk": "on disk", "memory": "in memory"}
_TOLD_WITHIN = 60.0  # seconds to become who it is to be: its interfaces were plugged in just now
_BOOTED_WITHIN = 120.0  # seconds for what a guest still starts when its program answers; under TCG it is 3


def desired(scope: Scope, image: Callable[[ResolvedMachine], str]) -> Iterable[Desired]:
    """`image`: the identity of the image that a machine boots."""
    for group, members in _groups(scope).items():
        first = members[0]
        if first.vm is None:
            continue
        hosts = list(dict.fromkeys(member.host for member in members))
        keys = frozenset(Key("machine", member.name) for member in members)
        for index in range(first.vm.warm_pool):
            host = hosts[index % len(hosts)]
            whole = plan.wanted(first, first.vm, host, image(first), first.vm.accelerator)
            yield Desired(
                Key(SPARE, f"{group}/{index + 1}"),
                {"driver": "libvirt", **_made_with(whole), "kept": first.vm.warm_in},
                spare_for=keys,
                turn=f"spares.{group}",  # the next one's number is chosen when the one before stands
            )


def actual(scope: Scope, fleet: Fleet, wanted: Iterable[Desired]) -> Iterable[Actual]:
    """Each spare under the key that wants one on its host, the newest first; what nobody wants under the numbers after."""
    hosts = {want.key.name: str(want.state["host"]) for want in wanted}
    for group, spares in fleet.spares.items():
        free = list(reversed(spares))  # one that was made under a key stays under it, or under one before it
        taken: dict[str, Spare] = {}
        for name, host in hosts.items():
            found = next((spare for spare in free if spare.host.name == host), None)
            if found is not None and name.partition("/")[0] == group:
                taken[name] = found
                free.remove(found)
        number = 0
        for spare in free:
            number = next(
                n for n in range(number + 1, number + 9999) if f"{group}/{n}" not in {*taken, *hosts}
            )
            taken[f"{group}/{number}"] = spare
        for name, spare in taken.items():
            yield Actual(Key(SPARE, name), _state(spare), scope.name)


def _state(spare: Spare) -> dict[str, Any]:
    state = plan.seen(spare.domain, {}, spare.host.name)
    return {
        "driver": "libvirt",
        **_made_with(state),
        "kept": spare.kept,
        "domain": spare.domain.name,
    }


def _made_with(state: Mapping[str, Any]) -> dict[str, Any]:
    return {field: state[field] for field in _MADE_WITH}


def _fits(want: Mapping[str, Any], have: Mapping[str, Any]) -> list[str]:
    """The fields that differ, by the rule of machines."""
    return [field for field in _MADE_WITH if not plan.as_made(field, want, have)]


def judge(want: Mapping[str, Any], have: Mapping[str, Any]) -> Verdict | None:
    differ = _fits(want, have)
    if not differ and have["kept"] == want["kept"]:
        return None
    if differ:
        why = f"{', '.join(differ)} changed"
    else:
        why = f"it is kept {_WHERE[have['kept']]}" if have["kept"] else "it was not saved"
    return Verdict(Action.UPDATE, Impact.NONE, f"{why}: another one is made")


def keep(
    scope: Scope,
    host: Host,
    fleet: Fleet,
    key: Key,
    order: Callable[[int], Order],
    tell: Teller,
) -> str:
    """One that is as wanted under this key: what stands there and is not so goes first. `order` by its number."""
    want = order(0).wanted
    at = order(0).at
    group = key.name.partition("/")[0]
    spares = fleet.spares.get(group, ())
    kept = order(0).vm.warm_in
    good = [
        spare
        for spare in spares
        if spare.host == at and spare.kept == kept and not _fits(want, _state(spare))
    ]
    declared_ones = list(desired(scope, lambda _machine: ""))
    there = {have.key: str(have.state["domain"]) for have in actual(scope, fleet, declared_ones)}.get(key)
    bad = [spare for spare in spares if spare.domain.name == there and spare not in good]
    enough = sum(
        each.key.name.partition("/")[0] == group and each.state["host"] == at.name for each in declared_ones
    )
    if not bad and len(good) >= enough:
        return "it was not used"
    said = [removing.remove(scope, host, Generation(spare.domain, spare.host)) for spare in bad]
    connection = connect(at)
    made = make(order(_next(scope, connection, group, fleet)), tell)
    line = made.line(host)
    tell(
        "wait until its boot is over"
    )  # what is still to do then would be done when it is resumed, and somebody waits
    line.call("booted", {"within": _BOOTED_WITHIN}, timeout=_BOOTED_WITHIN + _TOLD_WITHIN)
    tell(f"{'save' if kept == 'disk' else 'pause'} {made.domain.name} with its memory")
    line.drop()
    with connection.doing(f"{made.domain.name} was to be kept {_WHERE[kept]}") as raw:
        found = raw.lookupByUUIDString(made.domain.uuid)
        if kept == "disk":
            found.managedSave(0)
        else:
            found.suspend()
    return "; ".join([*said, f"{made.domain.name} made and kept {_WHERE[kept]}"])


def remove(scope: Scope, host: Host, fleet: Fleet, key: Key, name: str) -> str:
    """The one of that domain's name."""
    group = key.name.partition("/")[0]
    said = [
        removing.remove(scope, host, Generation(spare.domain, spare.host), retiring=True)
        for spare in fleet.spares.get(group, ())
        if spare.domain.name == name
    ]
    return "; ".join(said)


def find(fleet: Fleet, order: Order) -> Spare | None:
    """One that the ordered generation can be made of."""
    want = plan.wanted(order.machine, order.vm, order.at.name, order.image.identity, order.vm.accelerator)
    spares = fleet.spares.get(order.machine.group, ())
    return next(
        (
            spare
            for spare in spares
            if spare.kept and spare.host == order.at and not _fits(_made_with(want), _state(spare))
        ),
        None,
    )


def use(spare: Spare, order: Order, tell: Teller) -> Generation:
    """Make the ordered generation of it. Returns once its guest is who it is to be."""
    host, connection = order.host, connect(spare.host)
    name, uuid = spare.domain.name, spare.domain.uuid
    metadata = Metadata(
        order.scope.name,
        order.machine.name,
        order.generation,
        order.wanted,
        spare.domain.volumes,
        name=name,
    )
    tell(f"resume {name}, which was kept {_WHERE[spare.kept]}")
    if spare.host.local:
        make_folder(
            channel_folder(host, spare.host.uri, name)
        )  # it outlives a boot of its host, the run folder does not
    with connection.doing(f"{name} was to be resumed") as raw:
        found = raw.lookupByUUIDString(uuid)
        if spare.kept == "disk":
            found.create()
        else:
            found.resume()
        # from here on it is this machine's: killed now, the next apply sees a newest generation that does not answer
        note(found, metadata)
        tell("attach its interfaces" + ("" if order.links_up else ", their links down"))
        for interface in interfaces_of(name, order.machine, links_up=order.links_up):
            plugging.attach(found, interface)
    domain = SeenDomain(
        name,
        uuid,
        RUNNING,
        "",
        topology=order.scope.name,
        member=order.machine.name,
        generation=order.generation,
        wanted=order.wanted,
        volumes=spare.domain.volumes,
    )
    tell("tell its guest who it is")
    nobody = line_to(host, spare.host, spare.domain)
    if nobody.guest().program != program_digest():
        nobody.renew(packed())
    identity = identity_of(order.scope.name, order.machine, order.generation, uuid)
    content = json.dumps(identity.as_data()).encode()
    now = host.clock.now().timestamp()  # its own stood still while it was saved
    nobody.call("identity", {"now": now}, content, timeout=_TOLD_WITHIN)
    nobody.drop()
    hello, inside = greet(line_to(host, spare.host, domain))
    has_memory(connection, name, uuid, order.wanted["memory"], host.clock)
    return Generation(domain, spare.host, hello, inside)


def give_up(scope: Scope, host: Host, spare: Spare, error: LbkitError) -> str:
    """A spare that could not be used is none: it goes, and a machine is booted instead."""
    removing.remove(scope, host, Generation(spare.domain, spare.host))
    return f"{spare.domain.name} could not be used ({error.found or error.wanted}), and was removed"


def order_for(order: Order, key: Key, want: Desired, number: int) -> Order:
    """Of a spare: as of a machine of the group that has no interfaces and is nobody."""
    group = key.name.partition("/")[0]
    nobody = replace(order.machine, name=group, interfaces=(), routes=(), services=())
    whole = plan.wanted(nobody, order.vm, str(want.state["host"]), order.image.identity, order.vm.accelerator)
    return replace(order, machine=nobody, generation=number, wanted=whole, links_up=True, spare=True)


def _groups(scope: Scope) -> dict[str, list[ResolvedMachine]]:
    ours = declared(scope)
    groups = scope.of("machine", Machines).groups
    return {
        name: found
        for name, members in groups.items()
        if (found := [ours[member] for member in members if member in ours])
    }


def _next(scope: Scope, connection: Connection, group: str, fleet: Fleet) -> int:
    """A number that no domain and no volume of the group's spares has, nor one that a machine was made of."""
    storage.refresh(connection)
    prefix = f"{scope.name}.{group}.spare-"
    names = [
        *storage.volumes(connection),
        *(each.domain.name for each in fleet.spares.get(group, ())),
        *(each.domain.name for several in fleet.generations.values() for each in several),
    ]
    numbers = [
        re.match(r"[0-9]{1,9}", name.removeprefix(prefix)) for name in names if name.startswith(prefix)
    ]
    return max((int(number[0]) for number in numbers if number), default=0) + 1
