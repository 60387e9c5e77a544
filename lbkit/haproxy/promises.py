"""What clients of load balancers may expect at any time: each place where a frontend is reached. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lbkit.engine.book import IPAddress
from lbkit.engine.promise import Promise
from lbkit.engine.scope import Scope
from lbkit.haproxy.resolved import LoadBalancers, ResolvedBind, ResolvedFrontend, ResolvedLoadBalancer
from lbkit.haproxy.spec.prove import Prove
from lbkit.haproxy.spec.tls import BindTls
from lbkit.machine.resolved import Machines

NO_PROXY = b"PROXY UNKNOWN\r\n"
"""The header of the PROXY protocol that tells of no other client (its specification, 2.1)."""

Place = tuple[IPAddress, str | None, tuple[str, ...]]
"""An address, the network that it is on (None: a loopback), and the machines that have it or may get it."""


def promises(scope: Scope) -> Iterator[Promise]:
    for balancer in scope.of("haproxy", LoadBalancers).by_name.values():
        for frontend in balancer.frontends:
            if frontend.prove is None:
                continue
            seen = set()
            for bind in frontend.binds:
                if _wants_certificates(bind):
                    continue
                for place in _places(bind, balancer, scope):
                    if (place, bind.port) not in seen:
                        seen.add((place, bind.port))
                        yield _promise(balancer, frontend, bind, place, frontend.prove)


def _promise(
    balancer: ResolvedLoadBalancer,
    frontend: ResolvedFrontend,
    bind: ResolvedBind,
    place: Place,
    prove: Prove,
) -> Promise:
    address, network, machines = place
    return Promise(
        name=f"{balancer.name}/{frontend.name}",
        address=address,
        port=bind.port,
        mode=frontend.mode,
        network=network,
        machines=machines,
        host=prove.host or "",
        path=prove.path,
        expect=_statuses(prove.expect),
        download=prove.download if frontend.mode == "http" else None,
        tls=None if bind.tls is None else _server_name(prove.host or "") or _first_name(bind.tls, balancer),
        preamble=NO_PROXY if bind.accept_proxy else b"",
    )


def _server_name(host: str) -> str:
    """What of a Host header TLS says too (SNI): no port, and no address (RFC 6066, 3)."""
    return "" if host.startswith("[") or re.fullmatch(r"[0-9.]+(:[0-9]+)?", host) else host.partition(":")[0]


def _first_name(tls: BindTls, balancer: ResolvedLoadBalancer) -> str:
    names = balancer.certificates[tls.first or tls.certificates[0]].answers
    return names[0].replace("*", "www", 1) if names else ""


def _wants_certificates(bind: ResolvedBind) -> bool:
    """Whether it turns away who has none to show, and so the prober."""
    return bind.tls is not None and bind.tls.client is not None and bind.tls.client.verify == "required"


def _statuses(expect: str | None) -> tuple[int, int] | None:
    if expect is None:
        return None
    first, _, last = expect.partition("-")
    return int(first), int(last or first)


def _places(bind: ResolvedBind, balancer: ResolvedLoadBalancer, scope: Scope) -> Iterator[Place]:
    """A port alone: the virtual address, which is what clients know; where there is none, all of each machine's."""
    machines = scope.of("machine", Machines).by_name
    own: list[Place] = [
        (interface.ip, link.network, (member,))
        for member in balancer.members
        for link in machines[member].interfaces
        for interface in link.addresses
    ]
    virtual: list[Place] = []
    if balancer.vip is not None:
        virtual = [(address, balancer.vip.network, balancer.members) for address in balancer.vip.addresses]
    wanted = bind.address
    if wanted is None or wanted.is_unspecified:
        versions = {4} if wanted is not None and wanted.version == 4 else {4, 6}
        yield from (place for place in virtual or own if place[0].version in versions)
    elif wanted.is_loopback:
        yield from ((wanted, None, (member,)) for member in balancer.members)
    else:
        yield from (place for place in virtual + own if place[0] == wanted)
