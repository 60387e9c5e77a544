"""How machines are now, each as one dictionary. Looks, and changes nothing."""

from __future__ import annotations

from typing import Any

from lbkit.base.errors import Mistake
from lbkit.base.host import Host
from lbkit.base.problems import near
from lbkit.engine.scope import Scope
from lbkit.engine.view import Status
from lbkit.machine.resolved import Machines


def machine_states(scope: Scope, names: list[str], host: Host | None = None) -> list[dict[str, Any]]:
    """Of machines, or of a group's, in the order of `names`: `name`, `present`, `health`, `detail` and `facts` as `lbkit status` has them,
    and `services`, by name, with the same. Mistake where one names no machine.
    """
    from lbkit.operate import status  # noqa: PLC0415 - brings every room

    machines = [machine for name in names for machine in _machines(scope, name)]
    rows = status(scope, host, only=["machine", "service"]) if machines else []
    by_name = {(row.key.kind, row.key.name): row for row in rows}
    declared = scope.of("machine", Machines).by_name
    states = []
    for machine in machines:
        services = {
            each.name: _told(by_name["service", f"{machine}/{each.name}"])
            for each in declared[machine].services
        }
        states.append({"name": machine, **_told(by_name["machine", machine]), "services": services})
    return states


def _machines(scope: Scope, name: str) -> list[str]:
    machines = scope.of("machine", Machines)
    if name in machines.by_name:
        return [name]
    members = [each.name for each in machines.by_name.values() if each.group == name]
    if members:
        return members
    known = {*machines.by_name, *(each.group for each in machines.by_name.values())}
    raise Mistake(
        f"the state of machine {name!r} was to be told",
        found="no machine or group of that name",
        where=scope.file,
        remedy=near(name, known),
    )


def _told(row: Status) -> dict[str, Any]:
    data = row.as_data()
    return {part: data[part] for part in ("present", "health", "detail", "facts")}
