"""How packets go from here to one address: by which link and route, and whether anyone answers there."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from lbkit.engine.book import IPAddress
from lbkit.network.netlink import lookup, read
from lbkit.network.netlink.channel import Netlink, Refused
from lbkit.network.netlink.lookup import NeighbourState

_REFUSALS = {
    errno.ENETUNREACH: "no route leads there",
    errno.EHOSTUNREACH: "a route says that it is unreachable",
    errno.EACCES: "a route prohibits it",
    errno.EINVAL: "a route drops what goes there (blackhole)",
}
"""ip-route(8), the types of routes that refuse."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """`carrier`: it is up, and so is what it is plugged into."""

    up: bool
    carrier: bool


@dataclass(frozen=True, slots=True)
class Path:
    """`interface` is "" where no packet goes: `refusal` says why.

    `via` None: the address is on the link. `neighbour` is who answers there for the address, or for the gateway:
    None where the kernel has not asked lately, or nobody needs to be asked. `links`: all of the machine's.
    """

    links: Mapping[str, LinkState] = field(default_factory=dict)
    interface: str = ""
    refusal: str = ""
    via: IPAddress | None = None
    source: IPAddress | None = None
    neighbour: NeighbourState | None = None
    mac: str = ""


def path_to(address: IPAddress, *, where: str = "") -> Path:
    """From the network namespace of the calling thread. Sends no packet."""
    with Netlink(where=where) as netlink:
        found = {link.ifindex: link for link in read.links(netlink)}
        links = {link.name: LinkState(link.up, link.running) for link in found.values()}
        try:
            route = lookup.route_to(netlink, address)
        except Refused as refused:
            return Path(links, refusal=_REFUSALS.get(refused.errno) or os.strerror(refused.errno))
        seen = lookup.neighbour(netlink, route.via or address, route.ifindex) if route.ifindex else None
        return Path(
            links,
            found[route.ifindex].name if route.ifindex in found else "",
            "",
            route.via,
            route.source,
            seen.state if seen else None,
            seen.mac if seen else "",
        )
