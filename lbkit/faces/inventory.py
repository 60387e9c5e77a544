"""A topology's machines as Ansible's inventory has hosts: variables, and groups by what they do. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lbkit.dns.resolved import Zones
from lbkit.engine.scope import Scope
from lbkit.haproxy.resolved import LoadBalancers
from lbkit.machine.resolved import Machines, ResolvedMachine
from lbkit.mirror.resolved import Mirrors

_TAKEN = frozenset({"all", "ungrouped", "localhost"})  # they mean something to Ansible


@dataclass(frozen=True, slots=True)
class InventoryHost:
    """`groups` as Ansible wants names of groups: letters, digits and '_'. `variables` are JSON."""

    name: str
    variables: dict[str, Any]
    groups: tuple[str, ...]


def inventory(scope: Scope) -> list[InventoryHost]:
    machines = scope.of("machine", Machines)
    servers = frozenset(_name_servers(scope, machines))
    return [
        InventoryHost(name, _variables(scope, machine), tuple(_groups(scope, machines, machine, servers)))
        for name, machine in machines.by_name.items()
    ]


def _variables(scope: Scope, machine: ResolvedMachine) -> dict[str, Any]:
    addresses = {
        interface.network: [str(address.ip) for address in interface.addresses]
        for interface in machine.interfaces
    }
    variables: dict[str, Any] = {
        "lbkit_topology": scope.name,
        "lbkit_member": machine.name,
        "lbkit_group": machine.group,
        "lbkit_driver": machine.driver,
        "lbkit_addresses": addresses,
    }
    first = next((each for found in addresses.values() for each in found), None)
    if first is not None:
        variables["ansible_host"] = first
    if machine.vm is not None:
        variables["lbkit_host"] = machine.host
        variables["lbkit_libvirt_uri"] = scope.resolved["hypervisor"].by_name[machine.host].uri
    return variables


def _groups(
    scope: Scope, machines: Machines, machine: ResolvedMachine, name_servers: frozenset[str]
) -> Iterator[str]:
    yield "lbkit_machines"
    yield _group("lbkit_topology", scope.name)
    plain = machine.group[0].isalpha() and machine.group not in {*machines.by_name, *_TAKEN}
    # a name of a host and a group in one leaves open which is meant: Ansible warns of it
    yield _group("", machine.group) if plain else _group("lbkit_group", machine.group)
    yield _group("lbkit_driver", machine.driver)
    for interface in machine.interfaces:
        yield _group("lbkit_net", interface.network)
    for balancer in scope.of("haproxy", LoadBalancers).by_name.values():
        if machine.name in balancer.members:
            yield "lbkit_load_balancers"
            yield _group("lbkit_lb", balancer.name)
    for mirror in scope.of("mirror", Mirrors).by_name.values():
        if machine.name == mirror.master:
            yield "lbkit_mirror_masters"
        if machine.name in mirror.nodes:
            yield "lbkit_mirror_nodes"
        if machine.name in {mirror.master, *mirror.nodes}:
            yield _group("lbkit_mirror", mirror.name)
    if machine.name in name_servers:
        yield "lbkit_name_servers"


def _name_servers(scope: Scope, machines: Machines) -> Iterator[str]:
    """Machines that zones are kept on, by group or by address, and machines that run BIND."""
    for zone in scope.of("dns", Zones).by_name.values():
        yield from (key.name for key in zone.server_keys if key.kind == "machine")
    for machine in machines.by_name.values():
        if any(service.command[0].rpartition("/")[2] == "named" for service in machine.services):
            yield machine.name


def _group(role: str, name: str) -> str:
    """Labels have no '_', so that no two become one."""
    return "_".join(filter(None, (role, name))).replace("-", "_")
