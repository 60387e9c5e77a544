"""The part of the picture that is about load balancers: from clients to servers, as traffic flows."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.engine.scope import Scope
from lbkit.engine.view import Edge, Node, Picture
from lbkit.haproxy.instance import KIND, key_of
from lbkit.haproxy.resolved import LoadBalancers, ResolvedBackend, ResolvedLoadBalancer, ResolvedServer
from lbkit.haproxy.view import backend_key, server_key, vip_key

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
    for backend in _shown(balancer):
        check = backend.health_check
        checked = (
            ()
            if check is None
            else (f"{check.path if check.protocol == 'http' else 'tcp'} every {check.interval:g} s",)
        )
        yield Node(_backend(balancer, backend), backend.name, "backend", (backend.balance, *checked), layer=3)
    for backend, server in balancer.servers:
        if backend.stands_in_for is not None:
            continue
        name = _server(balancer, backend, server)
        if server.member is not None:
            yield Node(
                name, f"{backend.name} :{server.port}", "server", layer=4, inside=f"machine {server.member}"
            )
        else:
            yield Node(name, server.name, "server", (f"{server.address}:{server.port}",), layer=4)


def _edges(balancer: ResolvedLoadBalancer) -> Iterator[Edge]:
    label = ", ".join(f"{front.name} :{bind.port}" for front in balancer.frontends for bind in front.binds)
    entry = str(vip_key(balancer.name)) if balancer.vip is not None else None
    if entry is not None:
        yield Edge(CLIENTS, entry, label)
    for index, member in enumerate(balancer.members):
        # one has the address; where it is not known which (status tells), the first
        standby = entry is not None and index > 0
        if entry is None:
            yield Edge(CLIENTS, _haproxy(balancer, member), label)
        else:
            yield Edge(entry, _haproxy(balancer, member), faint=standby)
        for backend in _shown(balancer):
            yield Edge(_haproxy(balancer, member), _backend(balancer, backend), faint=standby)
    for backend, server in balancer.servers:
        if backend.stands_in_for is not None:
            continue
        yield Edge(
            _backend(balancer, backend),
            _server(balancer, backend, server),
            "backup" if server.backup else "",
            faint=server.backup or server.weight == 0,
        )


def _shown(balancer: ResolvedLoadBalancer) -> list[ResolvedBackend]:
    """Whose servers stand in for another's would be there twice."""
    return [each for each in balancer.backends if each.stands_in_for is None]


def _haproxy(balancer: ResolvedLoadBalancer, member: str) -> str:
    return str(key_of(KIND, member, balancer.name))


def _backend(balancer: ResolvedLoadBalancer, backend: ResolvedBackend) -> str:
    return str(backend_key(balancer.name, backend.name))


def _server(balancer: ResolvedLoadBalancer, backend: ResolvedBackend, server: ResolvedServer) -> str:
    return str(server_key(balancer.name, backend.name, server.name))
