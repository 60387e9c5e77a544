"""One real HAProxy of a version, master and worker, in a folder: to ask HAProxy itself, without lbkit between."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

GLOBAL = """global
    stats socket unix@runtime.sock mode 600 level admin expose-fd listeners
    stats timeout 1m
    server-state-file servers.state
    maxconn 200
"""


@dataclass(frozen=True)
class Bare:
    """`folder` is HAProxy's working directory, and holds haproxy.cfg and log."""

    folder: Path

    def ask(self, *commands: str, payload: str | None = None) -> str:
        """What it says to commands on one line, without the blanks around it; `payload` belongs to the last."""
        line = "; ".join(commands)
        return self._speak(
            "runtime.sock", line if payload is None else f"{line} <<\n{payload.strip()}\n"
        ).strip()

    def tell(self, *commands: str) -> None:
        """Commands that say nothing where they succeed."""
        assert self.ask(*commands) == ""

    def master(self, command: str) -> str:
        """Asked again while the master starts anew after a reload, for then nobody listens."""
        return eventually(lambda: self._try(command))

    def state(self, backend: str, server: str) -> dict[str, str] | None:
        """The server's line of `show servers state`, by the names in its head."""
        _, head, *lines = self.ask("show servers state").splitlines()
        for line in lines:
            row = dict(zip(head.removeprefix("# ").split(), line.split(), strict=True))
            if (row["be_name"], row["srv_name"]) == (backend, server):
                return row
        return None

    def _try(self, command: str) -> str | None:
        try:
            return self._speak("master.sock", command, over=True).strip() or "nothing"
        except OSError:
            return None

    def _speak(self, name: str, text: str, *, over: bool = False) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(str(self.folder / name))
            connection.sendall(text.encode() + b"\n")
            if over:
                connection.shutdown(socket.SHUT_WR)
            reply = b""
            while data := connection.recv(1 << 16):
                reply += data
        return reply.decode()


@contextmanager
def running(program: Path, folder: Path, config: str) -> Iterator[Bare]:
    with standing(program, folder, GLOBAL + config) as made:
        yield made


@contextmanager
def standing(program: Path, folder: Path, text: str) -> Iterator[Bare]:
    """By a whole configuration, with a runtime.sock. `folder` must be short: it is in a socket's address (unix(7))."""
    (folder / "haproxy.cfg").write_text(text)
    (folder / "servers.state").touch()  # a test may have written it
    argv: list[str | Path] = [program, "-W", "-S", "unix@master.sock,mode,600", "-f", "haproxy.cfg"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(argv, cwd=folder, stdout=log, stderr=log)
    made = Bare(folder)
    try:
        eventually(lambda: _answers(made, process))
        yield made
    finally:
        process.terminate()
        process.wait(20)


def _answers(made: Bare, process: subprocess.Popen[bytes]) -> bool | None:
    assert process.poll() is None, (made.folder / "log").read_text()
    try:
        return bool(made.ask("show info"))
    except OSError:
        return None


def eventually(ask: Callable[[], T | None], seconds: float = 20) -> T:
    """The first answer that is not None or False."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, ask
        time.sleep(0.01)
    return answer
