"""A real HAProxy of a document's load balancer, on this host's own loopback: its file and its files beside, as made."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lbkit
from lbkit.haproxy.config.make import config_of
from lbkit.haproxy.config.sections import Config
from lbkit.haproxy.resolved import LoadBalancers
from lbkit.haproxy.text.render import render
from tests.haproxy.world import until


def document(port: int, server: int, tls: Any, **more: Any) -> dict[str, Any]:
    """HAProxy listens on 127.0.0.1:`port`, and asks 127.0.0.1:`server`. `more`: of the load balancer."""
    base: dict[str, Any] = {
        "machines": "lb",
        "frontends": {
            "https": {"bind": {"address": "127.0.0.1", "port": port, "tls": tls}, "backend": "web"}
        },
        "backends": {
            "web": {
                "servers": [{"name": "web", "address": "127.0.0.1", "port": server}],
                "health_check": False,
            }
        },
    }
    return {
        "lbkit": 1,
        "name": "tls",
        "networks": {"front": {"cidr": "10.80.0.0/24"}},
        "machines": {"lb": {"networks": ["front"]}},
        "load_balancers": {"shop": base | more},
    }


def config_in(data: dict[str, Any], folder: Path) -> Config:
    """What its HAProxy gets; `folder` is where relative paths in the document start."""
    shop = lbkit.load_data(data, folder).of("haproxy", LoadBalancers).by_name["shop"]
    return config_of(shop, mark="lbkit:tls:haproxy/lb-1/shop", user=None)


@dataclass
class Haproxy:
    """`folder` is its working directory."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def put(self, config: Config) -> None:
        (self.folder / "haproxy.cfg").write_text(render(config))
        (self.folder / "servers.state").write_text("1\n")
        for file in config.files:
            path = self.folder / file.path
            path.parent.mkdir(exist_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(file.content)

    def check(self) -> str:
        """What HAProxy finds wrong, warnings too."""
        argv = ["haproxy", "-c", "-f", "haproxy.cfg"]
        done = subprocess.run(argv, cwd=self.folder, capture_output=True, text=True, check=False)
        return "" if done.returncode == 0 and "[WARNING]" not in done.stderr else done.stderr

    def start(self) -> None:
        argv = ["haproxy", "-W", "-S", "unix@master.sock", "-f", "haproxy.cfg"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, cwd=self.folder, stdout=log, stderr=log)
        until(self.answers, "it answers at its runtime socket")

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
            self.process = None
            os.unlink(self.folder / "runtime.sock")

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            return "Pid:" in self.ask("show info")
        except OSError:
            return False

    def pid(self) -> int:
        """Of the worker that serves."""
        return int(
            next(line for line in self.ask("show info").splitlines() if line.startswith("Pid:")).split()[1]
        )

    def ask(self, command: str, at: str = "runtime.sock") -> str:
        """One command (with its payload), by a connection of its own."""
        # a path relative to a descriptor: that of a test's folder may be too long for a socket's address
        descriptor = os.open(self.folder, os.O_PATH)
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(20)
                connection.connect(f"/proc/self/fd/{descriptor}/{at}")
                connection.sendall(command.encode() + b"\n")
                connection.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        finally:
            os.close(descriptor)

    def reload(self) -> None:
        before = self.pid()
        until(self._asked_to_reload, "the master process answers: not while it executes itself anew")
        until(lambda: self.answers() and self.pid() != before, "a new worker")

    def _asked_to_reload(self) -> bool:
        try:
            self.ask("reload", at="master.sock")
        except OSError:
            return False
        return True


@contextmanager
def running(folder: Path, config: Config) -> Iterator[Haproxy]:
    folder.mkdir()
    haproxy = Haproxy(folder)
    haproxy.put(config)
    assert haproxy.check() == ""
    haproxy.start()
    try:
        yield haproxy
    finally:
        haproxy.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class _Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        body = self.headers.get("Host", "").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a handshake that its client gave up


@contextmanager
def web_server(tls: Any = None) -> Iterator[int]:
    """A web server that answers the Host header; its port. `tls`: a server's ssl.SSLContext."""
    server = _Server(("127.0.0.1", 0), _Answer)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
