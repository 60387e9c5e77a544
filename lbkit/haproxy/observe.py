"""What stands of load balancers: each HAProxy's file and what its process has loaded, each keepalived's too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lbkit.base.host import Host
from lbkit.engine.resource import Actual, Key
from lbkit.engine.scope import Scope
from lbkit.haproxy.instance import KIND, Instance, key_of, processes
from lbkit.haproxy.looking import ActualHaproxy, look, state_of
from lbkit.haproxy.resolved import LoadBalancers, program_name
from lbkit.haproxy.transition.written import bound_ports, server_names
from lbkit.haproxy.vip import observe as vip_observe
from lbkit.machine.contract import Process
from lbkit.machine.trust import looking

Processes = Mapping[str, Mapping[str, Process]]


def observe(scope: Scope, host: Host) -> Iterator[Actual]:
    started = processes(scope, host)
    for key in sorted(_keys(scope, started)):
        instance = Instance.of(key, scope, host)
        process = started.get(instance.machine.name, {}).get(instance.service)
        with looking(scope, host, instance.machine.name):
            running = look(
                instance,
                host.clock,
                alive=process is not None and not process.trouble,
                command=process.program.digest if process is not None and process.program is not None else "",
                by_hand=keeps(scope, instance.balancer),
            )
        if running.text is None and process is None:
            continue
        yield ActualHaproxy(
            key,
            state_of(running),
            scope.name,  # by its place: the folder is the topology's own
            requires=frozenset({Key("machine", instance.machine.name)}),
            claims=claims(instance.machine.name, running.text or ""),
            within=Key("machine", instance.machine.name),
            any_of=frozenset(_behind(server_names(running.text or ""), started)),
            running=running,
        )
    yield from vip_observe.observe(scope, host, started)


def keeps(scope: Scope, balancer: str) -> bool:
    """Whether what somebody set by hand at its runtime socket is to stay."""
    declared = scope.of("haproxy", LoadBalancers).by_name.get(balancer)
    return declared is not None and declared.by_hand == "keep"


def claims(member: str, text: str) -> frozenset[str]:
    """Ports change hands between load balancers of a machine in order: one by number, whatever its addresses."""
    return frozenset(f"port {member} {port}" for port in bound_ports(text))


def _keys(scope: Scope, started: Processes) -> set[Key]:
    declared = {
        key_of(KIND, member, balancer.name)
        for balancer in scope.of("haproxy", LoadBalancers).by_name.values()
        for member in balancer.members
    }
    prefix = program_name("")
    return declared | {
        key_of(KIND, member, name.removeprefix(prefix))
        for member, services in started.items()
        for name, process in services.items()
        if process.kind == KIND and name.startswith(prefix)
    }


def _behind(servers: Iterable[str], started: Processes) -> Iterator[Key]:
    """The machines and services that it sends traffic to, so that they go after it has let go.

    A server that is a machine is named as the machine. A name that no machine has does no harm.
    """
    for server in servers:
        yield Key("machine", server)
        for name, process in started.get(server, {}).items():
            if process.kind == "service":
                yield Key("service", f"{server}/{name}")
