"""Carry out changes of networks: what goes goes at once, what comes is sent to the kernel in one message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lbkit.base.errors import Failure
from lbkit.base.mark import mark, read_mark
from lbkit.engine.applying import together
from lbkit.engine.change import Action, Change
from lbkit.engine.room import Done
from lbkit.network import sysctl
from lbkit.network.deletion import delete_links
from lbkit.network.netlink import nft, read, write
from lbkit.network.netlink.channel import NETFILTER, Netlink, Refused
from lbkit.network.netlink.read import Link
from lbkit.network.netlink.wire import Request
from lbkit.network.observe import FORWARDING, KIND, World, network_of, table_name
from lbkit.network.plan import bridge_mac
from lbkit.network.resolve import IPInterface, Networks, ResolvedNetwork


def apply(topology: str, networks: Networks, changes: Sequence[Change], world: World, done: Done) -> None:
    """`world` is as of now, before the changes."""
    going = [change for change in changes if change.want is None]
    coming = [(change, networks.by_name[change.key.name]) for change in changes if change.want is not None]
    _remove(topology, going, coming, world)
    for change in going:
        done(change, f"deleted {change.before['bridge'] if change.before else ''}".strip())
    if coming:
        _make(topology, coming, world, done)


def _remove(
    topology: str,
    going: Sequence[Change],
    coming: Sequence[tuple[Change, ResolvedNetwork]],
    world: World,
) -> None:
    """Bridges that go, with what is left of our own on them, and all tables that are not wanted any more."""
    marks = {mark(topology, KIND, change.key.name) for change in going}
    renamed = {
        mark(topology, KIND, network.name): network.bridge
        for change, network in coming
        if change.action is not Action.ADOPT
    }
    # and one of another network of ours whose name is to be taken: two may swap their bridges' names
    taken = {network.bridge: mark(topology, KIND, network.name) for _, network in coming}
    bridges = [
        link
        for link in world.links
        if link.kind == "bridge"
        and (
            link.alias in marks
            or (link.alias in renamed and link.name != renamed[link.alias])
            or (link.name in taken and link.alias != taken[link.name] and network_of(link.alias, topology))
        )
    ]
    indexes = {link.ifindex for link in bridges if link.alias in marks}
    ports = [
        link
        for link in world.links
        if link.master in indexes and link.kind == "veth" and _topology(link.alias) == topology
    ]
    with Netlink() as netlink:
        delete_links(netlink, [(link.ifindex, link.name) for link in [*ports, *bridges]], world.links)
    unwanted = {
        table_name(topology, change.key.name): mark(topology, KIND, change.key.name) for change in going
    }
    unwanted |= {
        table_name(topology, network.name): mark(topology, KIND, network.name)
        for _, network in coming
        if not network.nat
    }
    tables = [table.name for table in world.tables if unwanted.get(table.name) == table.comment]
    if tables:
        with Netlink(NETFILTER) as netlink:
            nft.delete_tables(netlink, tables)


def _topology(alias: str) -> str | None:
    found = read_mark(alias)
    return found.topology if found else None


def _make(topology: str, coming: Sequence[tuple[Change, ResolvedNetwork]], world: World, done: Done) -> None:
    """All bridges in one message, then all addresses, then all tables; what the kernel refuses fails alone."""
    refusals: list[Refused] = []
    with Netlink() as netlink:
        by_name = {link.name: link for link in read.links(netlink)}
        bridges = [
            _bridge(topology, change, network, by_name.get(network.bridge)) for change, network in coming
        ]
        made = []
        outcome = netlink.send([requests for _, requests in bridges])
        for (change, network), (index, _), refused in zip(coming, bridges, outcome, strict=True):
            if refused is None:
                made.append((change, network, index))
            else:
                refusals.append(refused)
        outcome = netlink.send(_addresses(made, read.addresses(netlink)))
    refusals += [refused for refused in outcome if refused is not None]
    good = [
        (change, network)
        for (change, network, _), refused in zip(made, outcome, strict=True)
        if refused is None
    ]
    _translate(topology, [network for _, network in good if network.nat], world)
    for change, network in good:
        addresses = ", ".join(map(str, network.gateways)) or "no address"
        done(change, f"bridge {network.bridge}, {addresses}" + (", nat" if network.nat else ""))
    if refusals:
        raise together(refusals)


def _bridge(
    topology: str, change: Change, network: ResolvedNetwork, stands: Link | None
) -> tuple[int, list[Request]]:
    """The bridge's index, and what makes it or sets it right. A new one and its mark are one group."""
    words = mark(topology, KIND, network.name)
    mac = bridge_mac(topology, network.name)
    if stands is None:
        index = write.fresh_index()
        return index, [
            write.bridge(index, network.bridge, mac),
            write.set_link(index, network.bridge, alias=words, mtu=network.mtu),
        ]
    adopted = change.action is Action.ADOPT and stands.kind == "bridge"
    if not adopted and (stands.kind != "bridge" or stands.alias != words):
        raise Failure(
            f"bridge {network.bridge} was to be made",
            found=f"a link of that name stands already, of kind {stands.kind or 'physical'}",
            remedy="remove or rename it, or give the network another `bridge`",
        )
    return stands.ifindex, [
        write.set_link(stands.ifindex, network.bridge, alias=words, mac=mac, mtu=network.mtu, up=True)
    ]


