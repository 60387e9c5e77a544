"""Make a guest who its identity says it is. Idempotent; what was set before and is not wanted any more goes.

What is ours bears marks as in a namespace (ARCHITECTURE.md, "Names in the world"): links their alias, addresses and
routes the protocol number 108. Addresses stand whether or not a link is plugged in.

In an image with cloud-init another program was told the same addresses and routes (systemd-networkd, say), and sets them at
any time, without our mark: when a link is plugged in, above all. Who set what is wanted does not matter, then.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from lbkit.base.errors import Failure
from lbkit.base.files import FileFailure, make_folder, read, write_atomic
from lbkit.base.mark import mark, read_mark
from lbkit.machine.guest.identity import Identity, Interface
from lbkit.network import sysctl
from lbkit.network.links.steps import routes_inside
from lbkit.network.netlink import read as seen
from lbkit.network.netlink import write
from lbkit.network.netlink.channel import Netlink
from lbkit.network.netlink.read import Address, Link
from lbkit.network.netlink.wire import Request

LINKS_WITHIN = 15.0
"""Seconds until the links must be there: at boot their driver may be still to come."""

_BEGIN, _END = "# lbkit: begin", "# lbkit: end"
_RTMGRP_LINK = 1  # linux/rtnetlink.h


def set_identity(
    identity: Identity,
    before: Identity | None = None,
    *,
    root: Path = Path("/"),
    within: float = LINKS_WITHIN,
) -> None:
    """`before`: who it was. `root` is where files like etc/hostname lie. Raises Failure at the first that cannot be set."""
    _set_files(identity, root)
    _set_hostname(identity.hostname)
    for name, value in identity.sysctls.items():
        if sysctl.get(name) not in {None, value}:  # None: this kernel has it not, as one without IPv6
            sysctl.put(name, value)
    with Netlink(where=f"machine {identity.member}") as netlink:
        wanted = {want.mac for want in identity.interfaces}
        links = links_when(netlink, lambda here: wanted <= {link.mac.lower() for link in here}, within)
        netlink.carry_out(*link_steps(identity, links))
        ours = by_name(identity, seen.links(netlink))
        netlink.carry_out(address_steps(identity, ours, seen.addresses(netlink), before))
        routes = [(route.to, route.via) for route in seen.routes(netlink) if route.via is not None]
        wanted_routes = [(each.to, each.via) for each in identity.routes]
        netlink.carry_out(routes_inside(wanted_routes, routes, write.take_route))


def look(identity: Identity | None = None) -> dict[str, Any]:
    """What is set now: to be held against an identity, for drift. Changes nothing.

    Addresses and routes that `identity` wants are told of whoever set them; of others those that are ours, and `foreign` ones.
    """
    interfaces, routes = (identity.interfaces, identity.routes) if identity else ((), ())
    wanted = {(each.name, address) for each in interfaces for address in each.addresses}
    leading = {(each.to, each.via) for each in routes}
    with Netlink() as netlink:
        links = [link for link in seen.links(netlink) if link.name != "lo"]
        addresses = seen.addresses(netlink)
        found = seen.routes(netlink, seen.ANY)
    of_link: dict[str, dict[bool, set[str]]] = {link.name: {True: set(), False: set()} for link in links}
    names = {link.ifindex: link.name for link in links}
    for each in addresses:
        if name := names.get(each.ifindex):
            as_told = each.protocol == write.PROTOCOL or (name, each.address) in wanted
            of_link[name][as_told].add(str(each.address))
    return {
        "hostname": socket.gethostname(),
        "interfaces": {
            link.name: {
                "mac": link.mac.lower(),
                "mtu": link.mtu,
                "up": link.up,
                "running": link.running,
                "mark": link.alias,
                "addresses": sorted(of_link[link.name][True]),
                "foreign": sorted(of_link[link.name][False]),
            }
            for link in links
        },
        "routes": sorted(
            {
                f"{route.to} via {route.via}"
                for route in found
                if route.via is not None
                and (route.protocol == write.PROTOCOL or (route.to, route.via) in leading)
            }
        ),
    }


# Decisions


def link_steps(identity: Identity, links: Sequence[Link]) -> list[list[Request]]:
    """From the links as they are to the names, sizes and marks that they shall have, up. Raises Failure where one is missing."""
    chosen = choose(identity, links)
    taken = {link.name: link for link in links}
    steps: list[list[Request]] = []
    # two may want each other's name: first all names that are wanted are given up
    for want in identity.interfaces:
        holder = taken.get(want.name)
        if holder is not None and holder.ifindex != chosen[want.name].ifindex:
            steps.append(_renamed(holder, f"lbkit{holder.ifindex}"))
    for want in identity.interfaces:
        link = chosen[want.name]
        alias = mark(identity.topology, "machine", identity.member, want.name)
        if link.name != want.name:
            steps.append(_renamed(link, want.name, up=True))
        elif link.up and link.mtu == want.mtu and link.alias == alias:
            continue
        steps.append([write.set_link(link.ifindex, want.name, alias=alias, mtu=want.mtu, up=True)])
    kept = {link.ifindex for link in chosen.values()}
    for link in links:
        if link.name == "lo" and not link.up:
            steps.append([write.set_link(link.ifindex, "lo", up=True)])
        elif link.ifindex not in kept and read_mark(link.alias) is not None:
            steps.append(
                [write.lower_link(link.ifindex, link.name), write.set_link(link.ifindex, link.name, alias="")]
            )
    return steps


def choose(identity: Identity, links: Sequence[Link]) -> dict[str, Link]:
    """Each wanted interface's link, by name. What is made over a link (VLAN, macvlan) may have its address: it comes later."""
    chosen: dict[str, Link] = {}
    for want in identity.interfaces:
        same = [link for link in links if link.mac.lower() == want.mac and link.name != "lo"]
        if not same:
            raise _missing(want, links)
        chosen[want.name] = min(same, key=lambda link: link.ifindex)
    return chosen


