"""What of a backend's traffic does not go with its mode, its servers or its load balancer; and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lbkit.base.problems import Path, near
from lbkit.engine.book import Endpoint, IPAddress
from lbkit.engine.scope import Draft
from lbkit.haproxy.resolved import ResolvedServer
from lbkit.haproxy.spec.backend import Backend
from lbkit.haproxy.spec.balance import MOST_IN_TURN, OF_HTTP, algorithm_of
from lbkit.haproxy.spec.words import Mode


def misfits(
    backend: Backend, mode: Mode, servers: Sequence[ResolvedServer], *, named: bool
) -> Iterator[tuple[str, str, str]]:
    """The field, what was wanted there, what was found. `named`: nobody can be asked for servers' names."""
    algorithm, _ = algorithm_of(backend.balance)
    if mode == "tcp":
        if algorithm in OF_HTTP:
            yield "balance", "an algorithm that tcp mode has: it reads no request", backend.balance
        if backend.cookie is not None:
            yield "cookie", "no cookie in tcp mode", backend.cookie.name
        if backend.observe == "layer7":
            yield "observe", "layer4 in tcp mode", "layer7"
        for field, value in (("retry_on", backend.retry_on), ("http_reuse", backend.http_reuse)):
            if value is not None:
                yield field, "nothing about HTTP in tcp mode", f"{value}"
    elif algorithm == "rdp-cookie":
        yield "balance", "an algorithm that http mode has", backend.balance
    if algorithm == "roundrobin" and len(servers) > MOST_IN_TURN:
        yield (
            "balance",
            f"another algorithm for more than {MOST_IN_TURN} servers: static-rr, leastconn, random",
            f"roundrobin, and {len(servers)} servers",
        )
    if backend.observe is not None and backend.health_check is False:
        yield "observe", "a health check, which brings back what was taken out", "health_check: false"
    nameless = next((server for server in servers if isinstance(server.address, str)), None)
    if named and nameless is not None:
        yield "servers", "`resolvers` of the load balancer, who are asked for names", f"{nameless.address}"


def sources(
    network: str | None,
    servers: Sequence[ResolvedServer],
    members: Sequence[Endpoint],
    draft: Draft,
    path: Path,
) -> Mapping[str, IPAddress]:
    """Of each member the address on `network` that connections to these servers come from."""
    if network is None or not members:
        return {}
    place = (*path, "source")
    if network not in members[0].addresses:
        draft.problems.add(
            place,
            "a network of the load balancer's machines",
            found=network,
            remedy=near(network, members[0].addresses),
        )
        return {}
    versions = {server.address.version for server in servers if not isinstance(server.address, str)}
    if len(versions) > 1:
        draft.problems.add(
            place, "servers with addresses of one family", found="IPv4 and IPv6: one source cannot reach both"
        )
        return {}
    version = next(iter(versions), 4)
    found = {
        member.name: address
        for member in members
        for address in member.addresses.get(network, ())
        if address.version == version
    }
    if len(found) < len(members):
        draft.problems.add(
            place, f"a network on which each machine has an IPv{version} address", found=f"none on {network}"
        )
    return found
