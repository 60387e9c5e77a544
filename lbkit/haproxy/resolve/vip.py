"""Virtual addresses: inside their network, nobody else's, with machines that can hold them."""

from __future__ import annotations

import hashlib

from lbkit.base.problems import near
from lbkit.engine.book import Endpoint, IPAddress
from lbkit.engine.scope import Draft
from lbkit.haproxy.resolved import ResolvedVip
from lbkit.haproxy.spec.vip import VirtualAddress
from lbkit.network.resolve import claim_address

MOST_MEMBERS = 24
"""Priorities are 10 apart below 250 (vip/config.py), so that two backups never wake at the same time."""

_ROUTER_IDS = 255  # RFC 5798 section 5.2.3: one byte, 0 excluded


def _owner(name: str) -> str:
    return f"load_balancers.{name} (its virtual address)"


def reserve_vip(name: str, vip: VirtualAddress, draft: Draft) -> None:
    path = ("load_balancers", name, "vip")
    if vip.network not in draft.book.networks:
        if not draft.is_broken("networks", vip.network):
            draft.problems.add(
                (*path, "network"),
                "a network of this document",
                found=vip.network,
                remedy=near(vip.network, draft.book.networks),
            )
        return
    for address in vip.address:
        claim_address(draft, vip.network, address, _owner(name), (*path, "address"))
    if vip.router_id is not None:
        before = draft.book.claim(f"router {vip.network} {vip.router_id}", _owner(name))
        if before is not None:
            draft.problems.add(
                (*path, "router_id"),
                "a router number that no other virtual address of the network has",
                found=f"{vip.router_id} is that of {before}",
                remedy="leave it out, or take another",
            )


def resolve_vip(
    name: str, vip: VirtualAddress, members: tuple[Endpoint, ...], group: str, draft: Draft
) -> ResolvedVip:
    path = ("load_balancers", name, "vip")
    if len(members) > MOST_MEMBERS:
        draft.problems.add(
            path,
            f"at most {MOST_MEMBERS} machines that share an address",
            found=f"machines.{group} has {len(members)}",
            remedy="split the group into several load balancers",
        )
    version = min((address.version for address in vip.address), default=4)
    peers = {member.name: member.addresses.get(vip.network, ()) for member in members}
    if vip.network in draft.book.networks:
        for member, addresses in peers.items():
            if _of_version(addresses, version):
                continue
            draft.problems.add(
                (*path, "network"),
                f"a network on which the machines of machines.{group} have IPv{version} addresses, to speak VRRP",
                found=f"{member} has none on {vip.network}",
                remedy=f"add {vip.network} to machines.{group}.networks",
            )
            break
    router_id = vip.router_id or _router_id(name, vip, draft)
    return ResolvedVip(vip.network, vip.address, router_id, vip.interval, peers)


def _of_version(addresses: tuple[IPAddress, ...], version: int) -> bool:
    return any(address.version == version for address in addresses)


def _router_id(name: str, vip: VirtualAddress, draft: Draft) -> int:
    """Made from the names, and the next that is free where another has it."""
    digest = hashlib.sha256(f"{draft.name}/{name}".encode()).digest()
    start = int.from_bytes(digest[:4], "big")
    for step in range(_ROUTER_IDS):
        number = (start + step) % _ROUTER_IDS + 1
        if draft.book.claim(f"router {vip.network} {number}", _owner(name)) is None:
            return number
    draft.problems.add(
        ("load_balancers", name, "vip"),
        f"at most {_ROUTER_IDS} virtual addresses on a network (RFC 5798)",
        found="more",
        remedy="move some to another network",
    )
    return 1
