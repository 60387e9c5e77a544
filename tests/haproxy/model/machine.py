"""What lbkit takes for a machine: a folder in memory, HAProxy's master and worker, and sockets that answer at once."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from lbkit.base.errors import Failure
from lbkit.base.run import Completed
from lbkit.haproxy.instance import Instance
from lbkit.machine.contract import FoundFile, Program, Running
from tests.haproxy.model.worker import Refused, Worker
from tests.haproxy.model.world import World

FOLDER = PurePosixPath("/model")
_KINDS = {"2.6": "2.6.12-1+deb12u4", "3.0": "3.0.11-1+deb13u5"}


class Line(socket.socket):
    """One end of a pair whose other end answers within `send`: no thread, and no time passes."""

    def __init__(self, worker: Worker) -> None:
        ours, self._theirs = socket.socketpair()
        super().__init__(fileno=ours.detach())
        self._worker = worker
        self._read = b""
        self._open: tuple[str, list[str]] | None = None  # a command whose payload is being read
        for end in (self, self._theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)

    def send(self, data: Any, flags: int = 0) -> int:
        self._read += bytes(data)
        while b"\n" in self._read:
            line, _, self._read = self._read.partition(b"\n")
            self._take(line.decode())
        return len(data)

    def close(self) -> None:
        self._theirs.close()
        super().close()

    def _take(self, line: str) -> None:
        if self._open is not None:
            command, payload = self._open
            if line:
                payload.append(line)
                self._say("+ ")
                return
            self._open = None
            self._say(self._worker.answer(command, "\n".join(payload)) + "\n> ")
            return
        if line.endswith(" <<"):
            self._open = (line.removesuffix(" <<"), [])
            self._say("+ ")
            return
        self._say(self._worker.answer(line, None) + "\n> ")

    def _say(self, text: str) -> None:
        self._theirs.sendall(text.encode())


class MasterLine(socket.socket):
    def __init__(self, machine: ModelMachine) -> None:
        ours, self._theirs = socket.socketpair()
        super().__init__(fileno=ours.detach())
        self._machine = machine

    def sendall(self, data: Any, flags: int = 0) -> None:
        with self._theirs:
            self._theirs.sendall(self._machine.master(bytes(data).decode().strip()).encode())

    def shutdown(self, how: int) -> None:
        """The other end has answered already."""


class ModelMachine:
    """`files` by their paths in HAProxy's folder. `worker`: None while HAProxy does not run."""

    name = "lb-1"

    def __init__(self, world: World, version: str = "3.0") -> None:
        self.world = world
        self.version = _KINDS.get(version, version)
        self.stored: dict[str, bytes] = {}
        self.worker: Worker | None = None
        self.reloads = self.failed = 0

    @property
    def instance(self) -> Instance:
        return Instance(self, "shop")  # type: ignore[arg-type]

    def load(self) -> None:
        """Begin a process with what lies in the folder."""
        self.worker = Worker(self.world, self.version, dict(self.stored))
        self.world.live = self.worker
        self.world.request()

    def master(self, command: str) -> str:
        assert self.worker is not None
        if command == "reload":
            self.world.does("reload")
            try:
                self.load()
            except Refused as error:
                self.failed += 1
                said = f"[ALERT]    (1) : config : {error}\n"
                return f"Success=0\n--\n{said}" if self.version.startswith("3") else ""
            self.reloads += 1
            self.failed = 0
            return "Success=1\n--\n" if self.version.startswith("3") else ""
        assert command == "show proc"
        return (
            f"1 master {self.reloads} [failed: {self.failed}] 0d00h {self.version}\n# workers\n"
            f"{self.worker.pid} worker 0 0d00h {self.version}\n# old workers\n# programs\n"
        )

    # as lbkit.machine.contract.Machine

    def folder(self, service: str) -> PurePosixPath:
        return FOLDER

    def put(self, path: PurePosixPath, content: bytes, *, mode: int = 0o644, user: str | None = None) -> None:
        name = str(path.relative_to(FOLDER))
        self.world.does(f"write {name}")
        self.stored[name] = content

    def discard(self, path: PurePosixPath) -> None:
        self.world.does(f"remove {path.name}")
        self.stored.pop(str(path.relative_to(FOLDER)), None)

    def files(self, service: str, paths: Iterable[str]) -> Mapping[str, FoundFile]:
        return {path: FoundFile(self.stored[path], 0o640, None) for path in paths if path in self.stored}

    def log(self, service: str, *, lines: int = 5) -> tuple[str, ...]:
        return ()

    def rehearse(
        self,
        service: str,
        argv: Sequence[str],
        files: Mapping[str, tuple[bytes, int]],
        **_: object,
    ) -> Completed:
        if "-v" in argv:
            return Completed(tuple(argv), 0, f"HAProxy version {self.version}.0\n", "")
        try:
            Worker(World(), self.version, {path: content for path, (content, _) in files.items()})
        except Refused as error:
            return Completed(tuple(argv), 1, "", f"[ALERT]    (1) : config : {error}\n")
        return Completed(tuple(argv), 0, "", "")

    def start(self, program: Program) -> Running:
        self.world.does("start")
        try:
            self.load()
        except Refused as error:
            raise Failure("HAProxy was to start", found=str(error)) from error
        return Running(program.name, 1, 1, program.digest)

    def stop(self, name: str, *, timeout: float | None = None) -> None:
        self.world.does("stop")
        self.worker = self.world.live = None

    def running(self) -> Mapping[str, Running]:
        name = self.instance.service
        return {name: Running(name, 1, 1, "")} if self.worker else {}

    def connect(self, path: PurePosixPath, *, timeout: float = 5.0) -> socket.socket:
        if self.worker is None:
            raise Failure("a socket was to be there", found="nothing listens")
        made: socket.socket = Line(self.worker) if path.name == "runtime.sock" else MasterLine(self)
        made.settimeout(timeout)
        return made
