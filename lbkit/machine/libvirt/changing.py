"""Change a virtual machine that runs, step by step, and note on its domain what it has become."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lbkit.base.errors import Bug
from lbkit.base.host import Host
from lbkit.engine.change import Change
from lbkit.engine.scope import Scope
from lbkit.hypervisor.connection import connect
from lbkit.hypervisor.failures import binding
from lbkit.machine.guest.pack import packed
from lbkit.machine.libvirt import plan, plugging, settling
from lbkit.machine.libvirt.answering import answered
from lbkit.machine.libvirt.design import interfaces_of
from lbkit.machine.libvirt.fleet import Generation, has_become, last
from lbkit.machine.libvirt.metadata import Metadata
from lbkit.machine.libvirt.names import domain_name
from lbkit.machine.libvirt.noting import note
from lbkit.machine.libvirt.plan import Attach, Await, Detach, Live, Renew, SetMemory, Tell
from lbkit.machine.libvirt.telling import Teller
from lbkit.machine.libvirt.who import identity_of
from lbkit.machine.resolved import ResolvedMachine

if TYPE_CHECKING:
    import libvirt


def change(
    scope: Scope,
    host: Host,
    generation: Generation | None,
    machine: ResolvedMachine,
    wanted: Change,
    tell: Teller,
) -> str:
    """What was done, in words. The domain is told last: until then the next plan sees what is left to do."""
    if generation is None or wanted.after is None or wanted.before is None:
        raise Bug(f"{wanted.key} was to stand, to be changed")
    domain = generation.domain
    steps = plan.live(wanted.after, wanted.before)
    # one that has not taken over yet has its links down, if it has any: an older one has its addresses
    beside = any(each.runs for each in last(scope, host).older(machine.name))
    up = not beside and all(each.link_up for each in domain.interfaces)
    with connect(generation.host).doing(f"{domain.name} was to be changed") as raw:
        found = raw.lookupByUUIDString(domain.uuid)
        for step in steps:
            tell(plan.step_words(step, wanted.after))
            if isinstance(step, Await):
                generation = answered(host, generation, generation.left(host))
                has_become(scope, host, generation)
                if generation.hello and generation.hello.program != wanted.after["program"]:
                    generation.line(host).renew(packed())
            elif isinstance(step, Renew):
                generation.line(host).renew(packed())
            elif isinstance(step, Tell):
                identity = identity_of(scope.name, machine, domain.generation, domain.uuid)
                content = json.dumps(identity.as_data()).encode()
                generation.line(host).call("identity", {}, content, timeout=60.0)
            else:
                _on_domain(step, found, generation, machine, host, links_up=up)
        tell("note it on the domain")
        usual = domain_name(scope.name, machine.name, domain.generation)
        metadata = Metadata(
            scope.name,
            machine.name,
            domain.generation,
            dict(wanted.after),
            domain.volumes,
            name="" if domain.name == usual else domain.name,  # it was made of a spare
        )
        note(found, metadata)
    return "; ".join(plan.step_words(step, wanted.after) for step in steps)


def _on_domain(
    step: Live,
    found: libvirt.virDomain,
    generation: Generation,
    machine: ResolvedMachine,
    host: Host,
    *,
    links_up: bool,
) -> None:
    """Returns when it is seen on the domain, which for some of it waits for the guest."""
    connection, name, uuid = connect(generation.host), generation.domain.name, generation.domain.uuid
    match step:
        case Detach():
            plugging.detach(found, step.mac)
            settling.let_go(connection, name, uuid, step.mac, host.clock)
        case Attach():
            networks = (each.network for each in machine.interfaces)
            new = dict(zip(networks, interfaces_of(name, machine, links_up=links_up), strict=True))
            plugging.attach(found, new[step.network])
        case SetMemory():
            flags = binding().VIR_DOMAIN_AFFECT_LIVE | binding().VIR_DOMAIN_AFFECT_CONFIG
            found.setMemoryFlags(step.mib * 1024, flags)
            settling.has_memory(connection, name, uuid, step.mib, host.clock)
