"""The two programs as machines run them, with rsync's daemon between them: pushed, killed, started anew."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import lbkit
from lbkit.base.clock import SystemClock
from lbkit.mirror.serving import rsyncd
from lbkit.mirror.sync.runs import Runs
from lbkit.mirror.talk.ends import Caller
from lbkit.mirror.tree.store import Store
from tests.machine.world import PYTHON, until
from tests.mirror.serving.world import free_port, listens
from tests.mirror.tree.trees import lay

pytestmark = pytest.mark.sandbox

NODES = ("node-1", "node-2")


class World:
    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.root, self.stack = root, stack
        self.ports = {
            name: free_port() for name in ("rsync", "push", *NODES, *(f"check-{name}" for name in NODES))
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("upstream", "master", *NODES):
            (root / name).mkdir()
        self.secret(root / "master", "push.key", "p")
        self.rsyncd()
        self.write("master", self.of_keeper())
        for name in NODES:
            self.write(name, self.of_node(name))

    def secret(self, folder: Path, name: str, letter: str) -> str:
        (folder / name).write_text(letter * 32)
        (folder / name).chmod(0o600)
        return name

    def write(self, name: str, data: dict[str, Any]) -> None:
        (self.root / name / "config.json").write_text(json.dumps(data))

    def rsyncd(self) -> None:
        folder = self.root / "rsync"
        folder.mkdir()
        secrets = folder / "secrets"
        secrets.write_text(rsyncd.secrets(dict.fromkeys(NODES, "word")))
        secrets.chmod(0o600)
        store = str(self.root / "master" / "store")
        module = rsyncd.Module("debian", "lbkit-debian", store, NODES, str(secrets))
        port = self.ports["rsync"]
        text = rsyncd.config([module], address="127.0.0.1", port=port, locks=str(folder), ids=(0, 0))
        (folder / rsyncd.CONFIG).write_text(text)
        self.run(
            "rsync",
            ["rsync", "--daemon", "--no-detach", f"--config={folder / rsyncd.CONFIG}"],
            self.ports["rsync"],
        )

    def of_keeper(self) -> dict[str, Any]:
        nodes = {}
        for name in NODES:
            nodes[name] = [
                "127.0.0.1",
                self.ports[name],
                self.secret(self.root / "master", f"{name}.key", name[-1]),
            ]
        return {
            "project": "debian",
            "keep": 3,
            "store": "store",
            "runs": "evidence",
            "upstream": {"kind": "folder", "path": str(self.root / "upstream").lstrip("/")},
            "exclude": [],
            "markers": [],
            "stages": [],
            "guard": {"delete": 0.5},
            "bandwidth": None,
            "silence": 60,
            "schedule": None,
            "policy": {"quorum": 2, "max_lag": 1, "floor": 1, "contact": 3.0, "fan_out": 4},
            "nodes": nodes,
            "listen": [["127.0.0.1", self.ports["push"]]],
            "keys": {"push": "push.key"},
        }

    def of_node(self, name: str) -> dict[str, Any]:
        folder = self.root / name
        self.secret(folder, "password", "")
        (folder / "password").write_text("word")
        return {
            "project": "debian",
            "keep": 3,
            "store": "store",
            "bandwidth": None,
            "contact": 3.0,
            "listen": [["127.0.0.1", self.ports[name]]],
            "check": [["127.0.0.1", self.ports[f"check-{name}"]]],
            "keys": {
                "keeper": self.secret(folder, "keeper.key", name[-1]),
                "neighbour": self.secret(folder, "neighbour.key", "n"),
            },
            "sources": {
                "": {
                    "kind": "rsync",
                    "host": "127.0.0.1",
                    "port": self.ports["rsync"],
                    "module": "lbkit-debian",
                    "user": name,
                    "password_file": str(folder / "password"),
                }
            },
            "neighbours": {other: ["127.0.0.1", self.ports[other]] for other in NODES if other != name},
        }

    def run(self, name: str, argv: list[str], port: int) -> None:
        log = self.stack.enter_context((self.root / f"{name}.log").open("ab"))
        process = self.processes[name] = self.stack.enter_context(
            subprocess.Popen(argv, stdout=log, stderr=log)
        )
        self.stack.callback(process.kill)
        until(lambda: listens(port) or process.poll() is not None, f"{name} listens")
        assert process.poll() is None, (self.root / f"{name}.log").read_text()

    def start(self, name: str) -> None:
        room = "keeper" if name == "master" else "node"
        code = f"import sys; sys.path.insert(0, sys.argv.pop(1)); from lbkit.mirror.{room}.main import main; sys.exit(main(sys.argv[1:]))"
        argv = [
            PYTHON,
            "-I",
            "-S",
            "-c",
            code,
            str(Path(lbkit.__file__).parents[1]),
            "serve",
            str(self.root / name / "config.json"),
        ]
        self.run(name, argv, self.ports["push" if name == "master" else name])

    def push(self) -> None:
        with Caller("127.0.0.1", self.ports["push"], "push", b"p" * 32) as caller:
            assert caller.ask({"do": "push"}, timeout=10)["run"] > 0

    def served(self) -> list[bytes | None]:
        found: list[bytes | None] = []
        for name in ("master", *NODES):
            try:
                found.append((self.root / name / "store" / "current" / "0" / "index").read_bytes())
            except FileNotFoundError:
                found.append(None)
        return found

    def checked(self, name: str) -> str:
        with socket.create_connection(("127.0.0.1", self.ports[f"check-{name}"]), 5) as connection:
            return connection.makefile().read().strip()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    os.chmod(tmp_path, 0o755)
    with ExitStack() as stack:
        world = World(tmp_path, stack)
        for name in (*NODES, "master"):
            world.start(name)
        yield world


def test_a_push_comes_to_all_nodes_whoever_is_killed_in_between(world: World) -> None:
    lay(world.root / "upstream", {b"index": b"1", b"pool/a": b"a"})
    world.push()
    until(lambda: world.served() == [b"1"] * 3, "all serve the first")
    until(lambda: all(world.checked(name) == "ready up" for name in NODES), "and may")
    number = 1
    for victim, how in (("master", signal.SIGKILL), ("node-1", signal.SIGKILL), ("master", signal.SIGTERM)):
        number += 1
        (world.root / "upstream" / "index").write_bytes(b"%d" % number * number)
        world.push()
        world.processes[victim].send_signal(how)
        assert world.processes[victim].wait(30) == (0 if how == signal.SIGTERM else -how)
        world.start(victim)
        until(lambda wanted=b"%d" % number * number: world.served() == [wanted] * 3, f"all serve {number}")  # type: ignore[misc]
    until(lambda: all(world.checked(name) == "ready up" for name in NODES), "and may")
    runs = list(Runs(world.root / "master" / "evidence", SystemClock()).all())
    assert [run.came for run in runs if run.came not in {"killed", "nothing"}] == ["made"] * number
    for name in NODES:
        assert [each.serial for each in Store(world.root / name / "store").generations()] == [2, 3, 4]


def test_a_transfer_ends_with_the_keeper_that_began_it(world: World) -> None:
    """Else the next one would meet it in the tree that both write."""
    world.processes["master"].terminate()
    world.processes["master"].wait(30)
    world.write("master", {**world.of_keeper(), "bandwidth": 2048})
    world.start("master")
    lay(world.root / "upstream", {b"index": os.urandom(1 << 20)})
    source = os.fsencode(world.root / "upstream")

    def transfers() -> list[str]:
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = entry.read_bytes().split(b"\0")
                if (
                    words[0] == b"rsync"
                    and b"--files-from=-" in words
                    and any(source in word for word in words)
                ):
                    found.append(entry.parent.name)
        return found

    world.push()
    until(transfers, "it is under way")
    world.processes["master"].kill()
    world.processes["master"].wait(30)
    until(lambda: not transfers(), "it ended, too")
    world.write("master", world.of_keeper())
    world.start("master")
    until(lambda: None not in world.served(), "the next keeper has it all")


def test_a_push_without_the_key_is_none(world: World) -> None:
    with (
        Caller("127.0.0.1", world.ports["push"], "push", b"x" * 32) as caller,
        pytest.raises(Exception, match="was to be asked"),
    ):
        caller.ask({"do": "push"}, timeout=10)
    assert list(Runs(world.root / "master" / "evidence", SystemClock()).all()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"keys": {"keeper": "none", "neighbour": "neighbour.key"}}, "a key was to have 32 bytes"),
        ({"sources": {"": {"kind": "rsync", "host": "-e sh", "module": "m"}}}, "a host's name"),
    ],
)
def test_a_configuration_that_is_none_is_told(world: World, change: dict[str, Any], words: str) -> None:
    world.processes["node-1"].terminate()
    world.processes["node-1"].wait(30)
    world.write("node-1", {**world.of_node("node-1"), **change})
    with pytest.raises(AssertionError, match=words):
        world.start("node-1")
