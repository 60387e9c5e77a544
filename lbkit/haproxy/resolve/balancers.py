"""From the section `load_balancers` to load balancers with everything filled in, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field

from lbkit.base.problems import Path, near
from lbkit.engine.book import Endpoint
from lbkit.engine.resource import Key
from lbkit.engine.scope import Draft
from lbkit.haproxy.resolve.backends import Backends
from lbkit.haproxy.resolve.binds import Binds
from lbkit.haproxy.resolve.certificates import authorities_of, certificates_of
from lbkit.haproxy.resolve.handling import misfits
from lbkit.haproxy.resolve.peers import resolve_peers
from lbkit.haproxy.resolve.routes import Routes
from lbkit.haproxy.resolve.tls import Tls
from lbkit.haproxy.resolve.vip import reserve_vip, resolve_vip
from lbkit.haproxy.resolved import (
    LoadBalancers,
    ResolvedFrontend,
    ResolvedLoadBalancer,
    ResolvedMetrics,
    ResolvedVip,
    program_name,
    vip_program_name,
    written_timeouts,
)
from lbkit.haproxy.spec.balancer import LoadBalancer
from lbkit.haproxy.spec.balancer import LoadBalancers as Section
from lbkit.machine.resolved import Machines

MOST_NAME_BYTES = 55  # `haproxy-NAME` is a label: a service of its machine


def reserve(section: Section, draft: Draft) -> None:
    """Claim the virtual addresses, and the router numbers that are written down."""
    for name, balancer in section.root.items():
        if balancer.vip is not None:
            reserve_vip(name, balancer.vip, draft)


def resolve(section: Section, draft: Draft) -> LoadBalancers:
    """The machines must be resolved."""
    binds = Binds(draft)
    by_name = {}
    for name, balancer in section.root.items():
        if len(name) > MOST_NAME_BYTES:
            draft.problems.add(
                ("load_balancers", name),
                f"a name of at most {MOST_NAME_BYTES} bytes",
                found=f"{len(name)} bytes",
            )
        by_name[name] = _LoadBalancer(name, balancer, draft, binds).resolved()
    return LoadBalancers(by_name)


@dataclass(slots=True)
class _LoadBalancer:
    name: str
    spec: LoadBalancer
    draft: Draft
    binds: Binds
    path: Path = field(init=False)

    def __post_init__(self) -> None:
        self.path = ("load_balancers", self.name)

    def resolved(self) -> ResolvedLoadBalancer:
        spec = self.spec
        members = self._members()
        vip = None
        if spec.vip is not None:
            vip = resolve_vip(self.name, spec.vip, members, spec.machines, self.draft)
        tls = Tls(
            self.name,
            spec,
            self.draft,
            certificates_of(self.name, spec, self.draft),
            authorities_of(self.name, spec, self.draft),
        )
        frontends = self._frontends(members, vip, tls)
        backends = Backends(self.name, spec, members, self.draft, tls)
        found = backends.resolved()
        peers = metrics = None
        if spec.peers is not None:
            peers = resolve_peers(self.name, spec.peers, members, self.draft, self.binds)
        if spec.metrics is not None:
            binds = self.binds.at((*self.path, "metrics"), spec.metrics.bind, "http", members, vip, tls)
            metrics = ResolvedMetrics(binds, spec.metrics.path)
        self._enter(members, vip)
        return ResolvedLoadBalancer(
            name=self.name,
            members=tuple(member.name for member in members),
            ipv6=any(
                address.version == 6
                for member in members
                for addresses in member.addresses.values()
                for address in addresses
            ),
            vip=vip,
            frontends=frontends,
            backends=found,
            timeouts=spec.timeouts,
            maxconn=spec.maxconn,
            log_level=spec.log_level,
            hard_stop_after=spec.hard_stop_after,
            requires=backends.requires,
            certificates=tls.certificates,
            authorities=tls.authorities,
            process=spec,
            peers=peers,
            metrics=metrics,
        )

    def _members(self) -> tuple[Endpoint, ...]:
        """The machines that HAProxy runs on; none where they are not known or broken, which is said."""
        draft, group = self.draft, self.spec.machines
        place = (*self.path, "machines")
        machines = draft.resolved.get("machine")
        if not isinstance(machines, Machines) or group not in machines.groups:
            if not draft.is_broken("machines", group):
                known = machines.groups if isinstance(machines, Machines) else ()
                draft.problems.add(place, "a group of machines", found=group, remedy=near(group, known))
            return ()
        members = draft.book.endpoints(f"machines.{group}") or ()
        if not members:
            draft.problems.add(
                place, "at least one machine to run HAProxy on", found=f"machines.{group} has count: 0"
            )
        names = {program_name(self.name), vip_program_name(self.name)}
        for service in machines.by_name[members[0].name].services if members else ():
            if service.name in names:
                draft.problems.add(
                    place,
                    f"machines that leave the name {service.name} to this load balancer",
                    found=f"a service of machines.{group} is named so",
                    remedy="rename that service",
                )
        return members

    def _frontends(
        self, members: tuple[Endpoint, ...], vip: ResolvedVip | None, tls: Tls
    ) -> tuple[ResolvedFrontend, ...]:
        found = []
        routes = Routes(self.spec, self.path, self.draft)
        for name, frontend in self.spec.frontends.items():
            path = (*self.path, "frontends", name)
            routes.check(frontend, path)
            for field_, wanted, there in misfits(frontend):
                self.draft.problems.add((*path, field_), wanted, found=there)
            found.append(
                ResolvedFrontend(
                    name=name,
                    mode=frontend.mode,
                    binds=self.binds.resolved(self.name, name, frontend, members, vip, tls),
                    backend=frontend.backend,
                    maxconn=frontend.maxconn,
                    timeouts=written_timeouts(frontend.timeouts),
                    forwarded_for=frontend.forwarded_for and frontend.mode == "http",
                    prove=frontend.prove or None,
                    handling=frontend,
                    log_format=frontend.log_format,
                    keepalive=frontend.keepalive,
                    raw=frontend.raw,
                )
            )
        return tuple(found)

    def _enter(self, members: tuple[Endpoint, ...], vip: ResolvedVip | None) -> None:
        """Let other nouns find it: by its virtual address, or by all its machines where it has none."""
        reference = f"load_balancers.{self.name}"
        if vip is not None:
            keys = frozenset(Key("vip", f"{member.name}/{self.name}") for member in members)
            self.draft.book.entries[reference] = (Endpoint(self.name, {vip.network: vip.addresses}, keys),)
        else:
            self.draft.book.entries[reference] = tuple(
                Endpoint(
                    member.name, member.addresses, frozenset({Key("haproxy", f"{member.name}/{self.name}")})
                )
                for member in members
            )
