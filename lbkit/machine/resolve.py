"""From the section `machines` to machines with everything filled in, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping

from lbkit.base.names import link_name
from lbkit.base.problems import near
from lbkit.engine.book import Endpoint
from lbkit.engine.resource import Key
from lbkit.engine.scope import Draft
from lbkit.machine.resolve_addresses import Seats, claim_pinned, seat_all
from lbkit.machine.resolve_routes import routes_of
from lbkit.machine.resolve_services import Sources, services_of
from lbkit.machine.resolve_vm import hosts_of, vm_of
from lbkit.machine.resolved import (
    Interface,
    IPInterface,
    Machines,
    ResolvedFile,
    ResolvedMachine,
    ResolvedService,
    Route,
)
from lbkit.machine.spec import Group
from lbkit.machine.spec import Machines as Section
from lbkit.network.allocate import mac_address
from lbkit.network.resolve import Networks

__all__ = [
    "IPInterface",
    "Interface",
    "Machines",
    "ResolvedFile",
    "ResolvedMachine",
    "ResolvedService",
    "Route",
    "reserve",
    "resolve",
]

MOST_MACHINES = 16384  # of one topology: its machines share one kernel
MOST_NAME_BYTES = 63  # a member's name is a host name and a DNS label


def reserve(section: Section, draft: Draft) -> None:
    """Claim the addresses that groups pin."""
    for name, group in section.root.items():
        claim_pinned(name, group, draft)


def resolve(section: Section, draft: Draft) -> Machines:
    """The networks must be resolved, and every room's `reserve` done."""
    networks: Networks = draft.resolved["network"]
    declared = _without_clashes(section.root, draft)
    for name, group in declared.items():
        _check_networks(name, group, networks, draft)
    seats = seat_all(declared, networks, draft)
    sources: Sources = {}
    by_name: dict[str, ResolvedMachine] = {}
    groups: dict[str, tuple[str, ...]] = {}
    for name, group in declared.items():
        services = services_of(name, group, sources, draft)
        routes = routes_of(name, group, networks, draft)
        vm = vm_of(name, group, sources, draft)
        hosts = hosts_of(name, group, draft)
        if draft.is_broken("machines", name):
            continue  # its services and routes were checked; its addresses nobody can know
        groups[name] = tuple(group.members(name))
        for member in groups[name]:
            interfaces = _interfaces(member, group, networks, seats, draft.name)
            by_name[member] = ResolvedMachine(
                member, name, group.driver, interfaces, routes, services, vm, hosts.get(member, "")
            )
    _enter(by_name, groups, draft)
    return Machines(by_name, groups)


def _without_clashes(declared: Mapping[str, Group], draft: Draft) -> dict[str, Group]:
    """The groups whose members have legal names that no other group's have; the rest counts as broken."""
    good: dict[str, Group] = {}
    owner: dict[str, str] = {}
    for name, group in declared.items():
        path = ("machines", name)
        if len(owner) + (1 if group.count is None else group.count) > MOST_MACHINES:
            draft.problems.add(path, f"at most {MOST_MACHINES} machines in all", found="more with this group")
            draft.broken.add(("machines",))
            break
        members = group.members(name)
        longest = max(members, key=len, default="")
        clash = next((member for member in members if member in owner), None)
        if len(longest) > MOST_NAME_BYTES:
            draft.problems.add(
                path,
                f"a name that leaves room for the number: members' names have at most {MOST_NAME_BYTES} bytes",
                found=f"{longest} ({len(longest)} bytes)",
            )
        elif clash is not None:
            draft.problems.add(
                path,
                "machines with names of their own",
                found=f"{clash} is one of machines.{owner[clash]} as well",
                remedy="rename one of the groups",
            )
        else:
            owner |= dict.fromkeys(members, name)
            good[name] = group
            continue
        draft.broken.add(path)
    return good


def _check_networks(name: str, group: Group, networks: Networks, draft: Draft) -> None:
    for network in group.networks:
        if network in networks.by_name:
            continue
        draft.broken.add(("machines", name))
        if not draft.is_broken("networks", network):
            draft.problems.add(
                ("machines", name, "networks", network),
                "a network of this document",
                found=network,
                remedy=near(network, networks.by_name),
            )


def _interfaces(
    member: str, group: Group, networks: Networks, seats: Seats, topology: str
) -> tuple[Interface, ...]:
    return tuple(
        Interface(
            network=network,
            bridge=resolved.bridge,
            link=link_name(topology, member, network),
            mac=mac_address(topology, member, network),
            addresses=seats.get((member, network), ()),
            mtu=resolved.mtu,
        )
        for network in group.networks
        if (resolved := networks.by_name.get(network)) is not None
    )


def _enter(
    by_name: Mapping[str, ResolvedMachine], groups: Mapping[str, tuple[str, ...]], draft: Draft
) -> None:
    """Let other nouns find them: `machines.GROUP` is every member, `machines.MEMBER` that one."""
    endpoints = {
        name: Endpoint(
            name,
            {
                interface.network: tuple(address.ip for address in interface.addresses)
                for interface in machine.interfaces
            },
            frozenset({Key("machine", name)}),
        )
        for name, machine in by_name.items()
    }
    for name, endpoint in endpoints.items():
        draft.book.entries[f"machines.{name}"] = (endpoint,)
    for name, members in groups.items():
        draft.book.entries[f"machines.{name}"] = tuple(endpoints[member] for member in members)
