"""Where the members of a load balancer tell each other their tables."""

from __future__ import annotations

from collections.abc import Sequence

from lbkit.base.problems import Path, near
from lbkit.engine.book import Endpoint
from lbkit.engine.scope import Draft
from lbkit.haproxy.resolve.binds import Binds
from lbkit.haproxy.resolved import ResolvedPeers
from lbkit.haproxy.spec.process import Peers


def resolve_peers(
    name: str, peers: Peers, members: Sequence[Endpoint], draft: Draft, binds: Binds
) -> ResolvedPeers | None:
    path: Path = ("load_balancers", name, "peers")
    if not members:
        return None
    shared = [each for each in members[0].addresses if all(each in member.addresses for member in members)]
    network = peers.network or next(iter(shared), None)
    if network not in shared:
        draft.problems.add(
            (*path, "network") if peers.network else path,
            "a network that all machines of the load balancer are on",
            found=network or "they share none",
            remedy=near(network, shared) if network else "put them on one network",
        )
        return None
    found = {
        member.name: address for member in members for address in member.addresses[network][:1]
    }  # none: said where addresses are given out
    for member, address in found.items():
        binds.take(member, address, peers.port, f"load_balancers.{name}.peers", path)
    return ResolvedPeers(peers.port, found)
