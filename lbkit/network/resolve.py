"""Networks with everything filled in: bridges by name, the host's own addresses, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface

from lbkit.base.names import LINK_NAME_BYTES
from lbkit.base.problems import Path
from lbkit.engine.book import IPAddress, IPNetwork
from lbkit.engine.scope import Draft
from lbkit.network.allocate import Pool
from lbkit.network.spec import Network
from lbkit.network.spec import Networks as Section

IPInterface = IPv4Interface | IPv6Interface

# `all` and `default` are what sysctl calls every link and a new one: the kernel refuses them (net/ipv4/devinet.c)
RESERVED_LINK_NAMES = frozenset({"lo", "all", "default"})
IPV6_LEAST_MTU = 1280  # RFC 8200 section 5


@dataclass(frozen=True, slots=True)
class ResolvedNetwork:
    """`gateways` are the host's own addresses on the bridge, with their prefix lengths."""

    name: str
    bridge: str
    prefixes: tuple[IPNetwork, ...]
    gateways: tuple[IPInterface, ...]
    nat: bool
    mtu: int


@dataclass(frozen=True)
class Networks:
    by_name: Mapping[str, ResolvedNetwork]


def claim_address(draft: Draft, network: str, address: IPAddress, owner: str, path: Path) -> None:
    """Take `address` of `network` for `owner` ("machines.web-1"); says in `draft.problems`, at `path`, what forbids it."""
    prefixes = draft.book.networks.get(network, ())
    prefix = next((prefix for prefix in prefixes if address in prefix), None)
    if prefix is None:
        draft.problems.add(
            path,
            f"an address of the network {network}: in {' or '.join(map(str, prefixes))}",
            found=str(address),
        )
        return
    pool = Pool(prefix)
    if not pool.usable(address):
        what = "network itself" if address == prefix.network_address else "broadcast address"
        draft.problems.add(
            path, f"an address of {prefix} that a machine may have", found=f"{address} is the {what}"
        )
        return
    before = draft.book.claim(f"address {network} {address}", owner)
    if before is not None:
        draft.problems.add(path, "an address that nobody else has", found=f"{address} is that of {before}")


def taken_addresses(draft: Draft) -> dict[str, set[IPAddress]]:
    """The addresses that somebody has claimed, by network."""
    taken: dict[str, set[IPAddress]] = {name: set() for name in draft.book.networks}
    for token in draft.book.claims:
        kind, *rest = token.split(" ")
        if kind == "address":
            network, address = rest
            taken.setdefault(network, set()).add(ip_address(address))
    return taken


def reserve(section: Section, draft: Draft) -> None:
    """Enter the prefixes in the book, and claim the host's own addresses."""
    for name, network in section.root.items():
        draft.book.networks[name] = network.cidr
        for path, address in _gateways(name, network):
            claim_address(draft, name, address, f"networks.{name} (its gateway)", path)


def resolve(section: Section, draft: Draft) -> Networks:
    bridges: dict[str, str] = {}
    by_name: dict[str, ResolvedNetwork] = {}
    for name, network in section.root.items():
        bridge = network.bridge or f"{draft.name}.{name}"
        _check_names(name, network, bridge, bridges, draft)
        _check_prefixes(name, network, draft)
        gateways = tuple(
            ip_interface(f"{address}/{prefix.prefixlen}")
            for _, address in _gateways(name, network)
            for prefix in network.cidr
            if address in prefix
        )
        _check_gateways(name, network, gateways, draft)
        by_name[name] = ResolvedNetwork(name, bridge, network.cidr, gateways, network.nat, network.mtu)
    _check_overlaps(section, draft)
    return Networks(by_name)


def _gateways(name: str, network: Network) -> Iterator[tuple[Path, IPAddress]]:
    if network.gateway is True:
        for prefix in network.cidr:
            pool = Pool(prefix)
            yield ("networks", name, "cidr"), pool.address(pool.first)
    elif network.gateway is not False:
        for index, address in enumerate(network.gateway):
            yield ("networks", name, "gateway", index), address


