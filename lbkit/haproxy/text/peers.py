"""The section `peers`: members of the load balancer, and how a process hands its tables on to the next."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.haproxy.config.paths import PEERS_SOCKET
from lbkit.haproxy.config.sections import Peers
from lbkit.haproxy.text.words import Words, endpoint


def peers(section: Peers) -> Iterator[Words]:
    if section.members is None:
        yield "peer", section.local, f"unix@{PEERS_SOCKET}"
    else:
        for name, address in section.members.items():
            yield "peer", name, endpoint(address.compressed, section.port)