def _addresses(
    made: Iterable[tuple[Change, ResolvedNetwork, int]], present: Sequence[read.Address]
) -> list[list[Request]]:
    ours: dict[int, list[IPInterface]] = {}
    foreign: dict[int, list[IPInterface]] = {}
    for address in present:
        side = ours if address.protocol == write.PROTOCOL else foreign
        side.setdefault(address.ifindex, []).append(address.address)
    groups = []
    for change, network, index in made:
        has = ours.get(index, [])
        goes = [each for each in has if each not in network.gateways]
        comes = [each for each in network.gateways if each not in has]
        _prepare_link(network, goes, comes)
        for wanted in comes:
            if wanted in foreign.get(index, ()) and change.action is not Action.ADOPT:
                raise Failure(
                    f"address {wanted} was to be added to {network.bridge}",
                    found="it is there already, but not by lbkit",
                    remedy=f"remove it, or take it over with --adopt {KIND}/{network.name}",
                )
        groups.append(
            [write.delete_address(index, network.bridge, goner) for goner in goes]
            + [write.take_address(index, network.bridge, comer) for comer in comes]
        )
    return groups


def _prepare_link(
    network: ResolvedNetwork, goes: Sequence[IPInterface], comes: Sequence[IPInterface]
) -> None:
    """Else the kernel would remove foreign addresses of the same prefix with ours, or refuse IPv6."""
    settings = f"conf/{network.bridge}/"
    if any(address.version == 4 for address in goes):
        sysctl.put(f"net/ipv4/{settings}promote_secondaries", "1")
    disabled = f"net/ipv6/{settings}disable_ipv6"
    if any(address.version == 6 for address in comes) and sysctl.get(disabled) == "1":
        sysctl.put(disabled, "0")


def _translate(topology: str, networks: Sequence[ResolvedNetwork], world: World) -> None:
    """The tables first: nothing shall leave the host under an inner address."""
    versions = sorted({prefix.version for network in networks for prefix in network.prefixes})
    if 6 in versions and world.would_lose:
        link = world.would_lose[0]
        raise Failure(
            "this host was to forward IPv6",
            found=f"{link} has its routes from router advertisements, which a host that forwards ignores",
            remedy=f"sysctl net.ipv6.conf.{link}.accept_ra=2, then apply again",
        )
    tables = [
        nft.Table(
            table_name(topology, network.name),
            mark(topology, KIND, network.name),
            nft.Masquerade(network.prefixes, network.bridge),
        )
        for network in networks
    ]
    if tables:
        with Netlink(NETFILTER) as netlink:
            nft.write_tables(netlink, tables)
    for version in versions:
        if sysctl.get(FORWARDING[version]) == "0":
            sysctl.put(FORWARDING[version], "1")
