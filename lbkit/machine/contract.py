"""What every machine driver gives: the contract that the netns driver and later ones pass the same tests for.

A machine is where services run. Rooms above (haproxy, dns) speak to one only through `Machine`.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Protocol

from lbkit.base.run import Completed


@dataclass(frozen=True, slots=True)
class Program:
    """A long-running program of a machine: foreground, no double fork.

    It starts in its own folder (`Machine.folder(name)`), in a session of its own, with stdout and stderr
    appended to `log` there. `digest` is an opaque word kept with the running process (what it was started from).
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None  # None: as lbkit itself; passed over where ids cannot be switched
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """A live process that lbkit started: `start_time` is field 22 of /proc/PID/stat, in clock ticks since boot."""

    name: str
    pid: int
    start_time: int
    digest: str


class Machine(Protocol):
    """One machine that stands. All calls raise `Failure` with the machine's name in `where`."""

    name: str

    def folder(self, service: str) -> PurePosixPath:
        """The folder of one service inside the machine: its files, sockets and log. Made by `put` and `start`."""
        ...

    def put(self, path: PurePosixPath, content: bytes, *, mode: int = 0o644, user: str | None = None) -> None:
        """Write a whole file, atomically; parents below the machine's own folder are made."""
        ...

    def fetch(self, path: PurePosixPath) -> bytes | None: ...

    def remove(self, service: str) -> None:
        """Remove one service's folder and all in it. The service must not run."""
        ...

    def execute(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        timeout: float = 30.0,
        cwd: PurePosixPath | None = None,
        check: bool = True,
    ) -> Completed:
        """Run a program to its end, inside the machine's network."""
        ...

    def start(self, program: Program) -> Running:
        """Start it, unless it runs already with the same digest. Returns once it is executing."""
        ...

    def stop(self, name: str, *, timeout: float = 10.0) -> None:
        """SIGTERM to the whole session, SIGKILL after `timeout` seconds; returns when all of it is gone. Not running: nothing."""
        ...

    def signal(self, name: str, signal_number: int) -> None: ...

    def running(self) -> Mapping[str, Running]:
        """Every live program that lbkit started here, by name. Dead and zombie ones are not in it."""
        ...

    def connect(self, path: PurePosixPath, *, timeout: float = 5.0) -> socket.socket:
        """A connected unix stream socket of a service in the machine (HAProxy's Runtime API)."""
        ...

    def dial(self, address: str, port: int, *, timeout: float = 5.0) -> socket.socket:
        """A connected TCP socket, dialled from inside the machine's network."""
        ...
