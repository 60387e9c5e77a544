"""Machines by name, whatever drives them. A new driver is one folder and one line here."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.machine.contract import Driver, Machine
from lbkit.machine.resolved import Machines

DRIVERS = {
    "netns": "lbkit.machine.netns.driver",
}


@cache
def driver(name: str) -> Driver:
    """The module's `DRIVER`, imported when first asked for."""
    found: Driver = import_module(DRIVERS[name]).DRIVER
    return found


def drivers() -> tuple[Driver, ...]:
    return tuple(driver(name) for name in DRIVERS)


def machine(scope: Scope, host: Host, member: str) -> Machine:
    """The machine as declared; where it is declared no longer, by the driver that still has it."""
    declared = scope.of("machine", Machines).by_name.get(member)
    if declared is not None:
        return driver(declared.driver).machine(scope.name, host, member)
    standing = [each for each in drivers() if each.stands(scope.name, host, member)]
    return (standing or drivers())[0].machine(scope.name, host, member)
