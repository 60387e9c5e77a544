r"""HAProxy's Runtime API: one connection in prompt mode, typed answers, errors that name the command.

Prompt mode gives every reply an end ("\n> "), whatever its form (management guide, 9.3). Addresses of servers
and words of checks are data of others: they are taken as text and never as commands.
"""

from __future__ import annotations

import csv
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from lbkit.base.errors import Bug, Failure
from lbkit.haproxy.text.render import digest_in

_PROMPT = b"\n> "
_LARGEST = 256 << 20  # bytes of one reply: 10,000 servers are 5 MB of statistics
_READ = 1 << 18


class RuntimeFailure(Failure):
    """HAProxy would not do a command, or did not answer it; its own words are in `found`."""

    def __init__(self, command: str, found: str, where: str = "") -> None:
        self.command = command
        super().__init__(f"HAProxy was to answer `{command}`", found=found, where=where)


@dataclass(frozen=True, slots=True)
class Info:
    """What a process says of itself. `digest`: of the configuration that it has loaded, where lbkit wrote it."""

    version: str
    pid: int
    uptime: int
    sessions: int
    maxconn: int
    stopping: bool
    description: str

    @property
    def digest(self) -> str | None:
        return digest_in(self.description)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the statistics: a frontend (`server` is FRONTEND), a backend (BACKEND) or a server.

    `changed`: seconds since it last went up or down. `check`: the last check's result by its short name
    (L4TOUT, L7STS), `code` its HTTP status, `words` what it means.
    """

    proxy: str
    server: str
    status: str
    weight: int
    sessions: int
    sessions_total: int
    queue: int
    changed: int
    check: str
    code: str
    words: str
    detail: str
    backup: bool
    address: str

    @property
    def is_server(self) -> bool:
        return self.server not in {"FRONTEND", "BACKEND"}

    @property
    def up(self) -> bool:
        """Whether it may get traffic: "UP", "UP 1/3" while a check fails, "no check". Not DRAIN, MAINT, DOWN, NOLB."""
        return self.status.startswith("UP") or self.status in {"no check", "OPEN"}


class Runtime:
    """A connection to the runtime socket of one HAProxy process. Not for several threads at once."""

    def __init__(self, connection: socket.socket, *, where: str = "") -> None:
        self._connection = connection
        self._where = where
        try:
            self.ask("prompt")
        except RuntimeFailure:
            connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def ask(self, command: str) -> str:
        """The reply to one command, without its end. An unknown command is a RuntimeFailure."""
        _check(command)
        try:
            self._connection.sendall(command.encode() + b"\n")
            reply = self._reply(command)
        except OSError as error:
            raise RuntimeFailure(command, str(error) or type(error).__name__, self._where) from error
        if reply.startswith(("Unknown command", "Permission denied")):
            raise RuntimeFailure(command, reply.splitlines()[0], self._where)
        return reply

    def do(self, command: str) -> None:
        """A command that says nothing where it succeeds."""
        reply = self.ask(command).strip()
        if reply:
            raise RuntimeFailure(command, reply, self._where)

    def info(self) -> Info:
        fields = dict(_pairs(self._expect("show info", "Name: ")))
        try:
            return Info(
                version=fields["Version"],
                pid=int(fields["Pid"]),
                uptime=int(fields["Uptime_sec"]),
                sessions=int(fields["CurrConns"]),
                maxconn=int(fields["Maxconn"]),
                stopping=fields.get("Stopping", "0") != "0",
                description=fields.get("description", ""),
            )
        except (KeyError, ValueError) as error:
            raise RuntimeFailure("show info", f"no field {error}", self._where) from error

    def stat(self) -> list[Row]:
        """All frontends, backends and servers. One command, whatever their number."""
        text = self._expect("show stat", "# pxname,")
        try:
            return list(parse_stat(text))
        except (KeyError, ValueError, IndexError) as error:
            raise RuntimeFailure("show stat", f"a table without {error}", self._where) from error

    def servers_state(self) -> str:
        """The state of all servers, as HAProxy reads it again from its server-state file."""
        return self._expect("show servers state", "1\n#")

    def _expect(self, command: str, start: str) -> str:
        reply = self.ask(command)
        if not reply.startswith(start):
            raise RuntimeFailure(command, reply[:200].strip() or "nothing", self._where)
        return reply

    def _reply(self, command: str) -> str:
        parts = bytearray()
        while not parts.endswith(_PROMPT):
            data = self._connection.recv(_READ)
            if not data:
                raise RuntimeFailure(command, "it closed the connection", self._where)
            parts += data
            if len(parts) > _LARGEST:
                raise RuntimeFailure(command, f"more than {_LARGEST} bytes", self._where)
        return parts[: -len(_PROMPT)].decode(errors="replace")


def parse_stat(text: str) -> Iterator[Row]:
    """Rows of `show stat` (management guide, 9.1). Columns are found by name: versions add to them."""
    lines = iter(text.splitlines())
    names = next(lines).removeprefix("# ").split(",")
    at = {name: index for index, name in enumerate(names)}
    proxy, server, status = at["pxname"], at["svname"], at["status"]
    weight, sessions, total, queue = at["weight"], at["scur"], at["stot"], at["qcur"]
    changed, check, code = at["lastchg"], at["check_status"], at["check_code"]
    words, detail, backup, address = at["check_desc"], at["last_chk"], at["bck"], at["addr"]
    for fields in csv.reader(lines):
        if not fields:
            continue
        yield Row(
            fields[proxy],
            fields[server],
            fields[status],
            int(fields[weight] or 0),
            int(fields[sessions] or 0),
            int(fields[total] or 0),
            int(fields[queue] or 0),
            int(fields[changed] or 0),
            fields[check].removeprefix("* "),
            fields[code],
            fields[words],
            fields[detail],
            fields[backup] == "1" and fields[server] != "BACKEND",
            fields[address],
        )


def state_of(dump: str, kept: frozenset[tuple[str, str]]) -> str:
    """A server-state file from what `show servers state` says, with the lines of `kept` (backend, server) alone.

    HAProxy would take a changed server's old address from its line, and say nothing of it.
    """
    lines = dump.splitlines()
    good = [
        line for line in lines[2:] if len(parts := line.split(" ", 4)) == 5 and (parts[1], parts[3]) in kept
    ]
    return "\n".join([*lines[:2], *good]) + "\n"


EMPTY_STATE = "1\n"


@dataclass(frozen=True, slots=True)
class Workers:
    """What the master process says: reloads that worked, reloads that failed, its workers by pid, old ones apart."""

    reloads: int
    failed: int
    current: tuple[int, ...]
    old: tuple[int, ...]


def ask_master(connection: socket.socket, command: str, *, where: str = "") -> str:
    """One command to the master socket, which answers after half-close alone. Closes the connection."""
    _check(command)
    try:
        with connection:
            connection.sendall(command.encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)
            reply = b""
            while data := connection.recv(_READ):
                reply += data
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


def _check(command: str) -> None:
    if not command.isprintable() or ";" in command or "<<" in command:
        raise Bug("a runtime command was to be one line and one command", found=ascii(command))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, colon, value = line.partition(": ")
        if colon:
            yield name, value
