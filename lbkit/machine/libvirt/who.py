"""Who a guest is to be: its identity, from its machine as declared. Pure."""

from __future__ import annotations

from lbkit.machine.guest.identity import Identity, Interface, Route
from lbkit.machine.libvirt.names import machine_id
from lbkit.machine.resolved import ResolvedMachine
from lbkit.machine.sysctls import SYSCTLS


def identity_of(topology: str, machine: ResolvedMachine, generation: int, uuid: str) -> Identity:
    """`uuid`: the domain's."""
    return Identity(
        topology=topology,
        member=machine.name,
        generation=generation,
        hostname=machine.name,
        machine_id=machine_id(uuid),
        interfaces=tuple(
            Interface(each.network, each.mac.lower(), each.mtu, each.addresses) for each in machine.interfaces
        ),
        routes=tuple(Route(route.to, route.via) for route in machine.routes),
        sysctls=SYSCTLS,
        ssh_keys=machine.vm.ssh_keys if machine.vm else (),
    )
