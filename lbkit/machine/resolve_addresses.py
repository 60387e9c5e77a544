"""Which machine has which address on which network: what the document pins, and the rest allocated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_interface

from lbkit.engine.book import IPAddress, IPNetwork
from lbkit.engine.scope import Draft
from lbkit.machine.resolved import IPInterface
from lbkit.machine.spec import Attachment, Group
from lbkit.network.allocate import Pool, allocate
from lbkit.network.resolve import Networks, claim_address, taken_addresses

MOST_PORTS = 1023  # of one bridge: BR_MAX_PORTS in net/bridge/br_private.h, and port 0 is none

Seats = Mapping[tuple[str, str], tuple[IPInterface, ...]]
"""The addresses of a member on a network, one for each prefix, in the order of the prefixes."""


def claim_pinned(name: str, group: Group, draft: Draft) -> None:
    """Claim the addresses that the group pins, for its members in their order."""
    pinning = {network: given for network, given in group.networks.items() if given.addresses}
    members = group.members(name) if pinning else []
    for network, attachment in pinning.items():
        prefixes = draft.book.networks.get(network)
        if prefixes is None:
            continue
        path = ("machines", name, "networks", network, "addresses")
        for version in (4, 6):
            pinned = [
                (index, address)
                for index, address in enumerate(attachment.addresses)
                if address.version == version
            ]
            has_prefix = any(prefix.version == version for prefix in prefixes)
            if has_prefix and pinned and len(pinned) != len(members):
                draft.problems.add(
                    path,
                    f"one IPv{version} address for each of {len(members)} machines, or none",
                    found=f"{len(pinned)}",
                )
            for position, (index, address) in enumerate(pinned):
                member = members[position] if position < len(members) else name
                claim_address(draft, network, address, f"machines.{member}", (*path, index))


def seat_all(groups: Mapping[str, Group], networks: Networks, draft: Draft) -> Seats:
    """Give every member its addresses, and enter those that were allocated in the book.

    Where a network has no room, all groups on it count as broken.
    """
    seats: dict[tuple[str, str], list[IPInterface]] = {}
    taken = taken_addresses(draft)
    for network, resolved in networks.by_name.items():
        attached = {
            name: group.networks[network] for name, group in groups.items() if network in group.networks
        }
        ports = sum(len(groups[name].members(name)) for name in attached)
        if ports > MOST_PORTS:
            draft.problems.add(
                ("networks", network),
                f"a network of at most {MOST_PORTS} machines: a Linux bridge has no more ports",
                found=f"{ports} machines",
                remedy="split it into several networks",
            )
            draft.broken |= {("machines", name) for name in attached}
            continue
        for order, prefix in enumerate(resolved.prefixes):
            here = _addresses(network, prefix, order, groups, attached, taken[network], draft)
            for member, address in here.items():
                inside = ip_interface(f"{address}/{prefix.prefixlen}")
                seats.setdefault((member, network), []).append(inside)
    return {seat: tuple(addresses) for seat, addresses in seats.items()}


def _addresses(
    network: str,
    prefix: IPNetwork,
    order: int,
    groups: Mapping[str, Group],
    attached: Mapping[str, Attachment],
    taken: set[IPAddress],
    draft: Draft,
) -> dict[str, IPAddress]:
    """The address of each member in one prefix."""
    pinned: dict[str, IPAddress] = {}
    wanting: dict[str, Sequence[str]] = {}
    for name, attachment in attached.items():
        members = groups[name].members(name)
        mine = [address for address in attachment.addresses if address.version == prefix.version]
        pinned |= dict(zip(members, mine, strict=False))
        wanting[name] = () if mine else members
    needed = sum(map(len, wanting.values()))
    free = Pool(prefix).free(taken)
    if needed > free:
        draft.problems.add(
            ("networks", network, "cidr", order),
            f"a prefix with an address for each machine: {needed} are needed",
            found=f"{free} of {prefix} {'is' if free == 1 else 'are'} free",
            remedy="give the network a larger prefix, or have fewer machines on it",
        )
        draft.broken |= {("machines", name) for name in attached}
        return pinned
    allocated = allocate(prefix, wanting, taken)
    for member, address in allocated.items():
        draft.book.claim(f"address {network} {address}", f"machines.{member}")
    return pinned | allocated
