"""What the HAProxys of one load balancer say of themselves now. Reads only; one connection each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.haproxy.instance import Instance
from lbkit.haproxy.looking import look
from lbkit.haproxy.observe import keeps
from lbkit.haproxy.resolved import LoadBalancers, ResolvedLoadBalancer
from lbkit.haproxy.runtime import Info, Row
from lbkit.haproxy.transition.planner import Transition, Way, transition
from lbkit.haproxy.wanted import wanted_on
from lbkit.machine.handle import machine


@dataclass(frozen=True)
class Seen:
    """One HAProxy. `info` None: it does not answer, and there are no rows. `way`: what an apply would do."""

    instance: Instance
    way: Transition
    info: Info | None
    rows: tuple[Row, ...] = ()

    @property
    def member(self) -> str:
        return self.instance.machine.name

    @property
    def as_declared(self) -> bool:
        return self.way.way is Way.NOTHING

    def row(self, backend: str, server: str) -> Row | None:
        return self._by_name.get((backend, server))

    @cached_property
    def _by_name(self) -> Mapping[tuple[str, str], Row]:
        return {(row.proxy, row.server): row for row in self.rows}

    @property
    def servers(self) -> list[Row]:
        return [row for row in self.rows if row.is_server]


def see(balancer: ResolvedLoadBalancer, scope: Scope, host: Host) -> Iterator[Seen]:
    for member in balancer.members:
        instance = Instance(machine(scope, host, member), balancer.name)
        wanted = wanted_on(balancer, member, scope, host)
        running = look(instance, host.clock, by_hand=keeps(scope, balancer.name))
        info, rows = _ask(instance) if running.answers else (None, ())
        yield Seen(instance, transition(running, wanted), info, rows)


def by_hand(scope: Scope, host: Host) -> Iterator[str]:
    """What somebody set at a runtime socket and stays, as `by_hand: keep` declares."""
    for balancer in scope.of("haproxy", LoadBalancers).by_name.values():
        if balancer.by_hand == "keep":
            for seen in see(balancer, scope, host):
                yield from (f"{seen.member}: {words}, and stays so" for words in seen.way.kept)


def _ask(instance: Instance) -> tuple[Info | None, tuple[Row, ...]]:
    try:
        with instance.runtime(timeout=2.0) as runtime:
            return runtime.info(), tuple(runtime.stat())
    except Failure:
        return None, ()
