"""Backends: every server with its name and its address, and what must stand for it to answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lbkit.base.problems import Path, near
from lbkit.engine.book import Endpoint
from lbkit.engine.resource import Key
from lbkit.engine.scope import Draft
from lbkit.haproxy.resolve import mirrors
from lbkit.haproxy.resolve.tls import Tls
from lbkit.haproxy.resolve.traffic import misfits, sources
from lbkit.haproxy.resolved import ResolvedBackend, ResolvedServer, written_timeouts
from lbkit.haproxy.spec.backend import Backend
from lbkit.haproxy.spec.balancer import LoadBalancer
from lbkit.haproxy.spec.server import AddressServer, GroupServers, MirrorServers, OneServer
from lbkit.haproxy.spec.words import Mode
from lbkit.machine.resolved import Machines


@dataclass(slots=True)
class Backends:
    """The backends of one load balancer. `requires` is known once they are resolved."""

    balancer: str
    spec: LoadBalancer
    members: tuple[Endpoint, ...]
    draft: Draft
    tls: Tls
    needed: set[Key] = field(default_factory=set)

    @property
    def requires(self) -> frozenset[Key]:
        return frozenset(self.needed)

    def resolved(self) -> tuple[ResolvedBackend, ...]:
        found: list[ResolvedBackend] = []
        for name, backend in self.spec.backends.items():
            path = ("load_balancers", self.balancer, "backends", name)
            mode = self._mode(name, backend, path)
            servers = tuple(self._servers(backend, path))
            self._check(backend, mode, servers, path)
            check = backend.health_check
            if backend.tls is not None:
                self.tls.servers(backend.tls, mode, path)
            resolved = ResolvedBackend(
                name=name,
                mode=mode,
                balance=backend.balance,
                servers=servers,
                health_check=check or None,
                timeouts=written_timeouts(backend.timeouts),
                traffic=backend,
                source=sources(backend.source, servers, self.members, self.draft, path),
                tls=backend.tls,
            )
            found += self._with_mirror(resolved, backend, path)
        return tuple(found)

    def _with_mirror(
        self, resolved: ResolvedBackend, backend: Backend, path: Path
    ) -> tuple[ResolvedBackend, ...]:
        mirror = mirrors.mirror_of(backend)
        if mirror is None:
            return (resolved,)
        wrong = list(mirrors.misfits(backend, resolved.mode))
        for field_, wanted, there in wrong:
            self.draft.problems.add((*path, field_), wanted, found=there)
        endpoints = self.draft.book.endpoints(f"mirrors.{mirror.mirror}")
        if wrong or not endpoints or not resolved.servers:
            return (resolved,)
        counter = mirrors.counter_for(resolved.name, self.spec, self.draft, path)
        return mirrors.with_mirror(resolved, backend, mirror, endpoints[0], counter)

    def _mode(self, name: str, backend: Backend, path: Path) -> Mode:
        modes = sorted({front.mode for front in self.spec.frontends.values() if name in front.backends})
        if backend.mode is None and len(modes) > 1:
            self.draft.problems.add(
                path, "frontends of one mode for a backend", found=f"frontends of mode {' and '.join(modes)}"
            )
        return backend.mode or (modes[0] if modes else "http")

    def _check(self, backend: Backend, mode: Mode, servers: tuple[ResolvedServer, ...], path: Path) -> None:
        add = self.draft.problems.add
        for field_, wanted, found in misfits(backend, mode, servers, named=self.spec.resolvers is None):
            add((*path, field_), wanted, found=found)
        broken = self.draft.is_broken("machines", self.spec.machines) or any(
            self.draft.is_broken(*reference) for server in backend.servers for reference in _refers(server)
        )
        # without servers, its lines of `raw` answer, or keep a table
        # of a load balancer without machines no server's network is known
        found_out = self.members and not broken and not self._unknown(backend)
        if not servers and not backend.raw and found_out:
            add(
                (*path, "servers"),
                "at least one server",
                found="none"
                if not backend.servers
                else "none: "
                + ", ".join(
                    f"{section}.{name} has {'count: 0' if section == 'machines' else 'no nodes'}"
                    for server in backend.servers
                    for section, name in _refers(server)
                ),
            )
        seen: set[str] = set()
        for server in servers:
            if server.name in seen:
                add((*path, "servers"), "servers with names of their own", found=f"two servers {server.name}")
            seen.add(server.name)

    def _unknown(self, backend: Backend) -> bool:
        return any(
            (isinstance(server, GroupServers) and server.machines not in self._groups())
            or (
                isinstance(server, MirrorServers)
                and self.draft.book.endpoints(f"mirrors.{server.mirror}") is None
            )
            for server in backend.servers
        )

    def _groups(self) -> dict[str, tuple[str, ...]]:
        machines = self.draft.resolved.get("machine")
        return dict(machines.groups) if isinstance(machines, Machines) else {}

    def _servers(self, backend: Backend, path: Path) -> Iterator[ResolvedServer]:
        for index, server in enumerate(backend.servers):
            here = (*path, "servers", index)
            if isinstance(server, AddressServer):
                yield ResolvedServer(
                    server.name,
                    server.address,
                    server.port,
                    server.weight,
                    server.backup,
                    server.maxconn,
                    None,
                    server.minconn,
                    server.maxqueue,
                    server.state,
                    server.check,
                    server.cookie,
                    server.raw,
                )
            elif isinstance(server, MirrorServers):
                yield from self._of_mirror(server, here)
            else:
                yield from self._of_group(server, here)

    def _of_mirror(self, server: MirrorServers, path: Path) -> Iterator[ResolvedServer]:
        endpoints = mirrors.nodes(server, self.draft, path)
        if not endpoints or not self.members:
            return
        network = self._network(server, f"mirrors.{server.mirror}", endpoints[0], path)
        for endpoint in endpoints:
            addresses = endpoint.addresses.get(network, ()) if network is not None else ()
            if addresses:
                self.needed |= endpoint.keys
                yield ResolvedServer(
                    endpoint.name,
                    addresses[0],
                    endpoint.ports[mirrors.SERVED],
                    server.weight,
                    server.backup,
                    server.maxconn,
                    endpoint.name,
                    server.minconn,
                    server.maxqueue,
                    server.state,
                )

    def _of_group(self, server: GroupServers, path: Path) -> Iterator[ResolvedServer]:
        group = server.machines
        if group not in self._groups():
            if not self.draft.is_broken("machines", group):
                self.draft.problems.add(
                    (*path, "machines"),
                    "a group of machines",
                    found=group,
                    remedy=near(group, self._groups()),
                )
            return
        endpoints = self.draft.book.endpoints(f"machines.{group}") or ()
        if not endpoints or not self.members:
            return
        network = self._network(server, f"machines.{group}", endpoints[0], path)
        if network is None:
            return
        for endpoint in endpoints:
            addresses = endpoint.addresses.get(network, ())
            if not addresses:  # said where the addresses are given out
                continue
            self.needed |= self._keys(endpoint)
            yield ResolvedServer(
                endpoint.name,
                addresses[0],
                server.port,
                server.weight,
                server.backup,
                server.maxconn,
                endpoint.name,
                server.minconn,
                server.maxqueue,
                server.state,
            )

    def _network(
        self, server: GroupServers | MirrorServers, reference: str, first: Endpoint, path: Path
    ) -> str | None:
        theirs = list(first.addresses)
        if server.network is not None:
            if server.network in theirs:
                return server.network
            self.draft.problems.add(
                (*path, "network"),
                f"a network of {reference}",
                found=server.network,
                remedy=near(server.network, theirs),
            )
            return None
        shared = [name for name in theirs if all(name in member.addresses for member in self.members)]
        if shared:
            return shared[0]
        ours = ", ".join(self.members[0].addresses) or "none"
        self.draft.problems.add(
            (*path, "machines" if isinstance(server, GroupServers) else "mirror"),
            f"a network that machines.{self.spec.machines} and {reference} share",
            found=f"machines.{self.spec.machines} is on {ours}; {reference} on {', '.join(theirs) or 'none'}",
            remedy="put both on one network, or write `network:` where a route leads there",
        )
        return None

    def _keys(self, endpoint: Endpoint) -> frozenset[Key]:
        machines = self.draft.resolved.get("machine")
        services = (
            machines.by_name[endpoint.name].services
            if isinstance(machines, Machines) and endpoint.name in machines.by_name
            else ()
        )
        return endpoint.keys | {Key("service", f"{endpoint.name}/{service.name}") for service in services}


def _refers(server: OneServer) -> Iterator[tuple[str, str]]:
    """Section and name of what its servers are made of."""
    if isinstance(server, GroupServers):
        yield "machines", server.machines
    elif isinstance(server, MirrorServers):
        yield "mirrors", server.mirror