def by_name(identity: Identity, links: Iterable[Link]) -> dict[str, int]:
    """The indexes of the identity's links, once they have their names."""
    wanted = {want.name for want in identity.interfaces}
    return {link.name: link.ifindex for link in links if link.name in wanted}


def address_steps(
    identity: Identity, indexes: dict[str, int], addresses: Iterable[Address], before: Identity | None = None
) -> list[Request]:
    """What goes goes first: an address may move. One that somebody else put there becomes ours, or was as it was wanted."""
    wanted = {
        (indexes[want.name], address): want.name for want in identity.interfaces for address in want.addresses
    }
    were = {
        (indexes[each.name], address)
        for each in (before.interfaces if before else ())
        for address in each.addresses
        if each.name in indexes
    }
    have = {(each.ifindex, each.address): each.protocol for each in addresses}
    removals = [
        write.delete_address(index, f"link {index}", address)
        for (index, address), protocol in have.items()
        if (protocol == write.PROTOCOL or (index, address) in were) and (index, address) not in wanted
    ]
    additions = [
        write.take_address(index, name, address)
        for (index, address), name in wanted.items()
        if have.get((index, address)) != write.PROTOCOL
    ]
    return removals + additions


def with_block(text: str, lines: Sequence[str]) -> str:
    """`text` with our lines between marks, in place of those that were there, and all others as they are."""
    kept: list[str] = []
    inside = False
    for line in text.splitlines():
        if line == _BEGIN:
            inside = True
        elif line == _END:
            inside = False
        elif not inside:
            kept.append(line)
    block = [_BEGIN, *lines, _END] if lines else []
    return "".join(f"{line}\n" for line in [*kept, *block])


def _renamed(link: Link, name: str, *, up: bool = False) -> list[Request]:
    lowered = [write.lower_link(link.ifindex, link.name)] if link.up else []
    return [*lowered, write.rename_link(link.ifindex, link.name, name, up=up)]


def _missing(want: Interface, links: Sequence[Link]) -> Failure:
    there = ", ".join(f"{link.name} {link.mac}" for link in links if link.name != "lo")
    return Failure(
        f"interface {want.name} was to be the link with address {want.mac}",
        found=f"there are {there}" if there else "there is no link",
        remedy="apply again: that attaches it",
    )


# Effects


def links_when(netlink: Netlink, good: Callable[[list[Link]], bool], within: float) -> list[Link]:
    """All links, once they are as they should be, or the time is up: the kernel tells of every change."""
    deadline = time.monotonic() + within
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as news:
        news.bind((0, _RTMGRP_LINK))
        news.setblocking(False)
        while True:
            links = seen.links(netlink)
            left = deadline - time.monotonic()
            if good(links) or left <= 0:
                return links
            if select.select([news], [], [], left)[0]:
                _drop_all(news)


def _drop_all(news: socket.socket) -> None:
    """Whatever they say, all is read anew. Where too many came (ENOBUFS), too."""
    try:
        while news.recv(65536):
            pass
    except OSError:
        return


def _set_hostname(name: str) -> None:
    if socket.gethostname() == name:
        return
    try:
        socket.sethostname(name)
    except OSError as error:
        raise Failure(f"the host name was to be {name}", found=error.strerror or str(error)) from error


def _set_files(identity: Identity, root: Path) -> None:
    _set_file(root / "etc/hostname", f"{identity.hostname}\n", 0o644)
    if identity.machine_id:
        _set_in_place(root / "etc/machine-id", f"{identity.machine_id}\n")
    keys = root / "root/.ssh/authorized_keys"
    before = (read(keys) or b"").decode(errors="surrogateescape")
    after = with_block(before, identity.ssh_keys)
    if after != before:
        make_folder(keys.parent, mode=0o700)
        write_atomic(keys, after.encode(errors="surrogateescape"), mode=0o600)


def _set_file(path: Path, text: str, mode: int) -> None:
    if read(path) != text.encode():
        make_folder(path.parent)
        write_atomic(path, text.encode(), mode=mode)


def _set_in_place(path: Path, text: str) -> None:
    """It is not replaced: something may be mounted over it (machine-id(5))."""
    if read(path) == text.encode():
        return
    make_folder(path.parent)
    try:
        path.write_text(text, encoding="ascii")
    except OSError as error:
        raise FileFailure("written", path, error) from error
