"""Change a virtual machine that runs, step by step, and note on its domain what it has become."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from lbkit.base.errors import Bug
from lbkit.base.host import Host
from lbkit.engine.change import Change
from lbkit.engine.scope import Scope
from lbkit.hypervisor.connection import connect
from lbkit.hypervisor.failures import binding
from lbkit.machine.libvirt import plan
from lbkit.machine.libvirt.design import interfaces_of
from lbkit.machine.libvirt.fleet import Generation
from lbkit.machine.libvirt.memory import settle
from lbkit.machine.libvirt.metadata import NAMESPACE, PREFIX, Metadata, metadata_xml
from lbkit.machine.libvirt.plan import Attach, Detach, Live, SetMemory, Tell
from lbkit.machine.libvirt.who import identity_of
from lbkit.machine.libvirt.xml.interface import interface_xml
from lbkit.machine.resolved import ResolvedMachine

if TYPE_CHECKING:
    import libvirt

Teller = Callable[[str], None]


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
    libvirt = binding()
    domain = generation.domain
    flags = libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_AFFECT_CONFIG
    steps = plan.live(wanted.after, wanted.before)
    with connect(generation.host).doing(f"{domain.name} was to be changed") as raw:
        found = raw.lookupByUUIDString(domain.uuid)
        for step in steps:
            tell(plan.step_words(step, wanted.after))
            if isinstance(step, Tell):
                identity = identity_of(scope.name, machine, domain.generation, domain.uuid)
                content = json.dumps(identity.as_data()).encode()
                generation.line(host).call("identity", {}, content, timeout=60.0)
            else:
                _on_domain(step, found, generation, machine, flags)
            if isinstance(step, SetMemory):
                settle(connect(generation.host), domain.name, domain.uuid, step.mib, host.clock)
        tell("note it on the domain")
        metadata = Metadata(scope.name, machine.name, domain.generation, dict(wanted.after), domain.volumes)
        found.setMetadata(
            libvirt.VIR_DOMAIN_METADATA_ELEMENT, metadata_xml(metadata), PREFIX, NAMESPACE, flags
        )
    return "; ".join(plan.step_words(step, wanted.after) for step in steps)


def _on_domain(
    step: Live, found: libvirt.virDomain, generation: Generation, machine: ResolvedMachine, flags: int
) -> None:
    match step:
        case Detach():
            each = next(each for each in generation.domain.interfaces if each.mac == step.mac)
            found.detachDeviceFlags(interface_xml(each), flags)
        case Attach():
            new = dict(
                zip(
                    (each.network for each in machine.interfaces),
                    interfaces_of(generation.domain.name, machine, links_up=True),
                    strict=True,
                )
            )
            found.attachDeviceFlags(interface_xml(replace(new[step.network])), flags)
        case SetMemory():
            found.setMemoryFlags(step.mib * 1024, flags)
