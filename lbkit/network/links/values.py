"""Namespaces with their links, as they shall be and as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface

from lbkit.engine.book import IPAddress, IPNetwork

IPInterface = IPv4Interface | IPv6Interface
RouteTo = tuple[IPNetwork, IPAddress]
"""A destination, and the gateway (via) to it."""

Report = Callable[[str, str], None]
"""Called with the name of each namespace as it is done, and what was executed in words, for the journal."""


@dataclass(frozen=True, slots=True)
class WantedInterface:
    """`name` and `mac` are of the end inside the namespace; `host_link` is the host's end, a port of `bridge`."""

    name: str
    host_link: str
    bridge: str
    mac: str  # lower case, with colons
    mtu: int
    addresses: tuple[IPInterface, ...]
    mark: str  # lbkit.base.mark.mark(topology, "machine", member, network), on both ends


@dataclass(frozen=True, slots=True)
class WantedNamespace:
    """`sysctls` by dotted name ("net.ipv4.ip_unprivileged_port_start"), written before any link is made;
    only those below `net.` that belong to a namespace. Where a part of the name has a dot (an interface), write
    the path with slashes.
    """

    name: str  # of the file below host.netns_dir
    mark: str  # mark(topology, "machine", member), on its lo
    interfaces: tuple[WantedInterface, ...] = ()
    routes: tuple[RouteTo, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SeenInterface:
    """A link inside a namespace, lo excepted. Texts are as found: anyone may have written them.

    `host_link` and `bridge` are "" (`host_ifindex` 0) where the other end is not a link of the host, or not a port.
    `up` is the administrative state of both ends. `foreign` addresses are those that bear not our protocol.
    """

    name: str
    ifindex: int
    mac: str
    mtu: int
    up: bool
    mark: str
    host_link: str
    host_mark: str
    host_ifindex: int
    bridge: str
    addresses: tuple[IPInterface, ...]
    foreign: tuple[IPInterface, ...] = ()


@dataclass(frozen=True, slots=True)
class SeenNamespace:
    """`whole` is False for what a killed creation or deletion left: a file that is no namespace. Then `mark` is
    what stands in the file, and there is nothing else.
    """

    name: str
    mark: str
    whole: bool
    lo_up: bool = False
    interfaces: tuple[SeenInterface, ...] = ()
    routes: tuple[RouteTo, ...] = ()  # ours
    sysctls: Mapping[str, str] = field(default_factory=dict)
