"""The master process's socket: which workers there are, and a reload that is known to have worked or not.

Up to 2.6 `reload` says nothing: the master executes itself anew, refuses connections meanwhile, and counts in
`show proc` what failed since the last reload that worked. Since 2.7 it answers after the new worker was made:
"Success=1" or 0, and what was said at the start below a line of "--" (management guide, 9.4). On both a worker
may answer before its master does.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lbkit.base.clock import Clock
from lbkit.base.errors import Failure
from lbkit.haproxy.runtime.command import Command
from lbkit.haproxy.runtime.failure import RuntimeFailure
from lbkit.haproxy.runtime.info import Info
from lbkit.haproxy.waiting import wait_for

_READ = 1 << 18
_LARGEST = 16 << 20
_RELOAD = Command("reload")
_SHOW_PROC = Command("show proc")

_ALERT = re.compile(r"\[ALERT\]\s+\(\d+\) : (?:config : )?(.*)")
_FORMULA = (
    "Error(s) found in configuration file",
    "Fatal errors found in configuration",
    "[haproxy.main()] Some protocols failed to start",
)


@dataclass(frozen=True, slots=True)
class Workers:
    """What the master process says: reloads that worked, reloads that failed, its workers by pid, old ones apart."""

    reloads: int
    failed: int
    current: tuple[int, ...]
    old: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reload:
    """`worker`: the pid of the new worker, which answers and is its master's; None: there is none.

    `words`: HAProxy's alarms, where the master told them itself (2.7 and later); else they stand in its log.
    """

    worker: Info | None
    words: str = ""


class Master:
    """The master process of one HAProxy. `connect` makes a new connection to its socket, or raises a Failure."""

    def __init__(self, connect: Callable[[], socket.socket], *, where: str = "") -> None:
        self._connect = connect
        self._where = where

    def ask(self, command: str) -> str:
        return ask_master(self._connect(), command, where=self._where)

    def workers(self) -> Workers | None:
        """None while the master does not answer."""
        try:
            found = parse_proc(self.ask(_SHOW_PROC.line))
        except Failure:
            return None
        return found if found.current or found.old else None

    def reload(
        self, known: Workers, before: int, answer: Callable[[], Info | None], clock: Clock, within: float
    ) -> Reload:
        """Load the configuration anew, and wait until it serves or has failed: `within` seconds.

        `known` is what `workers` said just before; `before` the pid of the worker then. `answer` asks the runtime
        socket for the worker that serves, None while none does or it is not the one wanted.
        """
        link = self._connect()
        try:
            said = ask_master(link, _RELOAD.line, where=self._where)
        except (
            RuntimeFailure
        ):  # cut off as it executed itself, or longer than the connection's patience: watch
            said = ""
        if said.startswith("Success=0"):
            return Reload(None, alerts(said.partition("\n--\n")[2].splitlines()))

        def served() -> Reload | None:
            workers = self.workers()
            if workers is None:
                return None
            if workers.failed > known.failed:
                return Reload(None)
            info = answer()
            new = info is not None and info.pid != before and info.pid in workers.current
            return Reload(info) if new else None

        return wait_for(clock, within, served) or Reload(None)


def ask_master(connection: socket.socket, command: str, *, where: str = "") -> str:
    """One command to the master socket, which answers after half-close alone. Closes the connection."""
    wire = Command(command).wire
    try:
        with connection:
            connection.sendall(wire)
            connection.shutdown(socket.SHUT_WR)
            reply = bytearray()
            while data := connection.recv(_READ):
                reply += data
                if len(reply) > _LARGEST:
                    raise RuntimeFailure(command, f"more than {_LARGEST} bytes", where)
    except OSError as error:
        raise RuntimeFailure(command, str(error) or type(error).__name__, where) from error
    return reply.decode(errors="replace")


def parse_proc(text: str) -> Workers:
    """The reply to `show proc` (management guide, 9.4)."""
    reloads = failed = 0
    current: list[int] = []
    old: list[int] = []
    into = current
    for line in text.splitlines():
        if line.startswith("# old workers"):
            into = old
        words = line.split()
        if len(words) < 3 or not words[0].isdigit():
            continue
        if words[1] == "master":
            reloads = int(words[2])
            failed = int(line.partition("[failed:")[2].partition("]")[0] or 0)
        elif words[1] == "worker":
            into.append(int(words[0]))
    return Workers(reloads, failed, tuple(current), tuple(old))


def alerts(lines: Sequence[str]) -> str:
    """What HAProxy was alarmed about, without the formulas around it."""
    found = [match[1].strip() for line in lines if (match := _ALERT.search(line))]
    said = [words for words in found if not words.startswith(_FORMULA)]
    return "; ".join(dict.fromkeys(said or found))
