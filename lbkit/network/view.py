"""What to tell of networks: status rows, the picture, evidence, and what this host can do."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence

from lbkit.base.errors import Failure
from lbkit.engine.resource import Key
from lbkit.engine.view import Check, Finding, Health, Node, Picture, Status
from lbkit.network import namespace, sysctl
from lbkit.network.netlink import nft, read
from lbkit.network.netlink.channel import NETFILTER, Netlink, Refused
from lbkit.network.netlink.read import Link
from lbkit.network.observe import FORWARDING, KIND, World, nat_state, table_name
from lbkit.network.plan import state_wanted
from lbkit.network.resolve import Networks, ResolvedNetwork


def status(topology: str, networks: Networks, world: World) -> Iterable[Status]:
    links, ours = world.by_name(), world.ours()
    for network in networks.by_name.values():
        bridge = links.get(network.bridge)
        key = Key(KIND, network.name)
        if bridge is None or bridge.kind != "bridge":
            yield Status(key, present=False, health=Health.DOWN, detail=f"no bridge {network.bridge}")
            continue
        has = ours.get(bridge.ifindex, [])
        missing = [gateway for gateway in network.gateways if gateway not in has]
        ports = world.ports(bridge)
        nat = _nat(topology, network, world)
        good = bridge.up and not missing and (not network.nat or not _nat_faults(topology, network, world))
        count = f"{len(ports)} port{'' if len(ports) == 1 else 's'}"
        words = [f"bridge {bridge.name}", *map(str, has), count] + (["nat"] if network.nat else [])
        yield Status(
            key,
            present=True,
            health=Health.UP if good else Health.DEGRADED if bridge.up else Health.DOWN,
            detail=", ".join(words)
            + ("" if bridge.up else "; the bridge is down")
            + "".join(f"; {gateway} is missing" for gateway in missing),
            facts={
                "bridge": bridge.name,
                "mtu": bridge.mtu,
                "addresses": sorted(map(str, has)),
                "ports": sorted(port.name for port in ports),
                "nat": nat,
            },
        )


def picture(networks: Networks) -> Picture:
    return Picture(
        tuple(
            Node(
                id=str(Key(KIND, network.name)),
                label=network.name,
                kind=KIND,
                details=(*map(str, network.prefixes), *(["nat"] if network.nat else [])),
            )
            for network in networks.by_name.values()
        )
    )


def explain(topology: str, network: ResolvedNetwork, world: World) -> Sequence[Finding]:
    bridge = world.by_name().get(network.bridge)
    if bridge is None:
        return [Finding(False, f"the bridge {network.bridge} does not stand", "ip link show type bridge")]
    return [
        _bridge(network, bridge),
        *_addresses(network, bridge, world),
        _ports(bridge, world),
        *(_translation(topology, network, world) if network.nat else ()),
    ]


def _bridge(network: ResolvedNetwork, bridge: Link) -> Finding:
    words = f"{bridge.name} is {'up' if bridge.up else 'down'}, with an MTU of {bridge.mtu}"
    return Finding(bridge.up and bridge.mtu == network.mtu, words, f"ip -d link show {bridge.name}")


def _addresses(network: ResolvedNetwork, bridge: Link, world: World) -> Iterable[Finding]:
    has = world.ours().get(bridge.ifindex, [])
    for gateway in network.gateways:
        there = gateway in has
        words = f"the host {'has' if there else 'lacks'} its address {gateway}"
        yield Finding(there, words, f"ip address show {bridge.name}")


def _ports(bridge: Link, world: World) -> Finding:
    ports = world.ports(bridge)
    dead = [port.name for port in ports if not port.running]
    words = f"{len(ports)} ports" + (f", without a carrier: {', '.join(dead)}" if dead else "")
    return Finding(None if not ports else not dead, words, f"ip link show master {bridge.name}")


def _translation(topology: str, network: ResolvedNetwork, world: World) -> Iterable[Finding]:
    table = table_name(topology, network.name)
    faults = _nat_faults(topology, network, world)
    for fault in faults:
        yield Finding(False, fault, f"nft list table inet {table}")
    if not faults:
        yield Finding(
            True, "machines reach the world under the host's address", f"nft list table inet {table}"
        )


def _nat(topology: str, network: ResolvedNetwork, world: World) -> list[str]:
    table = next((each for each in world.tables if each.name == table_name(topology, network.name)), None)
    return nat_state(table, network.bridge)


def _nat_faults(topology: str, network: ResolvedNetwork, world: World) -> list[str]:
    wanted = state_wanted(topology, network)["nat"]
    has = _nat(topology, network, world)
    faults = []
    if has != wanted:
        faults.append(f"address translation is for {', '.join(has) or 'nothing'}, not {', '.join(wanted)}")
    faults.extend(
        f"{FORWARDING[version]} is off: the host passes nothing on"
        for version in sorted({prefix.version for prefix in network.prefixes} - world.forwarding)
    )
    return faults


def checks() -> Iterable[Check]:
    yield _netlink()
    yield _links()
    yield _nftables()
    for version, name in FORWARDING.items():
        value = sysctl.get(name)
        yield Check(
            f"IPv{version} forwarding",
            good=value is not None,
            found={"1": "on", "0": "off; a network with nat turns it on"}.get(value or "", "no such setting"),
            remedy="" if value is not None else f"a kernel with IPv{version}",
            needed=False,
        )


def _netlink() -> Check:
    try:
        with Netlink() as netlink:
            count = len(read.links(netlink))
    except Refused as refused:
        return Check("netlink", good=False, found=refused.found, remedy="Linux 5.18 or newer")
    return Check("netlink", good=True, found=f"{count} links read")


def _links() -> Check:
    name = "bridges and veths in network namespaces"
    try:
        namespace.trial()
    except Failure as failure:
        remedy = failure.remedy or "a kernel with CONFIG_NET_NS, CONFIG_BRIDGE and CONFIG_VETH"
        return Check(name, good=False, found=f"{failure.wanted}: {failure.found}", remedy=remedy)
    return Check(name, good=True, found="made, and gone again")


def _nftables() -> Check:
    try:
        with Netlink(NETFILTER) as netlink:
            nft.read_tables(netlink, "lbkit.")
    except Refused as refused:
        needs_root = refused.errno == errno.EPERM
        return Check(
            "nftables in the kernel, for nat",
            good=False,
            found=refused.found,
            remedy=refused.remedy if needs_root else "a kernel with nf_tables (CONFIG_NF_TABLES)",
            needed=False,
        )
    return Check("nftables in the kernel, for nat", good=True, found="tables can be read", needed=False)
