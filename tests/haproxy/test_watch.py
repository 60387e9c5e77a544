"""watch.py by itself, with a keepalived that only writes down what it gets, and a HAProxy that is this test."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lbkit.haproxy.vip import config
from tests.haproxy.world import until

KEEPALIVED = """#!{python} -IS
import os, signal
waited = {{signal.SIGHUP, signal.SIGTERM}}
signal.pthread_sigmask(signal.SIG_BLOCK, waited)
with open("started", "a") as stream:
    stream.write(f"{{os.getpid()}}\\n")
while True:
    number = signal.sigwait(waited)
    with open("signals", "a") as stream:
        stream.write(f"{{number:d}}\\n")
    if number == signal.SIGTERM:
        break
"""


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        keepalived = folder / "bin" / "keepalived"
        keepalived.parent.mkdir()
        keepalived.write_text(KEEPALIVED.format(python=sys.executable))
        keepalived.chmod(0o755)
        (folder / "watch.py").write_bytes(config.watch_script())
        self.process: subprocess.Popen[bytes] | None = None
        self.server: socket.socket | None = None

    def haproxy(self, *, answers: bool = True) -> None:
        """Listen, and answer questions where it `answers`."""
        self.server = socket.socket(socket.AF_UNIX)
        path = self.folder / "runtime.sock"
        path.unlink(missing_ok=True)
        cwd = os.getcwd()
        os.chdir(self.folder)
        try:
            self.server.bind("runtime.sock")
        finally:
            os.chdir(cwd)
        self.server.listen()
        self.server.settimeout(10)
        self.links: list[socket.socket] = []

    def answer(self) -> None:
        assert self.server is not None
        link, _ = self.server.accept()
        link.settimeout(10)
        assert link.recv(100) == b"prompt\n"
        link.sendall(b"\n> ")
        self.links.append(link)

    def hang_up(self) -> None:
        """As the kernel does when the process dies."""
        assert self.server is not None
        self.server.close()
        self.server = None
        for link in self.links:
            link.close()

    def start(self) -> None:
        argv = [sys.executable, "-I", "-S", "watch.py", "runtime.sock", "keepalived.conf", "state"]
        environment = {"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin"}
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(argv, cwd=self.folder, env=environment, stdout=log, stderr=log)

    def expect(self, condition: Callable[[], object], what: str) -> None:
        """Wait for it; where the process ends before, say how."""
        until(lambda: condition() or (self.process and self.process.poll() is not None), what)
        assert condition(), (
            what,
            self.process and self.process.returncode,
            (self.folder / "log").read_text(),
        )

    @property
    def state(self) -> str:
        path = self.folder / "state"
        return path.read_text().strip() if path.exists() else ""

    def lines(self, name: str) -> list[int]:
        path = self.folder / name
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def end(self) -> None:
        if self.process is not None:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
        if self.server is not None:
            self.hang_up()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.end()


def test_the_state_is_known_before_keepalived_begins(world: World) -> None:
    world.start()
    world.expect(lambda: world.lines("started"), "keepalived")
    assert world.state == "1"


def test_a_death_is_noticed_by_the_closed_connection(world: World) -> None:
    world.haproxy()
    world.start()
    world.answer()
    world.expect(lambda: world.state == "0", "good")
    for _ in range(2):  # the next questions come by new connections
        world.answer()
    began = time.monotonic()
    world.hang_up()
    world.expect(lambda: world.state == "1", "bad")
    assert time.monotonic() - began < 10
    world.haproxy()
    world.answer()
    world.expect(lambda: world.state == "0", "good again")


def test_a_reload_is_no_death(world: World) -> None:
    """The old process closes its connections, and a new one answers at once."""
    world.haproxy()
    world.start()
    world.answer()
    world.expect(lambda: world.state == "0", "good")
    world.links[-1].close()
    world.answer()
    assert world.state == "0"


def test_who_accepts_and_says_nothing_hangs(world: World) -> None:
    world.haproxy()
    world.start()
    world.answer()
    world.expect(lambda: world.state == "0", "good")
    world.expect(lambda: world.state == "1", "no answer for so long")


def test_signals_are_handed_on(world: World) -> None:
    world.start()
    world.expect(lambda: world.lines("started"), "keepalived")
    assert world.process is not None
    world.process.send_signal(signal.SIGHUP)
    world.expect(lambda: signal.SIGHUP in world.lines("signals"), "SIGHUP")
    world.process.send_signal(signal.SIGTERM)
    assert world.process.wait(10) == 0
    assert world.lines("signals") == [signal.SIGHUP, signal.SIGTERM]


def test_keepalived_does_not_outlive_it(world: World) -> None:
    world.start()
    world.expect(lambda: world.lines("started"), "keepalived")
    assert world.process is not None
    world.process.kill()
    until(lambda: signal.SIGTERM in world.lines("signals"), "the kernel's SIGTERM")


def test_a_dead_keepalived_is_started_again_but_not_for_ever(world: World) -> None:
    world.start()
    for count in (1, 2, 3):
        until(lambda count=count: len(world.lines("started")) == count, "keepalived")
        os.kill(world.lines("started")[-1], signal.SIGKILL)
    assert world.process is not None
    assert world.process.wait(10) == 1
    assert len(world.lines("started")) == 3
