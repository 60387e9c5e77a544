"""Drain one server by hand, or end that, in every HAProxy that runs now. Nothing else of them is changed."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.base.errors import Failure, LbkitError
from lbkit.base.host import Host
from lbkit.engine.applying import together
from lbkit.engine.scope import Scope
from lbkit.engine.view import Finding
from lbkit.haproxy.instance import Instance
from lbkit.haproxy.resolved import LoadBalancers
from lbkit.haproxy.runtime import Runtime
from lbkit.haproxy.runtime.commands.server import set_state
from lbkit.haproxy.runtime.servers_state import Admin
from lbkit.machine.handle import machine


def holdable(scope: Scope) -> Iterator[str]:
    """Servers, as LOAD_BALANCER/BACKEND/SERVER."""
    for balancer in scope.of("haproxy", LoadBalancers).by_name.values():
        for backend, server in balancer.servers:
            yield f"{balancer.name}/{backend.name}/{server.name}"


def enact_hold(scope: Scope, host: Host, path: str) -> list[Finding]:
    """One finding for each member. A member that fails keeps no other from being asked."""
    name, backend, server = path.split("/")
    balancer = scope.of("haproxy", LoadBalancers).by_name[name]
    done: list[Finding] = []
    errors: list[LbkitError] = []
    for member in balancer.members:
        instance = Instance(machine(scope, host, member), name)
        try:
            done.append(_at(instance, backend, server, hold=path in scope.holds))
        except LbkitError as error:
            errors.append(error)
    if errors:
        raise together(errors)
    return done


def _at(instance: Instance, backend: str, server: str, *, hold: bool) -> Finding:
    member = instance.machine.name
    if instance.service not in instance.machine.running():
        later = "the apply that starts it respects the hold" if hold else "nothing to release"
        return Finding(None, f"{member}: HAProxy does not run", later)
    with instance.runtime() as runtime:
        before = admin_state(runtime, backend, server)
        if before is None:
            later = "the apply that adds it respects the hold" if hold else "nothing to release"
            return Finding(None, f"{member}: its HAProxy does not have {server} yet", later)
        if not hold and Admin.FORCED_DRAIN not in before:
            # what else keeps it from traffic is not the hold's: only an apply knows whether its checks have passed
            found = "in maintenance: left to the next apply" if before.maint else "in use already"
            return Finding(None, f"{member}: {server} is {found}")
        command = set_state(backend, server, "drain" if hold else "ready")
        runtime.do(command)  # while drained it was checked on: HAProxy knows whether it is up
        after = admin_state(runtime, backend, server)
        drained = after is not None and Admin.FORCED_DRAIN in after
        if drained is not hold:
            raise Failure(
                f"{server} of {backend} was to be {'drained' if hold else 'in use again'}",
                found=f"after `{command}` its admin state is {after!r}",
                where=instance.where,
                remedy="`lbkit apply` carries it out",
            )
        row = next((each for each in runtime.stat() if (each.proxy, each.server) == (backend, server)), None)
    sessions = row.sessions if row else 0
    if hold:
        left = f"; {sessions} session{'' if sessions == 1 else 's'} of it go on" if sessions else ""
        return Finding(True, f"{member}: {server} is drained{left}", str(command))
    return Finding(
        row is None or row.up, f"{member}: {server} is {row.status if row else 'ready'}", str(command)
    )


def admin_state(runtime: Runtime, backend: str, server: str) -> Admin | None:
    """By whose order a server gets no traffic; None: HAProxy has no such server."""
    key = backend, server
    return next((each.admin for each in runtime.servers() if each.key == key), None)
