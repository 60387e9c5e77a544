"""nginx and rsync before stores, as their launchers start them on a machine."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lbkit
from lbkit.mirror.serving import nginx
from lbkit.mirror.sync.upstream import RsyncDaemon
from lbkit.mirror.tree.store import Store
from tests.machine.world import PYTHON, until
from tests.mirror.tree.trees import Tree, made

_BEGIN = "from lbkit.mirror.main import main; sys.exit(main(sys.argv[1:]))"
_CODE = f"import sys; sys.path.insert(0, {str(Path(lbkit.__file__).parents[1])!r}); {_BEGIN}"
PROGRAM = (PYTHON, "-I", "-S", "-c", _CODE)


_PORTS = itertools.cycle(range(12_000, 20_000))


def free_port() -> int:
    """None that was given before, and none that a client's end may get meanwhile (net.ipv4.ip_local_port_range)."""
    for port in _PORTS:
        with contextlib.suppress(OSError), closing(socket.create_server(("127.0.0.1", port))):
            return port
    raise AssertionError


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: http.client.HTTPMessage

    @property
    def serial(self) -> str | None:
        return self.headers[nginx.SERIAL]


@dataclass
class World:
    """One mirror, `debian`, at first; `root` is a folder that everybody may pass."""

    root: Path
    stack: ExitStack
    http: int = field(default_factory=free_port)
    rsync: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    prefix: Sequence[str] = ()  # what the launchers are started through

    @property
    def store(self) -> Store:
        return Store(self.root / "debian" / "store", "debian")

    def publish(self, serial: int, tree: Tree, *, store: Store | None = None, keep: int = 3) -> None:
        store = store or self.store
        store.root.mkdir(parents=True, exist_ok=True)
        for _ in made(store, serial, tree, self.root / "plain" / store.name / str(serial), keep=keep):
            pass

    def site(self, name: str = "debian", **more: Any) -> dict[str, Any]:
        return {
            "name": name,
            "store": f"../{name}/store",
            "listen": [["127.0.0.1", self.http]],
            "keep": 3,
            **more,
        }

    def module(self, name: str = "debian", **more: Any) -> dict[str, Any]:
        (self.root / "rsync").mkdir(exist_ok=True)
        (self.root / "rsync" / "password").write_text("pass word\n")
        nodes = {"node-1": "password"}
        return {
            "public": name,
            "inner": f"lbkit-{name}",
            "store": f"../{name}/store",
            "nodes": nodes,
            "connections": 0,
            **more,
        }

    def write(self, program: str, data: Mapping[str, Any]) -> None:
        (self.root / program).mkdir(exist_ok=True)
        (self.root / program / "config.json").write_text(json.dumps(data))

    def start_http(self, *sites: Mapping[str, Any]) -> None:
        self.write("http", {"sites": sites or [self.site()]})
        self.start("http", self.http)

    def start_rsync(self, *modules: Mapping[str, Any]) -> None:
        data = {"address": "127.0.0.1", "port": self.rsync, "modules": modules or [self.module()]}
        self.write("rsync", data)
        self.start("rsync", self.rsync)

    def argv(self, program: str, verb: str) -> list[str]:
        return [*self.prefix, *PROGRAM, program, verb, "config.json"]

    def start(self, program: str, port: int) -> None:
        folder = self.root / program
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(self.argv(program, "serve"), cwd=folder, stdout=log, stderr=log)
        self.processes[program] = process
        self.stack.callback(process.wait)
        self.stack.callback(process.send_signal, signal.SIGTERM)
        until(lambda: listens(port) or process.poll() is not None, f"{program} listens")
        assert process.poll() is None, self.log(program)

    def run(self, program: str, verb: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(program, verb),
            cwd=self.root / program,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def log(self, program: str) -> str:
        return (self.root / program / "log").read_text()

    def get(
        self,
        path: str,
        serial: str = "",
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        port: int = 0,
    ) -> Answer:
        given = {**(headers or {}), **({nginx.SERIAL: serial} if serial else {})}
        with closing(http.client.HTTPConnection("127.0.0.1", port or self.http, timeout=20)) as connection:
            connection.request(method, path, headers=given)
            response = connection.getresponse()
            return Answer(response.status, response.read(), response.headers)

    def public(self, name: str = "debian") -> RsyncDaemon:
        return RsyncDaemon("127.0.0.1", name, port=self.rsync)

    def inner(self, path: str, password: str = "pass word") -> RsyncDaemon:
        file = self.root / "client-password"
        file.write_text(f"{password}\n")
        file.chmod(0o600)
        return RsyncDaemon(
            "127.0.0.1", "lbkit-debian", path, port=self.rsync, user="node-1", password_file=str(file)
        )


@contextmanager
def world_of() -> Iterator[World]:
    """pytest's own folders are for their owner alone, and so is what is in them."""
    root = Path(tempfile.mkdtemp(prefix="lbkit-serving-", dir="/tmp"))
    os.chmod(root, 0o755)
    try:
        with ExitStack() as stack:
            yield World(root, stack)
    finally:
        shutil.rmtree(root)
