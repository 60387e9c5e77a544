"""Where a request is dialled from: where a client of the target would be."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.plan import Plan
from lbkit.engine.promise import Promise
from lbkit.engine.resource import Key
from lbkit.engine.scope import Scope
from lbkit.machine.handle import machine
from lbkit.machine.resolved import Machines
from lbkit.network.namespace import NamespaceFailure
from lbkit.network.resolve import Networks

Dial = Callable[[str, int, float], socket.socket]
"""Address, port, seconds: a connected TCP socket. Failure or OSError where there is none."""


class NobodyThere(Exception):
    """The place itself is gone, for now: that says nothing of the target."""


@dataclass(frozen=True, slots=True)
class Place:
    name: str
    dial: Dial
    apart: bool = True  # not the machine that answers


def place_of(promise: Promise, scope: Scope, host: Host, plan: Plan) -> Place:
    """The host, where it has an address on the network; else a machine there that the plan does not touch, and
    that does not answer itself if there is one.
    """
    if promise.network is not None and _has_host(promise, scope):
        return Place("the host", from_host)
    member = member_for(promise, scope, plan)

    def dial(address: str, port: int, timeout: float) -> socket.socket:
        try:
            return machine(scope, host, member).dial(address, port, timeout=timeout)
        except NamespaceFailure as error:
            raise NobodyThere(str(error)) from error

    return Place(f"machine {member}", dial, apart=member not in promise.machines)


def from_host(address: str, port: int, timeout: float) -> socket.socket:
    return socket.create_connection((address, port), timeout)


def member_for(promise: Promise, scope: Scope, plan: Plan) -> str:
    """The best machine to ask from; pure."""
    machines = scope.of("machine", Machines).by_name
    able = [
        name
        for name, each in machines.items()
        if name in promise.machines
        or any(
            link.network == promise.network
            and any(address.version == promise.address.version for address in link.addresses)
            for link in each.interfaces
        )
    ]
    if promise.network is None:
        able = [name for name in able if name in promise.machines]
    if not able:
        raise Failure(
            f"{promise} was to be asked as a client does",
            found=f"no machine stands on network {promise.network}, and the host has no address there",
            remedy="give the network a gateway, or a machine",
        )
    touched = {change.key for change in plan.changes}
    order = list(able)
    return min(
        able, key=lambda name: (Key("machine", name) in touched, name in promise.machines, order.index(name))
    )


def _has_host(promise: Promise, scope: Scope) -> bool:
    network = scope.of("network", Networks).by_name.get(promise.network or "")
    return network is not None and any(
        gateway.version == promise.address.version for gateway in network.gateways
    )
