"""The record of a process, `SERVICE.process.json`: who it is, and what it was started from.

Written by the process itself before it executes its program (shim.py). Readable by lbkit's user alone, as
/proc/PID/environ is: it holds the environment.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lbkit.base.clock import Clock
from lbkit.base.files import FileFailure, read
from lbkit.base.host import Host
from lbkit.machine.contract import NEVER_STARTED, Process, Program
from lbkit.machine.local import folder
from lbkit.machine.local.network import NetworkIdentity
from lbkit.machine.local.place import Place, machines_folder
from lbkit.machine.local.proc import boot_id, network_of, read_stat, service_mark


@dataclass(frozen=True, slots=True)
class Record:
    pid: int
    start_time: int
    boot: str
    started: str
    program: Program


def facts(program: Program, clock: Clock) -> str:
    """The inside of the record's JSON object but for pid and start time, which the process itself knows."""
    data = {"boot": boot_id(), "started": clock.now().isoformat(timespec="seconds")}
    return json.dumps(data | _as_data(program))[1:-1]


def _as_data(program: Program) -> dict[str, Any]:
    return {
        "name": program.name,
        "kind": program.kind,
        "argv": list(program.argv),
        "environment": dict(program.environment),
        "user": program.user,
        "digest": program.digest,
        "stop_timeout": program.stop_timeout,
        "drain": program.drain,
        "drain_timeout": program.drain_timeout,
    }


def read_record(place: Place) -> Record | None:
    """None where there is none, or none that can be understood."""
    content = read(place.record)
    if content is None:
        return None
    try:
        return _parse(json.loads(content), place.service)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def rewrite_digest(place: Place, record: Record, digest: str) -> None:
    program = replace(record.program, digest=digest)
    who = {"pid": record.pid, "start_time": record.start_time, "boot": record.boot, "started": record.started}
    content = json.dumps(who | _as_data(program)).encode()
    folder.write(place.machine_folder, [place.record.name], content, mode=0o600)


def forget(place: Place) -> None:
    try:
        place.record.unlink(missing_ok=True)
    except OSError as error:
        raise FileFailure("removed", place.record, error) from error


def trouble(place: Place, record: Record, network: NetworkIdentity) -> str:
    """Why the recorded process does not run as the machine's service; "" where it does."""
    if record.boot != boot_id():
        return "the host was booted since it started"
    if not alive(place, record, network):
        return "it died"
    if network is None:
        return "its machine's namespace is gone"
    return "" if _inside(record, network) else "it runs in another network namespace than its machine's"


def alive(place: Place, record: Record, network: NetworkIdentity) -> bool:
    """Whether the recorded process lives, wherever.

    Pid and start time name it; beyond that it must be in the machine's network or bear the service's mark,
    so that a record that somebody wrote by hand names no foreign process.
    """
    stat = read_stat(record.pid)
    if record.boot != boot_id() or stat is None or stat.dead or stat.start_time != record.start_time:
        return False
    return _inside(record, network) or service_mark(record.pid) == place.mark


def _inside(record: Record, network: NetworkIdentity) -> bool:
    seen = network_of(record.pid)
    return seen is None or seen == network  # None: not to be seen by this user, who may ask all the same


def processes(
    host: Host, topology: str, networks: Mapping[str, NetworkIdentity], member: str | None = None
) -> dict[str, dict[str, Process]]:
    """Everything recorded below the topology's folder, by member and program; `networks` by member."""
    root = machines_folder(host, topology)
    members = sorted(names_in(root)) if member is None else [member]
    found: dict[str, dict[str, Process]] = {}
    for name in members:
        services: dict[str, Process] = {}
        entries = names_in(root / name)
        for service in sorted({entry.partition(".")[0] for entry in entries}):
            # the list of files is written by the machine room alone
            kind = "service" if f"{service}.files.json" in entries else ""
            if f"{service}.process.json" in entries:
                place = Place.of(host, topology, name, service)
                services[service] = _process(place, kind, networks.get(name))
            elif kind:
                services[service] = Process(service, kind, None, trouble=NEVER_STARTED)
        if services:
            found[name] = services
    return found


def _process(place: Place, kind: str, network: NetworkIdentity) -> Process:
    record = read_record(place)
    if record is None:
        return Process(place.service, kind, None, trouble="its record cannot be read")
    return Process(
        place.service,
        record.program.kind,
        record.program,
        record.pid,
        record.start_time,
        record.started,
        trouble(place, record, network),
    )


def names_in(path: Path) -> list[str]:
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise FileFailure("read", path, error) from error


def _parse(data: dict[str, Any], name: str) -> Record:
    program = Program(
        name=name,
        argv=tuple(str(word) for word in data["argv"]),
        environment={str(key): str(value) for key, value in data["environment"].items()},
        user=None if data["user"] is None else str(data["user"]),
        digest=str(data["digest"]),
        kind=str(data["kind"]),
        stop_timeout=float(data["stop_timeout"]),
        # earlier lbkits wrote none of these
        drain=None if data.get("drain") is None else str(data["drain"]),
        drain_timeout=float(data.get("drain_timeout", 0.0)),
    )
    pid = int(data["pid"])
    if pid <= 0:
        raise ValueError(pid)
    return Record(pid, int(data["start_time"]), str(data["boot"]), str(data["started"]), program)
