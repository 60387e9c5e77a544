"""What a topology's names stand for: addresses as they were declared or allocated. Pure; nothing need stand."""

from __future__ import annotations

from typing import Literal

from lbkit.base.errors import Mistake
from lbkit.base.problems import near
from lbkit.engine.book import Endpoint, IPAddress
from lbkit.engine.scope import Scope

Family = Literal["any", "ipv4", "ipv6"]

_VERSIONS = {"any": (4, 6), "ipv4": (4,), "ipv6": (6,)}


def addresses_of(
    scope: Scope, name: str, *, every: bool = False, prefix: bool = False, family: Family = "any"
) -> list[str]:
    """Of a machine, a group, a load balancer or a mirror, as NAME, or as SECTION.NAME where two have it ("machines.web"); NAME/NETWORK
    are those on that network.

    One for each machine (a virtual address is one thing): its first, or with `every` all. With `prefix` as 10.80.1.2/24. Mistake where the
    topology has no such name, or that none of those.
    """
    wanted = f"the address of {name!r} was to be told"
    what, on, network = name.partition("/")
    endpoints = _found(scope, what, wanted)
    known = {each for endpoint in endpoints for each in endpoint.addresses}
    if on and network not in known:
        raise Mistake(
            wanted,
            found=f"{what} is not on a network {network!r}",
            where=scope.file,
            remedy=near(network, known),
        )
    told = []
    for endpoint in endpoints:
        found = [
            address
            for each, addresses in endpoint.addresses.items()
            if not on or each == network
            for address in addresses
            if address.version in _VERSIONS[family]
        ]
        told += found if every else found[:1]
    if not told:
        kind = "" if family == "any" else f" {family}"
        raise Mistake(wanted, found=f"it has no{kind} address{' there' if on else ''}", where=scope.file)
    return [_with_prefix(scope, address) if prefix else str(address) for address in told]


def _found(scope: Scope, what: str, wanted: str) -> tuple[Endpoint, ...]:
    entries = scope.book.entries
    named = [reference for reference in entries if what in {reference, reference.partition(".")[2]}]
    if len(named) == 1:
        return entries[named[0]]
    if named:
        raise Mistake(
            wanted, found="the name of several things", where=scope.file, remedy=f"say {' or '.join(named)}"
        )
    known = {reference.partition(".")[2] for reference in entries}
    raise Mistake(
        wanted, found="nothing of that name has addresses", where=scope.file, remedy=near(what, known)
    )


def _with_prefix(scope: Scope, address: IPAddress) -> str:
    network = scope.book.network_of(address)
    for each in scope.book.networks.get(network or "", ()):
        if each.version == address.version and address in each:
            return f"{address}/{each.prefixlen}"
    return f"{address}/{address.max_prefixlen}"
