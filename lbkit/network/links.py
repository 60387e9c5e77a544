"""Places of machines on networks: namespaces, veths, addresses and routes, observed and made in bulk.

This is what the machine room calls. A veth is made with its inner end directly in the namespace, under its
final name. The host's end is a port of the network's bridge. Both ends, and the namespace's `lo`, bear an
owner mark as their alias; addresses and routes of ours bear protocol 108, and no other one is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface

from lbkit.base.host import Host
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

    `host_link` and `bridge` are "" where the other end is not a link of the host, or not a port.
    `up` is the administrative state of both ends. `foreign` addresses are those that bear not our protocol.
    """

    name: str
    mac: str
    mtu: int
    up: bool
    mark: str
    host_link: str
    host_mark: str
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


def observe(host: Host, topology: str, sysctls: Iterable[str] = ()) -> dict[str, SeenNamespace]:
    """Every namespace named `TOPOLOGY.*`, whoever made it, by name, with the values of `sysctls`.

    One dump of the host's links, then one setns and one socket for each namespace. Changes nothing.
    """
    raise NotImplementedError


def converge(host: Host, wanted: Sequence[WantedNamespace], report: Report) -> None:
    """Make each namespace as wanted, from whatever stands: nothing, half of it, or other than wanted.

    In bulk: links of many namespaces go to the kernel in one message. Interfaces with a mark of the same topology
    that are not wanted go, as do addresses and routes of ours; foreign ones stay. Raises Failure at
    the first that the kernel refuses (`where` says which namespace); those reported before it are done.
    A namespace, or a host link, of a wanted name with no mark of this topology is a Failure before anything is touched.
    """
    raise NotImplementedError


def remove(host: Host, topology: str, names: Sequence[str], report: Report) -> None:
    """Delete namespaces with all their links, the host's ends first and all in one go. Idempotent.

    Only what bears the mark of `topology`; another is a Failure before anything is touched. Processes inside are the
    caller's to stop before: as long as one runs, its namespace lives on without a name.
    """
    raise NotImplementedError
