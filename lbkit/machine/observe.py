"""Services as they are: what was started in each machine, whether it lives, and its files. Reads only."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from lbkit.base.host import Host
from lbkit.engine.again import looked
from lbkit.engine.resource import Actual, Key
from lbkit.engine.scope import Scope
from lbkit.machine.contract import Machine, Process
from lbkit.machine.handle import drivers
from lbkit.machine.plan import file_found, service_key, service_of
from lbkit.machine.resolved import Machines
from lbkit.machine.trust import distrust, looking


def observe(scope: Scope, host: Host) -> Iterable[Actual]:
    return looked(lambda: list(_observed(scope, host)))


def _observed(scope: Scope, host: Host) -> Iterable[Actual]:
    yield from _machines(scope, host)
    for driver in drivers(scope, host):
        for member, processes in driver.processes(scope, host).items():
            machine = driver.machine(scope, host, member)
            for process in processes.values():
                key = service_key(member, process.name)
                if process.kind == "service":
                    with looking(scope, host, member):
                        service = _service(scope, key, machine, process)
                    yield service
                elif service_of(scope, key) is not None:
                    distrust(scope, host, member, f"it runs {process.name}, and not as a service")
                    # another room runs something under this name: the engine names it, and stops
                    yield Actual(key, {"kind": process.kind}, None)


def _machines(scope: Scope, host: Host) -> Iterable[Actual]:
    """Of a machine that changes its driver, what stands of the other one: it is to go first."""
    declared = scope.of("machine", Machines).by_name
    found: dict[Key, Actual] = {}
    for driver in drivers(scope, host):
        for have in driver.observe(scope, host):
            wanted = declared.get(have.key.name)
            if have.key not in found or wanted is None or have.state["driver"] != wanted.driver:
                found[have.key] = have
    return found.values()


def list_path(machine: Machine, service: str) -> PurePosixPath:
    """Where the names of the files that lbkit put are kept: beside the service's own folder."""
    return machine.folder(service).with_name(f"{service}.files.json")


def listed_files(machine: Machine, service: str) -> list[str]:
    """The files that lbkit put. None of those of which the service is the owner (`once`)."""
    content = machine.fetch(list_path(machine, service))
    try:
        names = json.loads(content or b"[]")
    except ValueError:
        return []
    if not isinstance(names, list):
        return []
    return [name for name in names if isinstance(name, str) and _is_below(name)]


def _is_below(name: str) -> bool:
    return bool(name) and not any(part in {"", ".", ".."} for part in name.split("/"))


def _service(scope: Scope, key: Key, machine: Machine, process: Process) -> Actual:
    declared = service_of(scope, key)
    files = declared.files if declared else {}
    paths = sorted({*files, *listed_files(machine, process.name)})
    found = machine.files(process.name, paths)
    program = process.program
    state: dict[str, Any] = {
        "command": list(program.argv) if program else None,
        "environment": dict(program.environment) if program else None,
        "user": program.user if program else None,
        "files": {path: file_found(found[path], files.get(path)) for path in paths if path in found},
        "running": not process.trouble,
        "digest": program.digest if program else "",
    }
    if process.trouble:
        state |= {"trouble": process.trouble, "log": list(machine.log(process.name, lines=3))}
    else:
        state |= {"pid": process.pid, "since": process.started}
    on = Key("machine", machine.name)
    return Actual(key, state, scope.name, requires=frozenset({on}), within=on)
