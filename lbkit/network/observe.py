"""The host's networks as they are: one dump each of its links, addresses and tables; nothing is changed."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from lbkit.base.mark import read_mark
from lbkit.engine.resource import Actual, Key
from lbkit.network import sysctl
from lbkit.network.netlink import nft, read
from lbkit.network.netlink.channel import NETFILTER, Netlink, Refused
from lbkit.network.netlink.read import Address, Link
from lbkit.network.netlink.write import PROTOCOL
from lbkit.network.resolve import IPInterface, Networks

KIND = "network"
FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
_BY_ROUTER_ADVERTISEMENT = 9  # RTPROT_RA


@dataclass(frozen=True, slots=True)
class World:
    """What was read. `tables` are those named as this topology's, whoever made them.

    `would_lose` names links whose IPv6 routes come from router advertisements, which the kernel drops
    and no longer accepts once the host forwards IPv6 (Documentation/networking/ip-sysctl, accept_ra).
    """

    links: tuple[Link, ...]
    addresses: tuple[Address, ...]
    tables: tuple[nft.Table, ...]
    forwarding: frozenset[int] = field(default=frozenset())  # IP versions that the host forwards
    would_lose: tuple[str, ...] = ()

    def by_name(self) -> dict[str, Link]:
        return {link.name: link for link in self.links}

    def ports(self, bridge: Link) -> list[Link]:
        return [link for link in self.links if link.master == bridge.ifindex]

    def ours(self) -> dict[int, list[IPInterface]]:
        """Addresses that lbkit gave, by index of their link."""
        found: dict[int, list[IPInterface]] = {}
        for address in self.addresses:
            if address.protocol == PROTOCOL:
                found.setdefault(address.ifindex, []).append(address.address)
        return found


def table_name(topology: str, network: str) -> str:
    return f"lbkit.{topology}.{network}"


def look(topology: str, networks: Networks) -> World:
    with Netlink() as netlink:
        links = tuple(read.links(netlink))
        addresses = tuple(read.addresses(netlink))
        forwarding = frozenset(
            version for version, name in FORWARDING.items() if sysctl.get(name) not in {None, "0"}
        )
        wants_ipv6 = any(
            network.nat and prefix.version == 6
            for network in networks.by_name.values()
            for prefix in network.prefixes
        )
        would_lose = _would_lose(netlink, links) if wants_ipv6 and 6 not in forwarding else ()
    ours_stand = any(network_of(link.alias, topology) for link in links if link.kind == "bridge")
    return World(links, addresses, _tables(topology, ours_stand=ours_stand), forwarding, would_lose)


def _would_lose(netlink: Netlink, links: Iterable[Link]) -> tuple[str, ...]:
    leaving = {route.ifindex for route in read.routes(netlink, _BY_ROUTER_ADVERTISEMENT)}
    return tuple(
        link.name
        for link in links
        if link.ifindex in leaving and sysctl.get(f"net/ipv6/conf/{link.name}/accept_ra") == "1"
    )


def _tables(topology: str, *, ours_stand: bool) -> tuple[nft.Table, ...]:
    """Reading tables takes CAP_NET_ADMIN, links do not: without it, a plan is still good where nothing stands yet."""
    try:
        with Netlink(NETFILTER) as netlink:
            return tuple(nft.read_tables(netlink, table_name(topology, "")))
    except Refused as refused:
        missing = {errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOENT}
        if refused.errno in missing or (refused.errno == errno.EPERM and not ours_stand):
            return ()
        raise


def network_of(alias: str, topology: str) -> str:
    """The network that an owner mark of `topology` names, or ""."""
    mark = read_mark(alias)
    if mark is None or mark.topology != topology or not mark.path.startswith(f"{KIND}/"):
        return ""
    return mark.path.removeprefix(f"{KIND}/")


def actual(topology: str, networks: Networks, world: World) -> list[Actual]:
    """What stands of the topology's networks, and what foreign things stand on their names. Pure."""
    bridges: dict[str, list[Link]] = {}
    for link in world.links:
        # the mark on anything but a bridge is somebody's copy: never ours to change or delete
        if link.kind == "bridge" and (name := network_of(link.alias, topology)):
            bridges.setdefault(name, []).append(link)
    tables = {table.name: table for table in world.tables}
    ours = set(bridges)
    for table in world.tables:
        name = table.name.removeprefix(table_name(topology, ""))
        if network_of(table.comment, topology) == name:
            ours.add(name)
    addresses = world.ours()
    found = []
    for name in sorted(ours):
        wanted = networks.by_name.get(name)
        # should several bear the mark, the one of the wanted name is it
        has = sorted(bridges.get(name, ()), key=lambda link: wanted is None or link.name != wanted.bridge)
        gateways = addresses.get(has[0].ifindex, []) if has else []
        rules = tables.get(table_name(topology, name))
        versions = {prefix.version for prefix in wanted.prefixes} if wanted and wanted.nat else set()
        found.append(_actual(topology, name, has, gateways, rules, versions & world.forwarding))
    found.extend(_foreign(topology, networks, world, tables))
    return found


def _actual(
    topology: str,
    name: str,
    bridges: list[Link],
    gateways: list[IPInterface],
    table: nft.Table | None,
    forwarding: AbstractSet[int],
) -> Actual:
    bridge = bridges[0] if bridges else None
    state = {
        "bridge": bridge.name if bridge else "",
        "mac": bridge.mac if bridge else "",
        "mtu": bridge.mtu if bridge else 0,
        "up": bridge.up if bridge else False,
        "gateways": sorted(map(str, gateways)),
        "nat": nat_state(table, bridge.name if bridge else ""),
        "forwarding": sorted(f"ipv{version}" for version in forwarding),
        "strays": [link.name for link in bridges[1:]],
    }
    claims = {f"link {link.name}" for link in bridges} | {f"address {name} {each.ip}" for each in gateways}
    return Actual(Key(KIND, name), state, topology, claims=frozenset(claims))


def nat_state(table: nft.Table | None, bridge: str) -> list[str]:
    """Prefixes that are translated, or what is wrong with the table, as words."""
    if table is None:
        return []
    if table.masquerade is None:
        return ["rules that lbkit did not write"]
    if table.masquerade.bridge != bridge:
        return [f"rules for the bridge {table.masquerade.bridge}"]
    return sorted(map(str, table.masquerade.prefixes))


def _foreign(
    topology: str, networks: Networks, world: World, tables: dict[str, nft.Table]
) -> Iterable[Actual]:
    links = world.by_name()
    for name, wanted in networks.by_name.items():
        link = links.get(wanted.bridge)
        table = tables.get(table_name(topology, name))
        link_ours = link is None or (link.kind == "bridge" and network_of(link.alias, topology))
        if link is not None and not link_ours:
            mark = read_mark(link.alias) if link.kind == "bridge" else None
            owner = mark.topology if mark and mark.topology != topology else None
            yield Actual(
                Key(KIND, name),
                {"bridge": link.name, "kind": link.kind or "physical", "mac": link.mac, "mtu": link.mtu},
                owner,
            )
        elif table is not None and wanted.nat and network_of(table.comment, topology) != name:
            yield Actual(Key(KIND, name), {"table": table.name, "comment": table.comment}, None)
