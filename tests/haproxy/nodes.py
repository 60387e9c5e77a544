"""Nodes of a mirror as a load balancer sees them: a web server that has some serials, and an agent with a verdict."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseRequestHandler, ThreadingTCPServer

from tests.haproxy.mirrored import CHECK, HTTP, NODES

PORT = 7080


@dataclass
class Node:
    """`has`: serials, the last one serves. `gone`: those it had. `asked`: the header of each request of a client.

    `heard`: whether its agent was asked and has answered; `early`: requests of clients before that.
    """

    name: str
    address: str
    has: list[int] = field(default_factory=lambda: [7])
    gone: list[int] = field(default_factory=list)
    verdict: str = "ready up"
    says: str = ""  # in place of the serial
    lacks: bool = False  # the file that is asked for
    asked: list[str | None] = field(default_factory=list)
    heard: bool = False
    early: int = 0

    def flip(self, serial: int) -> None:
        self.has.append(serial)

    def answer(self, asked: str | None) -> tuple[int, str]:
        """Status, and what it says of the serial: as nginx does (lbkit/mirror/serving/nginx.py)."""
        if self.lacks:
            return 404, str(self.has[-1])
        if asked is None or int(asked) in self.gone:
            return 200, self.says or str(self.has[-1])
        return (200, asked) if int(asked) in self.has else (503, "")


@contextmanager
def standing(node: Node) -> Iterator[Node]:
    class Web(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, serial = (200, "")
            if self.path != "/debian/.lbkit-trace":
                asked = self.headers.get("Lbkit-Serial")
                node.asked.append(asked)
                node.early += not node.heard
                status, serial = node.answer(asked)
            body = f"{node.name} {serial}".encode()
            self.send_response(status)
            if serial:
                self.send_header("Lbkit-Serial", serial)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Agent(BaseRequestHandler):
        def handle(self) -> None:
            node.heard = True
            with suppress(OSError):
                self.request.sendall(f"{node.verdict}\n".encode())

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A check that hangs up early."""

    ThreadingTCPServer.allow_reuse_address = True
    with (
        Quiet((node.address, HTTP), Web) as web,
        ThreadingTCPServer((node.address, CHECK), Agent) as agent,
    ):
        threads = [
            threading.Thread(target=each.serve_forever, kwargs={"poll_interval": 0.02})
            for each in (web, agent)
        ]
        for thread in threads:
            thread.start()
        node.stop_agent = agent.shutdown  # type: ignore[attr-defined]
        try:
            yield node
        finally:
            for each in (web, agent):
                each.shutdown()
            for thread in threads:
                thread.join()


def fresh() -> list[Node]:
    return [Node(f"mirror-{number}", address) for number, address in enumerate(NODES, start=1)]


def get(
    client: str = "127.0.0.5", *, port: int = PORT, to: str = "127.0.0.1", **headers: str
) -> tuple[int, str]:
    """Status, and the body: the node and the serial."""
    connection = HTTPConnection(to, port, timeout=20, source_address=(client, 0))
    try:
        connection.request(
            "GET", "/debian/dists/index", headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def serial(client: str = "127.0.0.5", **headers: str) -> str:
    status, body = get(client, **headers)
    assert status == 200, (status, body)
    return body.split()[1]


def reachable(address: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((address, port), 1):
        return True
    return False
