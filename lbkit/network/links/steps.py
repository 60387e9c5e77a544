"""What leads one namespace from how it is to how it shall be. Pure: values in, requests out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lbkit.base.errors import Failure
from lbkit.base.mark import read_mark
from lbkit.engine.book import IPAddress, IPNetwork
from lbkit.network.links.values import (
    IPInterface,
    RouteTo,
    SeenInterface,
    SeenNamespace,
    WantedInterface,
    WantedNamespace,
)
from lbkit.network.netlink import write
from lbkit.network.netlink.read import Link
from lbkit.network.netlink.wire import Request

_FIRST_INDEX = 100  # inside: beyond the links that some kernels put in every new namespace (tunl0, sit0)


@dataclass(frozen=True, slots=True)
class Links:
    """What to do with the links of one namespace: `goners` as index and name on the host, then inside."""

    goners: tuple[tuple[int, str], ...]
    goners_inside: tuple[tuple[int, str], ...]
    make: tuple[tuple[WantedInterface, int], ...]  # with the index that it shall have inside
    keep: tuple[tuple[WantedInterface, SeenInterface], ...]

    @property
    def indexes(self) -> list[tuple[WantedInterface, int]]:
        """Every wanted interface with its index inside."""
        return [*((want, have.ifindex) for want, have in self.keep), *self.make]


def belongs(text: str, like: str) -> bool:
    """Whether an alias is an owner mark of the same topology as the mark `like`."""
    found, wanted = read_mark(text), read_mark(like)
    return found is not None and wanted is not None and found.topology == wanted.topology


def decide(want: WantedNamespace, have: SeenNamespace | None, ports: Mapping[str, Link]) -> Links:
    """`ports` are the host's links by name. Raises Failure where a foreign link stands in the way."""
    seen = {interface.name: interface for interface in have.interfaces} if have else {}
    wanted = {interface.name: interface for interface in want.interfaces}
    goners: dict[int, str] = {}
    inside: dict[int, str] = {}
    make: list[WantedInterface] = []
    keep: list[tuple[WantedInterface, SeenInterface]] = []

    def drop(interface: SeenInterface) -> None:
        if interface.host_ifindex:
            goners[interface.host_ifindex] = interface.host_link
        else:
            inside[interface.ifindex] = interface.name

    for interface in seen.values():
        ours = belongs(interface.mark, want.mark) or belongs(interface.host_mark, want.mark)
        asked = wanted.get(interface.name)
        if asked is not None and not ours:
            raise _in_the_way(f"link {interface.name}", want, interface.mark)
        if asked is not None and asked.host_link == interface.host_link:
            keep.append((asked, interface))
        elif ours:
            drop(interface)
    kept = {asked.name for asked, _ in keep}
    for asked in want.interfaces:
        if asked.bridge not in ports or ports[asked.bridge].kind != "bridge":
            raise Failure(
                f"link {asked.host_link} was to be a port of {asked.bridge}",
                found="no such bridge",
                where=f"namespace {want.name}",
            )
        if asked.name in kept:
            continue
        port = ports.get(asked.host_link)
        if port is not None and not belongs(port.alias, want.mark):
            raise _in_the_way(f"the host's link {port.name}", want, port.alias)
        if port is not None:
            goners[port.ifindex] = port.name
        make.append(asked)
    taken = max((interface.ifindex for interface in seen.values()), default=0)
    first = max(_FIRST_INDEX, taken + 1)
    return Links(
        tuple(goners.items()),
        tuple(inside.items()),
        tuple((asked, first + place) for place, asked in enumerate(make)),
        tuple(keep),
    )


def on_host(links: Links, bridges: Mapping[str, Link], namespace: int) -> list[list[Request]]:
    """Requests on the host: new pairs, and what differs of those that stay. `namespace` is a descriptor."""
    groups: list[list[Request]] = []
    for want, index_inside in links.make:
        index = write.fresh_index()
        groups.append(
            [
                write.veth(
                    index,
                    want.host_link,
                    master=bridges[want.bridge].ifindex,
                    mtu=want.mtu,
                    peer=index_inside,
                    peer_name=want.name,
                    peer_mac=want.mac,
                    namespace=namespace,
                ),
                write.set_link(index, want.host_link, alias=want.mark),
            ]
        )
    groups.extend(
        [
            write.set_link(
                have.host_ifindex,
                want.host_link,
                alias=want.mark,
                mtu=want.mtu,
                master=bridges[want.bridge].ifindex if have.bridge != want.bridge else None,
                up=True,
            )
        ]
        for want, have in links.keep
        if have.host_mark != want.mark or have.bridge != want.bridge or have.mtu != want.mtu or not have.up
    )
    return groups


def links_inside(want: WantedNamespace, have: SeenNamespace | None, links: Links) -> list[Request]:
    """New links are marked and raised; of those that stand, what differs is set, lo included."""
    requests = [write.delete_link(*goner) for goner in links.goners_inside]
    if have is not None and (have.mark != want.mark or not have.lo_up):
        requests.append(write.set_link(1, "lo", alias=want.mark, up=True))
    for asked, found in links.keep:
        mac = asked.mac if found.mac != asked.mac else None
        if mac or found.mark != asked.mark or found.mtu != asked.mtu or not found.up:
            requests.append(
                write.set_link(found.ifindex, asked.name, alias=asked.mark, mtu=asked.mtu, mac=mac, up=True)
            )
    requests.extend(
        write.set_link(index, asked.name, alias=asked.mark, up=True) for asked, index in links.make
    )
    return requests


def addresses_inside(
    links: Links, ours: Mapping[int, Collection[IPInterface]], foreign: Mapping[int, Collection[IPInterface]]
) -> list[Request]:
    """From the addresses that links have (by index) to those wanted. What goes goes first: an address may move."""
    removals: list[Request] = []
    additions: list[Request] = []
    for want, index in links.indexes:
        has = ours.get(index, ())
        removals += [
            write.delete_address(index, want.name, address)
            for address in has
            if address not in want.addresses
        ]
        for address in want.addresses:
            if address in foreign.get(index, ()):
                raise Failure(
                    f"address {address} was to be added to {want.name}",
                    found="it is there already, but not by lbkit",
                    remedy="remove it, then apply again",
                )
            if address not in has:
                additions.append(write.add_address(index, want.name, address))
    return removals + additions


def routes_inside(
    wanted: Sequence[RouteTo],
    have: Iterable[RouteTo],
    add: Callable[[IPNetwork, IPAddress], Request] = write.add_route,
) -> list[Request]:
    present = set(have)
    return [
        *(write.delete_route(to, via) for to, via in present if (to, via) not in wanted),
        *(add(to, via) for to, via in wanted if (to, via) not in present),
    ]


def _in_the_way(what: str, want: WantedNamespace, alias: str) -> Failure:
    return Failure(
        f"namespace {want.name} was to be made as wanted",
        found=f"{what} is there already, "
        + (f"and says {alias[:80]!r}" if alias else "and was not made by lbkit"),
        remedy="remove or rename it, then apply again",
    )
