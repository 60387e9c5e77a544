"""What the HAProxys of one load balancer say of themselves now. Reads only; one connection each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.haproxy.instance import Instance
from lbkit.haproxy.plan import config_text
from lbkit.haproxy.resolved import ResolvedLoadBalancer
from lbkit.haproxy.runtime import Info, Row
from lbkit.haproxy.transition import Running, Step, Transition, transition
from lbkit.machine.handle import machine


@dataclass(frozen=True, slots=True)
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
        return self.way.step is Step.NOTHING

    def row(self, backend: str, server: str) -> Row | None:
        return next((row for row in self.rows if (row.proxy, row.server) == (backend, server)), None)

    @property
    def servers(self) -> list[Row]:
        return [row for row in self.rows if row.is_server]


def see(balancer: ResolvedLoadBalancer, scope: Scope, host: Host) -> Iterator[Seen]:
    for member in balancer.members:
        instance = Instance(machine(scope, host, member), balancer.name)
        wanted = config_text(balancer, member, scope.name, host)
        text = instance.config()
        alive = instance.service in instance.machine.running()
        info, rows = _ask(instance) if alive else (None, ())
        running = Running(text, alive, info is not None, info.digest if info else None)
        yield Seen(instance, transition(running, wanted), info, rows)


def _ask(instance: Instance) -> tuple[Info | None, tuple[Row, ...]]:
    try:
        with instance.runtime(timeout=2.0) as runtime:
            return runtime.info(), tuple(runtime.stat())
    except Failure:
        return None, ()
