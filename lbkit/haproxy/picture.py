"""The part of the picture that is about load balancers: from clients to servers, as traffic flows."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.engine.scope import Scope
from lbkit.engine.view import Edge, Node, Picture
from lbkit.haproxy.resolved import LoadBalancers, ResolvedLoadBalancer, ResolvedServer
from lbkit.haproxy.view import server_key, vip_key

CLIENTS = "clients"


def picture(scope: Scope) -> Picture:
    balancers = scope.of("haproxy", LoadBalancers).by_name.values()
    nodes = [Node(CLIENTS, "clients", "client")] if balancers else []
    edges: list[Edge] = []
    for balancer in balancers:
        nodes += _nodes(balancer)
        edges += _edges(balancer)
    return Picture(tuple(nodes), tuple(edges))


def _nodes(balancer: ResolvedLoadBalancer) -> Iterator[Node]:
    if balancer.vip is not None:
        details = tuple(str(address) for address in balancer.vip.addresses)
        yield Node(str(vip_key(balancer.name)), balancer.name, "vip", details, layer=1)
    listens = ", ".join(f":{bind.port}" for front in balancer.frontends for bind in front.binds)
    for member in balancer.members:
        yield Node(
            _haproxy(balancer, member),
            f"haproxy {balancer.name}",
            "haproxy",
            (listens,),
            layer=2,
            inside=f"machine {member}",
        )
    for backend, server in balancer.servers:
        if server.member is None:
            details = (f"{server.address}:{server.port}",)
            name = str(server_key(balancer.name, backend.name, server.name))
            yield Node(name, server.name, "server", details, layer=3)


def _edges(balancer: ResolvedLoadBalancer) -> Iterator[Edge]:
    label = ", ".join(f"{front.name} :{bind.port}" for front in balancer.frontends for bind in front.binds)
    entry = str(vip_key(balancer.name)) if balancer.vip is not None else None
    if entry is not None:
        yield Edge(CLIENTS, entry, label)
    for index, member in enumerate(balancer.members):
        if entry is None:
            yield Edge(CLIENTS, _haproxy(balancer, member), label)
        else:  # one has the address; where nothing failed, the first
            yield Edge(entry, _haproxy(balancer, member), faint=index > 0)
        for backend, server in balancer.servers:
            yield Edge(
                _haproxy(balancer, member),
                _target(balancer, backend.name, server),
                f"{backend.name} :{server.port}",
                faint=server.backup or server.weight == 0,
            )


def _target(balancer: ResolvedLoadBalancer, backend: str, server: ResolvedServer) -> str:
    if server.member is not None:
        return f"machine {server.member}"
    return str(server_key(balancer.name, backend, server.name))


def _haproxy(balancer: ResolvedLoadBalancer, member: str) -> str:
    return f"haproxy {member}/{balancer.name}"
