"""The section `peers`: members of the load balancer, how a process hands its tables on to the next, and the
tables of frontends and of mirrors (other backends have their own).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lbkit.haproxy.config.paths import PEERS_SOCKET
from lbkit.haproxy.config.sections import Backend, Frontend, Peers
from lbkit.haproxy.text import serials
from lbkit.haproxy.text.limits import tables
from lbkit.haproxy.text.words import Words, endpoint


def peers(section: Peers, frontends: Sequence[Frontend], backends: Sequence[Backend]) -> Iterator[Words]:
    if section.members is None:
        yield "peer", section.local, f"unix@{PEERS_SOCKET}"
    else:
        for name, address in section.members.items():
            yield "peer", name, endpoint(address.compressed, section.port)
    for frontend in frontends:
        yield from tables(frontend)
    yield from (
        serials.table(backend.name, backend.serials) for backend in backends if backend.serials is not None
    )
