"""One machine whose programs are processes of the kernel that this Python runs on."""

from __future__ import annotations

import math
import os
import signal
import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from lbkit.base.errors import Bug, Failure, LbkitError
from lbkit.base.host import Host
from lbkit.base.run import Completed
from lbkit.engine.book import IPAddress
from lbkit.health.outcome import Outcome, Target
from lbkit.health.question import Question
from lbkit.machine.contract import FoundFile, Program, Running
from lbkit.machine.local import folder
from lbkit.machine.local.launch import ENVIRONMENT, Ids, launch
from lbkit.machine.local.network import Network, OwnNetwork
from lbkit.machine.local.place import Place, machine_folder
from lbkit.machine.local.record import (
    Record,
    alive,
    forget,
    names_in,
    processes,
    read_record,
    rewrite_digest,
)
from lbkit.machine.local.stop import Identity, send, stop, wait
from lbkit.network import links
from lbkit.network.path import Path, path_to

DRAINING = "draining"
"""The digest of a program that was told to end: that of nothing that is declared."""

_STOP_TIMEOUT = 10.0  # seconds, where no record says how long it may take


class LocalMachine:
    """See `lbkit.machine.contract.Machine`. Cheap to make; holds nothing open. `network` None: lbkit's own."""

    def __init__(self, topology: str, host: Host, member: str, network: Network | None = None) -> None:
        self.name = member
        self._topology = topology
        self._host = host
        self._network = network or OwnNetwork()
        self._root = machine_folder(host, topology, member)

    def folder(self, service: str) -> PurePosixPath:
        return PurePosixPath(self._place(service).folder)

    def put(self, path: PurePosixPath, content: bytes, *, mode: int = 0o644, user: str | None = None) -> None:
        ids = self._ids(user)
        folder.write(self._root, self._parts(path), content, mode=mode, owner=ids[:2] if ids else None)

    def fetch(self, path: PurePosixPath) -> bytes | None:
        found = folder.read(self._root, self._parts(path))
        return None if found is None else found[0]

    def files(self, service: str, paths: Iterable[str]) -> Mapping[str, FoundFile]:
        seen = {}
        for path in paths:
            found = folder.read(self._root, [service, *path.split("/")])
            if found is not None:
                content, status = found
                seen[path] = FoundFile(content, status.st_mode & 0o7777, _user_name(status.st_uid))
        return seen

    def discard(self, path: PurePosixPath) -> None:
        folder.discard(self._root, self._parts(path))

    def remove(self, service: str) -> None:
        place = self._place(service)
        folder.remove_tree(place.folder)
        folder.remove_tree(place.stage)
        for name in names_in(self._root):
            # what lies beside the folder, half-written ones of a killed lbkit too; no service's name has a dot
            if name.startswith((f"{service}.", f".{service}.")):
                folder.discard(self._root, [name])

    def log(self, service: str, *, lines: int = 5) -> tuple[str, ...]:
        return folder.last_lines(self._root, [service, "log"], lines)

    def addresses(self, interface: str) -> tuple[IPAddress, ...]:
        with self._network.entered():
            return links.addresses(interface, where=f"machine {self.name}")

    def path_to(self, address: IPAddress) -> Path:
        with self._network.entered():
            return path_to(address, where=f"machine {self.name}")

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
        with self._network.entered():
            try:
                return self._host.runner.run(
                    argv,
                    stdin=stdin,
                    timeout=timeout,
                    env=ENVIRONMENT | dict(environment or {}),
                    cwd=None if cwd is None else str(cwd),
                    check=check,
                )
            except LbkitError as error:
                error.where = error.where or f"machine {self.name}"
                raise

    def rehearse(
        self,
        service: str,
        argv: Sequence[str],
        files: Mapping[str, tuple[bytes, int]],
        *,
        environment: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Completed:
        place = self._place(service)
        folder.remove_tree(place.stage)  # a killed rehearsal's
        try:
            folder.make(self._root, place.stage.name, None)
            for path, (content, mode) in files.items():
                folder.write(self._root, [place.stage.name, *path.split("/")], content, mode=mode)
            return self.execute(
                argv, timeout=timeout, cwd=PurePosixPath(place.stage), environment=environment, check=False
            )
        finally:
            folder.remove_tree(place.stage)

    def start(self, program: Program) -> Running:
        place = self._place(program.name)
        running = self.running().get(program.name)
        if running is not None and running.digest == program.digest:
            return running
        self._stop(place, program.stop_timeout)
        ids = self._ids(program.user)
        folder.make(self._root, program.name, ids[:2] if ids else None)
        return launch(place, program, self._network, self._host.clock, ids)

    def reloaded(self, name: str, digest: str) -> None:
        place = self._place(name)
        rewrite_digest(place, self._record(place), digest)

    def stop(self, name: str, *, timeout: float | None = None) -> None:
        place = self._place(name)
        if timeout is None:
            record = read_record(place)
            timeout = record.program.stop_timeout if record else _STOP_TIMEOUT
        self._stop(place, timeout)
        forget(place)

    def drain(self, name: str, *, within: float | None = None) -> None:
        clock = self._host.clock
        deadline = math.inf if within is None else clock.monotonic() + within
        place = self._place(name)
        record = self._alive(place)
        if record is not None and record.program.drain is not None:
            rewrite_digest(place, record, DRAINING)
            identity = record.pid, record.start_time
            send(identity, signal.Signals[f"SIG{record.program.drain}"])
            wait(identity, min(record.program.drain_timeout, deadline - clock.monotonic()))
        left = max(0.0, deadline - clock.monotonic())
        usual = record.program.stop_timeout if record is not None else _STOP_TIMEOUT
        self.stop(name, timeout=None if within is None else min(usual, left))

    def signal(self, name: str, signal_number: int) -> None:
        place = self._place(name)
        record = self._record(place)
        if not send((record.pid, record.start_time), signal_number):
            raise self._not_running(place)

    def running(self) -> Mapping[str, Running]:
        found = processes(self._host, self._topology, {self.name: self._network.identity()}, self.name)
        return {
            name: Running(name, process.pid, process.start_time, process.program.digest, process.kind)
            for name, process in found.get(self.name, {}).items()
            if process.program is not None and not process.trouble
        }

    def connect(self, path: PurePosixPath, *, timeout: float = 5.0) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout)
            # by the folder's descriptor: a socket's address holds 107 bytes (unix(7)), a path may be longer
            parent = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                connection.connect(f"/proc/self/fd/{parent}/{path.name}")
            finally:
                os.close(parent)
        except OSError as error:
            connection.close()
            raise self._no_answer(f"the socket {path}", error) from error
        return connection

    def dial(self, address: str, port: int, *, timeout: float = 5.0) -> socket.socket:
        with self._network.entered():
            try:
                return socket.create_connection((address, port), timeout)
            except OSError as error:
                raise self._no_answer(f"{address} port {port}", error) from error

    def probe(
        self,
        question: Question,
        targets: Iterable[Target],
        *,
        within: float | None = None,
        at_once: int | None = None,
    ) -> dict[Target, Outcome]:
        from lbkit.health.probe import probe, sockets_here  # noqa: PLC0415 - ssl and selectors: for who asks

        def sockets(family: socket.AddressFamily, count: int) -> list[socket.socket]:
            try:
                with self._network.entered():
                    return sockets_here(family, count)
            except Failure as error:
                error.where = error.where or f"machine {self.name}"
                raise

        return probe(question, targets, sockets, within=within, at_once=at_once)

    def _place(self, service: str) -> Place:
        return Place.of(self._host, self._topology, self.name, service)

    def _parts(self, path: PurePosixPath) -> tuple[str, ...]:
        try:
            parts = path.relative_to(self._root).parts
        except ValueError:
            parts = ()
        if len(parts) < 1 or ".." in parts:
            raise Bug(f"a path below {self._root} was to be used", found=str(path))
        return parts

    def _record(self, place: Place) -> Record:
        record = self._alive(place)
        if record is None:
            raise self._not_running(place)
        return record

    def _alive(self, place: Place) -> Record | None:
        record = read_record(place)
        return record if record is not None and alive(place, record, self._network.identity()) else None

    def _stop(self, place: Place, timeout: float) -> None:
        def recorded() -> Iterable[Identity]:
            record = self._alive(place)
            if record is not None:
                yield record.pid, record.start_time

        stop(recorded, place.mark.__eq__, self._host.clock, timeout=timeout, where=place.where)

    def _ids(self, user: str | None) -> Ids | None:
        """None: as lbkit itself, which is all there is where ids cannot be switched."""
        if user is None or not self._host.can_switch_user:
            return None
        import pwd  # noqa: PLC0415 - only where a user is named

        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            raise Failure(
                f"a service was to run as user {user!r}",
                found="there is no such user on this host",
                where=f"machine {self.name}",
                remedy=f"install the package that makes it, or `adduser --system {user}`",
            ) from None
        return entry.pw_uid, entry.pw_gid, os.getgrouplist(user, entry.pw_gid)

    def _not_running(self, place: Place) -> Failure:
        last = " / ".join(self.log(place.service, lines=3))
        return Failure(
            "it was to be running",
            found="it does not run" + (f"; its log ends: {last}" if last else ""),
            where=place.where,
            remedy="apply again: that starts it",
        )

    def _no_answer(self, what: str, error: OSError) -> Failure:
        return Failure(
            f"{what} was to answer",
            found=error.strerror or str(error),
            where=f"machine {self.name}",
            remedy=f"`lbkit explain {self.name}` says what runs there",
        )


def _user_name(uid: int) -> str | None:
    if uid == os.geteuid():
        return None
    import pwd  # noqa: PLC0415 - only where files are another user's

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
