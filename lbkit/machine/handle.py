"""Machines by name, whatever drives them. A new driver is one folder and one line here."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module

from lbkit.base.host import Host
from lbkit.engine.change import Action, Impact, Verdict
from lbkit.engine.resource import Actual, Desired
from lbkit.engine.scope import Scope
from lbkit.machine.contract import Machine
from lbkit.machine.driver import Driver
from lbkit.machine.resolved import Machines

DRIVERS = {
    "netns": "lbkit.machine.netns.driver",
    "libvirt": "lbkit.machine.libvirt.driver",
}
_CONCERNS = {"libvirt": "lbkit.machine.libvirt.concern"}
"""Modules whose `concerns(scope, host)` says whether a driver need be asked at all: its import takes time."""


@cache
def driver(name: str) -> Driver:
    """The module's `DRIVER`, imported when first asked for."""
    found: Driver = import_module(DRIVERS[name]).DRIVER
    return found


def drivers(scope: Scope, host: Host) -> tuple[Driver, ...]:
    """Those that the topology may have machines of."""
    return tuple(driver(name) for name in DRIVERS if _concerns(name, scope, host))


def every_driver() -> tuple[Driver, ...]:
    return tuple(map(driver, DRIVERS))


def _concerns(name: str, scope: Scope, host: Host) -> bool:
    return name not in _CONCERNS or bool(import_module(_CONCERNS[name]).concerns(scope, host))


def judge_machine(want: Desired, have: Actual) -> Verdict | None:
    """Of a machine or its presence."""
    wanted, found = str(want.state["driver"]), str(have.state["driver"])
    if wanted != found:
        return Verdict(Action.REPLACE, Impact.DISRUPTIVE, f"its driver changes from {found} to {wanted}")
    return driver(wanted).judge(want, have)


def machine(scope: Scope, host: Host, member: str) -> Machine:
    return driver(driver_of(scope, host, member)).machine(scope, host, member)


def leaving(scope: Scope, host: Host) -> Iterator[Machine]:
    """Machines that run, and whose place another of the same name takes: what they serve with serves until then."""
    for each in drivers(scope, host):
        yield from each.leaving(scope, host)


def driver_of(scope: Scope, host: Host, member: str) -> str:
    """As declared; of a machine that is declared no longer, the driver that still has it."""
    declared = scope.of("machine", Machines).by_name.get(member)
    if declared is not None:
        return declared.driver
    standing = [
        name for name in DRIVERS if _concerns(name, scope, host) and driver(name).stands(scope, host, member)
    ]
    return next(iter(standing or DRIVERS))