def _check_names(name: str, network: Network, bridge: str, bridges: dict[str, str], draft: Draft) -> None:
    path = ("networks", name)
    if len(name) > LINK_NAME_BYTES:
        draft.problems.add(
            path,
            f"a network name of at most {LINK_NAME_BYTES} bytes: links inside machines are named so",
            found=f"{name} ({len(name)} bytes)",
        )
    if name in RESERVED_LINK_NAMES:
        draft.problems.add(
            path, "a network name that the kernel leaves free: links inside machines are named so", found=name
        )
    where = (*path, "bridge") if network.bridge else path
    if len(bridge) > LINK_NAME_BYTES and not draft.is_broken("name"):
        draft.problems.add(
            where,
            f"a bridge name of at most {LINK_NAME_BYTES} bytes",
            found=f"{bridge} ({len(bridge)} bytes)",
            remedy=f"shorten the name of the topology or of the network, or give it `bridge: {name[:LINK_NAME_BYTES]}`",
        )
    if network.bridge in RESERVED_LINK_NAMES:
        draft.problems.add(where, "a bridge name that the kernel leaves free", found=bridge)
    other = bridges.setdefault(bridge, name)
    if other != name:
        draft.problems.add(
            where, "a bridge of its own for each network", found=f"{bridge} is that of networks.{other}"
        )


def _check_prefixes(name: str, network: Network, draft: Draft) -> None:
    path = ("networks", name, "cidr")
    versions = [prefix.version for prefix in network.cidr]
    if len(versions) != len(set(versions)):
        draft.problems.add(
            path,
            "one prefix, or one IPv4 and one IPv6 prefix",
            found=f"{len(versions)} IPv{versions[0]} prefixes",
            remedy="make two networks of them",
        )
    for index, prefix in enumerate(network.cidr):
        if why := _unfit(prefix):
            draft.problems.add((*path, index), "a prefix for machines", found=f"{prefix} {why}")
    if 6 in versions and network.mtu < IPV6_LEAST_MTU:
        draft.problems.add(
            ("networks", name, "mtu"),
            f"an MTU of at least {IPV6_LEAST_MTU} for IPv6 (RFC 8200)",
            found=str(network.mtu),
        )


def _unfit(prefix: IPNetwork) -> str:
    for kind, what in (
        ("is_multicast", "is for multicast"),
        ("is_loopback", "is for loopback"),
        ("is_unspecified", "begins at the unspecified address"),
        ("is_link_local", "is link-local"),
    ):
        if getattr(prefix.network_address, kind):
            return what
    return "is reserved" if prefix.version == 4 and prefix.network_address.is_reserved else ""


def _check_gateways(name: str, network: Network, gateways: Collection[IPInterface], draft: Draft) -> None:
    versions = [gateway.version for gateway in gateways]
    if len(versions) != len(set(versions)):
        draft.problems.add(
            ("networks", name, "gateway"),
            "one gateway for each prefix",
            found=", ".join(str(gateway.ip) for gateway in gateways),
        )
    if network.nat and not gateways:
        draft.problems.add(
            ("networks", name, "nat"),
            "a gateway for what nat sends on",
            found="gateway: false" if network.gateway is False else "none in the network",
            remedy="leave `gateway` out, or set nat to false",
        )


def _check_overlaps(section: Section, draft: Draft) -> None:
    """Prefixes nest or are apart: in the order of their first addresses, one overlaps only with what began before."""
    places = [
        (prefix.version, int(prefix.network_address), prefix.prefixlen, order, index, name, prefix)
        for order, (name, network) in enumerate(section.root.items())
        for index, prefix in enumerate(network.cidr)
    ]
    widest = None
    for place in sorted(places, key=lambda place: place[:5]):
        *_, prefix = place
        if widest is None or not prefix.overlaps(widest[-1]):
            widest = place
            continue
        first, second = sorted((widest, place), key=lambda place: place[3:5])
        draft.problems.add(
            ("networks", second[5], "cidr", second[4]),
            "prefixes that do not overlap",
            found=f"{second[6]} overlaps {first[6]} of networks.{first[5]}",
        )
