"""Before a machine may get the virtual address: see that its HAProxy has somebody to send requests to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lbkit.base.errors import LbkitError
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.haproxy.instance import Instance, machines_of
from lbkit.haproxy.live import in_use
from lbkit.haproxy.resolved import ResolvedLoadBalancer
from lbkit.haproxy.runtime import ServerState
from lbkit.haproxy.transition.server import Server
from lbkit.haproxy.vip.observe import first_holder
from lbkit.haproxy.waiting import wait_for
from lbkit.haproxy.wanted import wanted_on
from lbkit.health.spec import HealthCheck
from lbkit.machine.contract import Machine

MOST = 30.0  # seconds, whatever the checks need


def wait_until_serving(on: Machine, balancer: ResolvedLoadBalancer, scope: Scope, host: Host) -> str:
    """What a person should know of it, or "".

    One that has just come onto its networks has had no check pass there. Only where another machine has the address,
    which could lose it to this one: where nobody has it, it is better anywhere than nowhere.
    """
    instance = Instance(on, balancer.name)
    wanted = wanted_on(balancer, on.name, scope, host).servers
    checks = {
        each.name: each.health_check
        for each in balancer.backends
        if each.health_check is not None and each.stands_in_for is None
    }

    def lacking() -> list[str]:
        try:
            with instance.runtime() as runtime:
                empty = set(without_servers(runtime.servers(), wanted))
        except (
            LbkitError
        ):  # then keepalived is told that HAProxy does not answer, and does without the address
            return []
        return [name for name in checks if empty.issuperset(balancer.everywhere(name))]

    missing = lacking()
    if not missing or not _another_holds(on, balancer, scope, host):
        return ""
    seconds = min(MOST, max(up_within(checks[name]) for name in missing))
    if wait_for(host.clock, seconds, lambda: None if lacking() else True, every=0.05) is not None:
        return ""
    return (
        f"no server of {', '.join(lacking())} is up there after {seconds:g} s, and yet it may get the address"
    )


def without_servers(servers: Iterable[ServerState], wanted: Mapping[str, str]) -> list[str]:
    """Backends that are to have servers in use, and have none."""
    serving = {each.backend for each in servers if in_use(each)}
    return [name for name in dict.fromkeys(_to_serve(wanted)) if name not in serving]


def up_within(check: HealthCheck) -> float:
    """Seconds in which checks bring a server up that answers: the one that is under way may still fail."""
    interval = max(filter(None, (check.interval, check.interval_changing, check.interval_down)))
    return (check.rise + 1) * interval + check.timeout


def _to_serve(wanted: Mapping[str, str]) -> Iterator[str]:
    for name, text in wanted.items():
        server = Server.parse(text)
        if server.admin == "ready" and server.weight != 0:
            yield name.partition("/")[0]


def _another_holds(on: Machine, balancer: ResolvedLoadBalancer, scope: Scope, host: Host) -> bool:
    vip = balancer.vip
    if vip is None:
        return False
    others = [member for member in balancer.members if member != on.name]
    try:
        return first_holder(machines_of(others, scope, host), vip) is not None
    except LbkitError:  # who knows
        return True
