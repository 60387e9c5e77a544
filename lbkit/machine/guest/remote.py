"""A machine that is spoken to over a session: `Machine`, answered by the guest's program (methods.py)."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import PurePosixPath
from typing import Any, Protocol, TypeVar

from lbkit.base.errors import Bug, Failure, LbkitError
from lbkit.base.host import Host
from lbkit.base.run import Completed
from lbkit.engine.book import IPAddress
from lbkit.health.outcome import Outcome, Target
from lbkit.health.question import Question
from lbkit.machine.contract import FoundFile, Process, Program, Running
from lbkit.machine.guest import values
from lbkit.machine.local.place import Place, machine_folder
from lbkit.network.path import Path

T = TypeVar("T")

_PATIENCE = 60.0  # seconds for what takes no time of its own; a guest may be emulated, and busy
_STOPS = (
    1300.0  # for what stops programs: a service may take 600 to finish, and 600 to stop (machine/spec.py)
)
_ANSWERED = 5.0  # seconds for the answer to what may take so long and no longer


class Asked(Protocol):
    """A session, or what finds one for each call (port.py)."""

    def call(
        self, method: str, params: dict[str, Any], payload: bytes = b"", *, timeout: float = 30.0
    ) -> tuple[Any, bytes]: ...

    def open_unix(self, path: str, *, timeout: float = 5.0) -> socket.socket: ...

    def open_tcp(self, address: str, port: int, *, timeout: float = 5.0) -> socket.socket: ...


class RemoteMachine:
    """See `lbkit.machine.contract.Machine`. `inside` is the guest as a host: where it has its run folder."""

    def __init__(self, topology: str, member: str, guest: Asked, *, inside: Host | None = None) -> None:
        self.name = member
        self._topology = topology
        self._guest = guest
        self._inside = inside or Host()
        self._root = PurePosixPath(machine_folder(self._inside, topology, member))

    def folder(self, service: str) -> PurePosixPath:
        return PurePosixPath(Place.of(self._inside, self._topology, self.name, service).folder)

    def put(self, path: PurePosixPath, content: bytes, *, mode: int = 0o644, user: str | None = None) -> None:
        self._ask("put", {"path": self._path(path), "mode": mode, "user": user}, content)

    def fetch(self, path: PurePosixPath) -> bytes | None:
        found, content = self._ask("fetch", {"path": self._path(path)})
        return content if found else None

    def files(self, service: str, paths: Iterable[str]) -> Mapping[str, FoundFile]:
        listed, payload = self._ask("files", {"service": self._service(service), "paths": list(paths)})

        def read() -> dict[str, FoundFile]:
            contents = values.parted((length for *_, length in listed), payload)
            return {
                str(name): FoundFile(content, int(mode), None if owner is None else str(owner))
                for (name, mode, owner, _), content in zip(listed, contents, strict=True)
            }

        return self._read("files", read)

    def discard(self, path: PurePosixPath) -> None:
        self._ask("discard", {"path": self._path(path)})

    def remove(self, service: str) -> None:
        self._ask("remove", {"service": self._service(service)})

    def log(self, service: str, *, lines: int = 5) -> tuple[str, ...]:
        found, _ = self._ask("log", {"service": self._service(service), "lines": lines})
        return self._read("log", lambda: tuple(map(str, found)))

    def addresses(self, interface: str) -> tuple[IPAddress, ...]:
        found, _ = self._ask("addresses", {"interface": interface})
        return self._read("addresses", lambda: tuple(map(ip_address, found)))

    def path_to(self, address: IPAddress) -> Path:
        found, _ = self._ask("path_to", {"address": str(address)})
        return self._read("path_to", lambda: values.path_of(found))

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
        params = {
            "argv": list(argv),
            "stdin": stdin is not None,
            "timeout": timeout,
            "cwd": None if cwd is None else str(cwd),
            "environment": dict(environment or {}),
            "check": check,
        }
        done, output = self._ask("execute", params, (stdin or "").encode(), timeout + _PATIENCE)
        return self._read("execute", lambda: values.completed_of(done, output))

    def rehearse(
        self,
        service: str,
        argv: Sequence[str],
        files: Mapping[str, tuple[bytes, int]],
        *,
        environment: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Completed:
        lengths, contents = values.joined(content for content, _ in files.values())
        params = {
            "service": self._service(service),
            "argv": list(argv),
            "files": [
                [name, mode, length] for (name, (_, mode)), length in zip(files.items(), lengths, strict=True)
            ],
            "environment": dict(environment or {}),
            "timeout": timeout,
        }
        done, output = self._ask("rehearse", params, contents, timeout + _PATIENCE)
        return self._read("rehearse", lambda: values.completed_of(done, output))

    def start(self, program: Program) -> Running:
        self._service(program.name)
        found, _ = self._ask("start", {"program": values.program_data(program)}, timeout=_STOPS)
        return self._read("start", lambda: values.running_of(found))

    def reloaded(self, name: str, digest: str) -> None:
        self._ask("reloaded", {"name": self._service(name), "digest": digest})

    def stop(self, name: str, *, timeout: float | None = None) -> None:
        self._ask(
            "stop", {"name": self._service(name), "timeout": timeout}, timeout=(timeout or 0.0) + _STOPS
        )

    def drain(self, name: str, *, within: float | None = None) -> None:
        timeout = _STOPS if within is None else within + _ANSWERED
        self._ask("drain", {"name": self._service(name), "within": within}, timeout=timeout)

    def signal(self, name: str, signal_number: int) -> None:
        self._ask("signal", {"name": self._service(name), "number": int(signal_number)})

    def running(self) -> Mapping[str, Running]:
        listed, _ = self._ask("running", {})
        return self._read("running", lambda: {each[0]: values.running_of(each) for each in listed})

    def processes(self) -> Mapping[str, Process]:
        """All that was started here, by name: for `Driver.processes`."""
        listed, _ = self._ask("processes", {})
        return self._read("processes", lambda: {each["name"]: values.process_of(each) for each in listed})

    def connect(self, path: PurePosixPath, *, timeout: float = 5.0) -> socket.socket:
        with self._told():
            return self._guest.open_unix(str(path), timeout=timeout)

    def dial(self, address: str, port: int, *, timeout: float = 5.0) -> socket.socket:
        with self._told():
            return self._guest.open_tcp(address, port, timeout=timeout)

    def probe(
        self,
        question: Question,
        targets: Iterable[Target],
        *,
        within: float | None = None,
        at_once: int | None = None,
    ) -> dict[Target, Outcome]:
        params = {
            "question": question.as_data(),
            "targets": [list(target) for target in targets],
            "within": within,
            "at_once": at_once,
        }
        listed, _ = self._ask("probe", params, timeout=_STOPS if within is None else within + _PATIENCE)
        return self._read(
            "probe",
            lambda: {
                Target(str(address), int(port)): values.outcome_of(outcome)
                for address, port, *outcome in listed
            },
        )

    def _ask(
        self, method: str, params: dict[str, Any], payload: bytes = b"", timeout: float = _PATIENCE
    ) -> tuple[Any, bytes]:
        with self._told():
            return self._guest.call(method, params, payload, timeout=timeout)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of the block tell of the machine where they tell of no place."""
        try:
            yield
        except LbkitError as error:
            error.where = error.where or f"machine {self.name}"
            raise

    def _service(self, name: str) -> str:
        return Place.of(self._inside, self._topology, self.name, name).service

    def _path(self, path: PurePosixPath) -> str:
        if not path.is_relative_to(self._root) or path == self._root or ".." in path.parts:
            raise Bug(f"a path below {self._root} was to be used", found=str(path))
        return str(path)

    def _read(self, method: str, read: Callable[[], T]) -> T:
        """A guest's answer may be anything: it is foreign, as soon as somebody got in there."""
        try:
            return read()
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
            raise Failure(
                f"the guest's program was to answer to {method}",
                found=f"an answer that has no meaning: {error}",
                where=f"machine {self.name}",
                remedy="what is in there is not lbkit's any more: `virsh destroy` its domain, and apply, which makes another",
            ) from error
