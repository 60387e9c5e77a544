"""What every machine gives: the contract that machines of all drivers pass the same tests for.

A machine is where services run. Rooms above (haproxy, dns) speak to one only through `Machine`. It goes into guests,
as all that it imports does: the standard library alone is there.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Protocol

from lbkit.base.run import Completed
from lbkit.engine.book import IPAddress
from lbkit.health.outcome import Outcome, Target
from lbkit.health.question import Question
from lbkit.network.path import Path


@dataclass(frozen=True, slots=True)
class Program:
    """A long-running program of a machine: foreground, no double fork.

    It starts in its own folder (`Machine.folder(name)`), in a session of its own, with stdout and stderr
    appended to `log` there. `digest` is an opaque word kept with the running process (what it was started from).
    `kind` is the engine's kind of whoever starts it ("haproxy"): a room observes its own kinds alone. `name` is
    a label (base.names). Of the caller's environment nothing is passed on; PATH and LANG are set.

    `drain` names a signal ("USR1") at which it takes nothing new, finishes what it has begun, and ends.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None  # None: as lbkit itself; passed over where ids cannot be switched
    digest: str = ""
    kind: str = "service"
    stop_timeout: float = 10.0  # seconds from SIGTERM to SIGKILL
    drain: str | None = None
    drain_timeout: float = 0.0  # seconds from that signal to SIGTERM


@dataclass(frozen=True, slots=True)
class Running:
    """A live process that lbkit started: `start_time` is field 22 of /proc/PID/stat, in clock ticks since boot."""

    name: str
    pid: int
    start_time: int
    digest: str
    kind: str = "service"


NEVER_STARTED = "it was never started"
"""The trouble of a service whose files were put, and whose start is still to come."""


@dataclass(frozen=True, slots=True)
class Process:
    """What was once started in a machine, and what became of it.

    `trouble` says why it does not run ("it died"), and is empty while it runs. `program` is as it was started;
    None where its record cannot be read. `started` is the wall clock's time, ISO 8601.
    """

    name: str
    kind: str
    program: Program | None
    pid: int = 0
    start_time: int = 0
    started: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file of a service's folder. `owner` is None where it is lbkit's own user."""

    content: bytes
    mode: int
    owner: str | None


class Machine(Protocol):
    """One machine that stands. All calls raise `Failure` with the machine's name in `where`."""

    name: str

    def folder(self, service: str) -> PurePosixPath:
        """The folder of one service inside the machine: its files, sockets and log. Made by `put` and `start`."""
        ...

    def put(self, path: PurePosixPath, content: bytes, *, mode: int = 0o644, user: str | None = None) -> None:
        """Write a whole file, atomically; parents below the machine's own folder are made."""
        ...

    def fetch(self, path: PurePosixPath) -> bytes | None:
        """The whole file, or None where there is none."""
        ...

    def files(self, service: str, paths: Iterable[str]) -> Mapping[str, FoundFile]:
        """Those of `paths` (relative to the service's folder) that are there."""
        ...

    def discard(self, path: PurePosixPath) -> None:
        """Remove one file, and the folders that it leaves empty. Not there: nothing."""
        ...

    def remove(self, service: str) -> None:
        """Remove one service's folder and all in it, and its record. The service must not run."""
        ...

    def log(self, service: str, *, lines: int = 5) -> tuple[str, ...]:
        """The last lines of a service's log, without control characters."""
        ...

    def addresses(self, interface: str) -> tuple[IPAddress, ...]:
        """Every address that one of its interfaces has now, whoever put it there. No such interface: none."""
        ...

    def path_to(self, address: IPAddress) -> Path:
        """How packets go from the machine to `address` now. Sends none."""
        ...

    def execute(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        timeout: float = 30.0,
        cwd: PurePosixPath | None = None,
        environment: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> Completed:
        """Run a program to its end, inside the machine's network, as lbkit's own user. PATH and LANG are set."""
        ...

    def rehearse(
        self,
        service: str,
        argv: Sequence[str],
        files: Mapping[str, tuple[bytes, int]],
        *,
        environment: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Completed:
        """As `execute`, in a passing folder that holds just `files` (content and mode, by path) and is removed again.

        Whatever it returns is no error: the caller judges the exit code.
        """
        ...

    def start(self, program: Program) -> Running:
        """Start it, unless it runs already with the same digest; what runs of it otherwise is stopped first.

        Returns once it is executing: a program that is missing or may not be executed is a Failure here.
        """
        ...

    def reloaded(self, name: str, digest: str) -> None:
        """Note that the running program has taken up `digest`: it was reloaded."""
        ...

    def stop(self, name: str, *, timeout: float | None = None) -> None:
        """SIGTERM to the whole session and to strays of it; SIGKILL after `timeout` seconds (None: as the program was
        started with). Returns when all of it is gone. Not running: nothing.
        """
        ...

    def drain(self, name: str, *, within: float | None = None) -> None:
        """Let it finish what it has begun: its own signal for that, at most `drain_timeout` seconds; then as `stop`.

        `within`: seconds for all of that, where they are fewer.
        From its first moment on it counts as started from nothing that is declared: `start` starts it anew.
        """
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

    def probe(
        self,
        question: Question,
        targets: Iterable[Target],
        *,
        within: float | None = None,
        at_once: int | None = None,
    ) -> dict[Target, Outcome]:
        """Ask every target once, from inside the machine's network: see `lbkit.health.probe`."""
        ...
