"""Topologies of machines alone, made without a document, and the way of one apply with them."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lbkit.base.host import Host
from lbkit.engine.applying import Result, Watcher, carry_out
from lbkit.engine.book import Book
from lbkit.engine.change import Change
from lbkit.engine.journal import Journal
from lbkit.engine.plan import Plan
from lbkit.engine.planning import make_plan
from lbkit.engine.scope import Scope
from lbkit.machine.local.proc import every_stat, service_mark
from lbkit.machine.resolved import Machines, ResolvedFile, ResolvedMachine, ResolvedService
from lbkit.machine.room import ROOM

SLEEP = ("sleep", "1000")
PYTHON = "/usr/bin/python3"


def service(name: str = "app", *command: str, **more: Any) -> ResolvedService:
    return ResolvedService(name, command or SLEEP, **more)


def text(content: str, mode: int = 0o644, *, once: bool = False) -> ResolvedFile:
    return ResolvedFile(content.encode(), mode, once)


def machine(name: str, *services: ResolvedService) -> ResolvedMachine:
    """Without a network: a namespace with loopback alone."""
    return ResolvedMachine(name, name, "netns", (), (), services)


def scope_of(topology: str, *machines: ResolvedMachine) -> Scope:
    resolved = Machines(
        {each.name: each for each in machines}, {each.name: (each.name,) for each in machines}
    )
    return Scope(topology, Path(), "test.yml", {"machine": resolved}, Book())


def plan(scope: Scope, host: Host, *, absent: bool = False) -> Plan:
    return make_plan([ROOM], scope, host, absent=absent)


def apply(scope: Scope, host: Host, *, absent: bool = False, watch: Watcher = lambda _event: None) -> Result:
    journal = Journal(host.folder(scope.name) / "journal.jsonl", host.clock)
    return carry_out(plan(scope, host, absent=absent), [ROOM], scope, host, journal=journal, watch=watch)


def words(changes: Sequence[Change]) -> list[str]:
    return [str(change) for change in changes]


def pids(topology: str) -> dict[str, list[int]]:
    """Every live process that bears a mark of the topology, by member and service."""
    found: dict[str, list[int]] = {}
    for stat in every_stat():
        mark = service_mark(stat.pid)
        if mark.startswith(f"{topology}/"):
            found.setdefault(mark.partition("/")[2], []).append(stat.pid)
    return found


def alive(pid: int) -> bool:
    return any(stat.pid == pid for stat in every_stat())


def left_behind(topology: str, host: Host) -> dict[str, object]:
    """What a destroy must not leave, the journal excepted: all empty."""
    machines = host.folder(topology) / "machines"
    names = os.listdir(host.netns_dir) if host.netns_dir.is_dir() else []
    return {
        "namespaces": [name for name in names if name.startswith(f"{topology}.")],
        "files": sorted(str(path) for path in machines.rglob("*")),
        "processes": pids(topology),
    }


NOTHING = {"namespaces": [], "files": [], "processes": {}}


def kill(pid: int) -> None:
    """SIGKILL to a process that is nobody's child here. Returns when it is gone: on a busy host that is later."""
    descriptor = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        select.select([descriptor], [], [])
    finally:
        os.close(descriptor)


def until(condition: Callable[[], object], what: str, *, within: float = 60.0) -> None:
    """Wait for what another process does; far longer than it takes, but not for ever."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def log_of(host: Host, topology: str, name: str) -> str:
    path = host.folder(topology) / "machines" / name / "log"
    return path.read_text() if path.exists() else ""
