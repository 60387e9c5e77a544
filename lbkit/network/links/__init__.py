"""Places of machines on networks: namespaces, veths, addresses and routes, observed and made in bulk.

This is what the machine room calls. A veth is made with its inner end directly in the namespace, under its
final name; the host's end is a port of the network's bridge. Both ends, and the namespace's `lo`, bear an
owner mark as their alias; addresses and routes of ours bear protocol 108, and no other one is touched.
"""

from __future__ import annotations

from lbkit.network.links.apply import converge, remove, unplug
from lbkit.network.links.observe import addresses, observe
from lbkit.network.links.values import (
    Report,
    RouteTo,
    SeenInterface,
    SeenNamespace,
    WantedInterface,
    WantedNamespace,
)

__all__ = [
    "Report",
    "RouteTo",
    "SeenInterface",
    "SeenNamespace",
    "WantedInterface",
    "WantedNamespace",
    "addresses",
    "converge",
    "observe",
    "remove",
    "unplug",
]
