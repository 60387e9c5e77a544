"""One HAProxy with a configuration of lbkit's, alone on loopback: what becomes of single requests.

Its backends all lead to one server, that answers with what it was asked; each backend by a port of its own.
"""

from __future__ import annotations

import itertools
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

from lbkit.base.clock import SystemClock
from lbkit.haproxy.config.make import config_of
from lbkit.haproxy.config.sections import Config
from lbkit.haproxy.runtime import EMPTY_STATE
from lbkit.haproxy.text.render import render
from lbkit.haproxy.waiting import wait_for
from tests.haproxy.topologies import Document, balancer, document, resolved

_PORTS = itertools.count(9001)
"""Each its own: one HAProxy may stand while the next is made."""


_NAMES: dict[int, str] = {}
"""Of backends, by the ports of their servers."""


class Named(BaseRequestHandler):
    """Whatever a client says first: the backend's name."""

    def handle(self) -> None:
        if self.request.recv(1):
            self.request.sendall(_NAMES[self.server.server_address[1]].encode())  # type: ignore[index]


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name = _NAMES[self.server.server_address[1]]  # type: ignore[index]
        said = {"backend": name, "path": self.path, "headers": list(self.headers.items())}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Server", "echo")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")

    def do_POST(self) -> None:
        self.do_GET()

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_OPTIONS(self) -> None:
        self.do_GET()

    def handle(self) -> None:
        with suppress(
            ConnectionResetError
        ):  # HAProxy ends a connection that it keeps, or a request that it gave up
            super().handle()

    def log_message(self, *_: object) -> None:
        """Nothing."""


class _Server(ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        """What the server was asked."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def short(self) -> str:
        """The backend that answered, or the status, and where a redirect leads."""
        if self.status == 200:
            return str(self.said["backend"])
        return " ".join(
            [str(self.status), *([self.headers["location"]] if "location" in self.headers else [])]
        )


@dataclass
class Serving:
    folder: Path
    port: int

    def raw(self, request: bytes, *, port: int | None = None, source: str = "127.0.0.1") -> bytes:
        """What comes back until the connection ends."""
        with socket.create_connection(("127.0.0.1", port or self.port), 10, (source, 0)) as client:
            client.sendall(request)
            return b"".join(iter(lambda: client.recv(65536), b""))

    def raw_or_cut(self, request: bytes, *, source: str = "127.0.0.1") -> bytes:
        """The same; nothing where the connection is cut off."""
        try:
            return self.raw(request, source=source)
        except (ConnectionResetError, BrokenPipeError):
            return b""

    def connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 10)

    def ask(
        self,
        host: str = "shop.test",
        path: str = "/",
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        source: str = "127.0.0.1",
        before: bytes = b"",
    ) -> Answer:
        """One request, as it is written: nothing is normalised on the way. `before`: sent before it."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        text = "\r\n".join([*lines, "", ""])
        return parsed(self.raw(before + text.encode(), source=source))


def parsed(answer: bytes) -> Answer:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    return Answer(int(first.split()[1]), headers, body)


def frontend_config(frontend: Document, backends: tuple[str, ...] = ("web",), mode: str = "http") -> Config:
    """What the loader makes of a load balancer with one frontend, `http`, and backends of one server each."""
    servers = {
        name: {
            "servers": [{"name": "echo", "address": "127.0.0.1", "port": next(_PORTS)}],
            "health_check": False,
            "mode": mode,
        }
        for name in backends
    }
    front = {"bind": f"127.0.0.1:{next(_PORTS)}", "mode": mode} | frontend
    data = document(load_balancers={"shop": balancer(vip=None, frontends={"http": front}, backends=servers)})
    return config_of(resolved(data), mark="lbkit:web:haproxy/lb-1/shop", user=None)


def put(config: Config, folder: Path) -> str:
    text = render(config)
    (folder / "haproxy.cfg").write_text(text)
    (folder / "servers.state").write_text(EMPTY_STATE)
    for file in config.files:
        (folder / file.path).parent.mkdir(exist_ok=True)
        (folder / file.path).write_bytes(file.content)
    return text


def check(folder: Path) -> str:
    """What HAProxy finds wrong with the configuration in the folder, warnings too."""
    done = subprocess.run(
        ["haproxy", "-c", "-f", "haproxy.cfg"], cwd=folder, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 and "[WARNING]" not in done.stderr else done.stderr


@contextmanager
def serving(
    config: Config,
    folder: Path,
    program: str = "haproxy",
    server_of: type[Echo | Named] = Echo,
) -> Iterator[Serving]:
    text = put(config, folder)
    servers = []
    for backend in config.backends:
        for server in backend.servers:
            _NAMES[server.port] = backend.name
            servers.append(_Server(("127.0.0.1", server.port), server_of))
            threading.Thread(target=servers[-1].serve_forever, args=(0.02,), daemon=True).start()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "-db", "-f", "haproxy.cfg"], cwd=folder, stdout=log, stderr=log)
    try:
        assert wait_for(SystemClock(), 10, lambda: _answers(folder, process)), (
            folder / "log"
        ).read_text() + text
        yield Serving(folder, config.frontends[0].binds[0].port)
    finally:
        process.terminate()
        process.wait()
        for each in servers:
            each.shutdown()
            each.server_close()


def _answers(folder: Path, process: subprocess.Popen[bytes]) -> bool | None:
    """None while it is not known yet."""
    if process.poll() is not None:
        return False
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(folder / "runtime.sock"))
        except OSError:
            return None
    return True
