"""What machines take and give, as JSON, the same at both ends. What came from a guest may be anything: KeyError, TypeError
and ValueError say that it is not what it should be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Any

from lbkit.base.run import Completed
from lbkit.health.outcome import Outcome
from lbkit.machine.contract import Process, Program, Running
from lbkit.network.netlink.lookup import NeighbourState
from lbkit.network.path import LinkState, Path

Data = dict[str, Any]

_NAME = re.compile(
    r"[a-z0-9][a-z0-9-]{0,127}\Z", re.ASCII
)  # as in local/place.py, which is asked of what is sent


def program_data(program: Program) -> Data:
    return {
        "name": program.name,
        "argv": list(program.argv),
        "environment": dict(program.environment),
        "user": program.user,
        "digest": program.digest,
        "kind": program.kind,
        "stop_timeout": program.stop_timeout,
        "drain": program.drain,
        "drain_timeout": program.drain_timeout,
    }


def program_of(data: Data) -> Program:
    user, drain = data["user"], data["drain"]
    return Program(
        str(data["name"]),
        tuple(map(str, data["argv"])),
        {str(name): str(value) for name, value in data["environment"].items()},
        None if user is None else str(user),
        str(data["digest"]),
        str(data["kind"]),
        float(data["stop_timeout"]),
        None if drain is None else str(drain),
        float(data["drain_timeout"]),
    )


def running_data(running: Running) -> list[Any]:
    return [running.name, running.pid, running.start_time, running.digest, running.kind]


def running_of(data: list[Any]) -> Running:
    name, pid, start_time, digest, kind = data
    return Running(_service_name(name), int(pid), int(start_time), str(digest), str(kind))


def process_data(process: Process) -> Data:
    return {
        "name": process.name,
        "kind": process.kind,
        "program": None if process.program is None else program_data(process.program),
        "pid": process.pid,
        "start_time": process.start_time,
        "started": process.started,
        "trouble": process.trouble,
    }


def process_of(data: Data) -> Process:
    program = data["program"]
    return Process(
        _service_name(data["name"]),
        str(data["kind"]),
        None if program is None else program_of(program),
        int(data["pid"]),
        int(data["start_time"]),
        str(data["started"]),
        str(data["trouble"]),
    )


def completed_data(done: Completed) -> tuple[Data, bytes]:
    """Its output is the payload: first stdout, of which the length is told, then stderr."""
    stdout, stderr = done.stdout.encode(), done.stderr.encode()
    return {"argv": list(done.argv), "returncode": done.returncode, "stdout": len(stdout)}, stdout + stderr


def completed_of(data: Data, payload: bytes) -> Completed:
    length = int(data["stdout"])
    stdout, stderr = payload[:length].decode(errors="replace"), payload[length:].decode(errors="replace")
    return Completed(tuple(map(str, data["argv"])), int(data["returncode"]), stdout, stderr)


def path_data(path: Path) -> Data:
    return {
        "links": {name: [link.up, link.carrier] for name, link in path.links.items()},
        "interface": path.interface,
        "refusal": path.refusal,
        "via": None if path.via is None else str(path.via),
        "source": None if path.source is None else str(path.source),
        "neighbour": None if path.neighbour is None else str(path.neighbour),
        "mac": path.mac,
    }


def path_of(data: Data) -> Path:
    via, source, neighbour = data["via"], data["source"], data["neighbour"]
    return Path(
        {name: LinkState(bool(up), bool(carrier)) for name, (up, carrier) in data["links"].items()},
        str(data["interface"]),
        str(data["refusal"]),
        None if via is None else ip_address(via),
        None if source is None else ip_address(source),
        None if neighbour is None else NeighbourState(neighbour),
        str(data["mac"]),
    )


def outcome_data(outcome: Outcome) -> list[Any]:
    return [outcome.passed, outcome.code, outcome.words, outcome.seconds]


def outcome_of(data: list[Any]) -> Outcome:
    passed, code, words, seconds = data
    return Outcome(bool(passed), str(code), str(words), float(seconds))


def _service_name(found: Any) -> str:
    if not isinstance(found, str) or not _NAME.match(found):
        raise ValueError(f"a program named {str(found)[:100]!r}")
    return found


def joined(contents: Iterable[bytes]) -> tuple[list[int], bytes]:
    """Several contents as one payload, and their lengths."""
    several = list(contents)
    return [len(each) for each in several], b"".join(several)


def parted(lengths: Iterable[int], payload: bytes) -> Iterator[bytes]:
    at = 0
    for length in lengths:
        yield payload[at : at + length]
        at += length
