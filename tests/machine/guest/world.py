"""A guest without a VM: its program, from its archive, in a network and with a host name of its own, behind unix sockets."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lbkit.base import sandbox_init, syscalls
from lbkit.machine.guest.identity import Identity
from lbkit.machine.guest.pack import packed
from lbkit.machine.guest.session import Session
from tests.machine.world import PYTHON, until


def an_identity(topology: str, member: str = "m", **more: object) -> Identity:
    return Identity(topology, member, 1, f"{member}-host", **more)  # type: ignore[arg-type]


@dataclass
class FakeGuest:
    """`folder` is what a guest would have of its own: /run/lbkit-guest, and its root. `run_dir` is shared with the test."""

    folder: Path
    run_dir: Path
    ports: int = 1
    python: str = PYTHON
    process: subprocess.Popen[bytes] | None = None
    network: int = -1  # a descriptor of its network namespace
    names: int = -1  # and of that of its host name
    sessions: list[Session] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.archive.write_bytes(packed().content)
        (self.root / "etc").mkdir(parents=True)
        self.network, self.names = _namespaces()

    @property
    def archive(self) -> Path:
        return self.folder / "guest.pyz"

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def identity_file(self) -> Path:
        return self.folder / "identity.json"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def port(self, number: int = 0) -> Path:
        return self.folder / f"org.lbkit.{number}"

    def tell(self, identity: Identity) -> None:
        """As the seed does."""
        self.identity_file.write_text(json.dumps(identity.as_data()))

    def start(self) -> FakeGuest:
        arguments = [
            "--identity",
            str(self.identity_file),
            "--run-dir",
            str(self.run_dir),
            "--root",
            str(self.root),
        ]
        for number in range(self.ports):
            arguments += ["--port", str(self.port(number))]
        with self.log.open("ab") as log, self.entered():
            self.process = subprocess.Popen(
                [self.python, "-I", "-S", str(self.archive), "serve", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(self._answers, f"the guest listens: {self.log.read_text()}")
        return self

    def connect(self, number: int = 0) -> socket.socket:
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.connect(str(self.port(number)))
            stack.pop_all()
        return connection

    def session(self, number: int = 0, **more: float) -> Session:
        made = Session(self.connect(number), where="guest m", **more)
        self.sessions.append(made)
        return made

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        for number in range(self.ports):
            self.port(number).unlink(missing_ok=True)

    def close(self) -> None:
        for session in self.sessions:
            session.close()
        if self.process is not None:
            self.kill()
        os.close(self.network)
        os.close(self.names)

    def run(self, *argv: str) -> str:
        """A program in its network."""
        with self.entered():
            return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread, and what it starts, in the guest's network, and under its name."""
        kinds = (("net", syscalls.CLONE_NEWNET, self.network), ("uts", syscalls.CLONE_NEWUTS, self.names))
        homes = [os.open(f"/proc/thread-self/ns/{name}", os.O_RDONLY) for name, *_ in kinds]
        for _, kind, inside in kinds:
            syscalls.setns(inside, kind)
        try:
            yield
        finally:
            for home, (_, kind, _) in zip(homes, kinds, strict=True):
                syscalls.setns(home, kind)
                os.close(home)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            self.connect(self.ports - 1).close()
        except OSError:
            return False
        return True


def _namespaces() -> tuple[int, int]:
    """Of a child that made them: descriptors keep them."""
    reading, writing = os.pipe()
    waiting, done = os.pipe()
    child = os.fork()
    if not child:
        syscalls.unshare(syscalls.CLONE_NEWNET | syscalls.CLONE_NEWUTS)
        sandbox_init.raise_loopback()
        os.write(writing, b"x")
        os.close(done)
        os.read(waiting, 1)
        os._exit(0)
    os.read(reading, 1)
    found = tuple(os.open(f"/proc/{child}/ns/{kind}", os.O_RDONLY) for kind in ("net", "uts"))
    for descriptor in (reading, writing, waiting, done):
        os.close(descriptor)
    os.waitpid(child, 0)
    return found[0], found[1]
