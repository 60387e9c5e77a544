"""Namespaces as they are: one dump of the host's links, then one setns and one socket for each namespace."""

from __future__ import annotations

import errno
from collections.abc import Container, Iterable, Mapping

from lbkit.base.host import Host
from lbkit.engine.book import IPAddress
from lbkit.network import namespace, sysctl
from lbkit.network.links.values import SeenInterface, SeenNamespace
from lbkit.network.netlink import read
from lbkit.network.netlink.channel import Netlink
from lbkit.network.netlink.read import Link
from lbkit.network.netlink.write import PROTOCOL


def observe(host: Host, topology: str, sysctls: Iterable[str] = ()) -> dict[str, SeenNamespace]:
    """Every namespace named `TOPOLOGY.*`, whoever made it, by name, with the values of `sysctls`. Changes nothing."""
    return observe_named(host, f"{topology}.", sysctls=tuple(sysctls))


def observe_named(
    host: Host, prefix: str, *, names: Container[str] | None = None, sysctls: Iterable[str] = ()
) -> dict[str, SeenNamespace]:
    """Those whose name starts with `prefix`, and is in `names` where that is given."""
    found = {
        name: leftover
        for name, leftover in namespace.listing(host, prefix).items()
        if names is None or name in names
    }
    seen = {
        name: SeenNamespace(name, leftover, whole=False)
        for name, leftover in found.items()
        if leftover is not None
    }
    standing = [name for name in found if name not in seen]
    if not standing:
        return seen
    with Netlink() as netlink:
        ports = {link.ifindex: link for link in read.links(netlink)}
    with namespace.wandering():
        for name in standing:
            try:
                namespace.enter(host, name)
            except namespace.NamespaceFailure as failure:
                if failure.errno == errno.EINVAL:  # a namespace, but not of networks
                    seen[name] = SeenNamespace(name, "not a network namespace", whole=False)
                elif failure.errno != errno.ENOENT:  # ENOENT: gone since it was listed
                    raise
                continue
            with Netlink(where=f"namespace {name}") as netlink:
                values = {key: value for key in sysctls if (value := sysctl.get(key)) is not None}
                seen[name] = inside(netlink, name, ports, values)
    return seen


def addresses(interface: str, *, where: str = "") -> tuple[IPAddress, ...]:
    """Every address of one link of the calling thread's network, whoever put it there. No such link: none."""
    with Netlink(where=where) as netlink:
        indexes = {link.ifindex for link in read.links(netlink) if link.name == interface}
        return tuple(each.address.ip for each in read.addresses(netlink) if each.ifindex in indexes)


def inside(
    netlink: Netlink, name: str, ports: Mapping[int, Link], sysctls: Mapping[str, str]
) -> SeenNamespace:
    """The namespace that `netlink` is in; `ports` are the host's links by index."""
    here = read.links(netlink)
    ours, foreign = by_protocol(read.addresses(netlink))
    routes = tuple((route.to, route.via) for route in read.routes(netlink) if route.via is not None)
    mark, lo_up = "", False
    interfaces = []
    for link in here:
        if link.name == "lo":
            mark, lo_up = link.alias, link.up
        else:
            outer = _other_end(link, ports)
            bridge = ports.get(outer.master) if outer else None
            interfaces.append(
                SeenInterface(
                    name=link.name,
                    ifindex=link.ifindex,
                    mac=link.mac,
                    mtu=link.mtu,
                    up=link.up and outer is not None and outer.up,
                    mark=link.alias,
                    host_link=outer.name if outer else "",
                    host_mark=outer.alias if outer else "",
                    host_ifindex=outer.ifindex if outer else 0,
                    bridge=bridge.name if bridge else "",
                    addresses=tuple(ours.get(link.ifindex, ())),
                    foreign=tuple(foreign.get(link.ifindex, ())),
                )
            )
    return SeenNamespace(name, mark, True, lo_up, tuple(interfaces), routes, sysctls)


def _other_end(link: Link, ports: Mapping[int, Link]) -> Link | None:
    """The veth's end on the host. An index means little in another namespace: both ends must name each other."""
    outer = ports.get(link.peer)
    both = outer is not None and outer.kind == link.kind == "veth" and outer.peer == link.ifindex
    return outer if both else None


def by_protocol(
    addresses: Iterable[read.Address],
) -> tuple[dict[int, list[read.IPInterface]], dict[int, list[read.IPInterface]]]:
    """Addresses by index of their link: ours, and the others."""
    ours: dict[int, list[read.IPInterface]] = {}
    foreign: dict[int, list[read.IPInterface]] = {}
    for address in addresses:
        side = ours if address.protocol == PROTOCOL else foreign
        side.setdefault(address.ifindex, []).append(address.address)
    return ours, foreign
