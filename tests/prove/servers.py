"""A small server on loopback that answers well, until a test lets it do otherwise."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

Answer = Callable[[socket.socket, int], bool]
"""What a server does with one connection's next request, the n-th of all; whether it goes on with the connection."""

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def whole(connection: socket.socket, _number: int) -> bool:
    connection.sendall(WHOLE)
    return True


def unavailable(connection: socket.socket, _number: int) -> bool:
    connection.sendall(b"HTTP/1.0 503 Service Unavailable\r\ncache-control: no-cache\r\n\r\n<html>no</html>")
    return False


class Server:
    """Answers `whole` until `then` is set; then as that says."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.then: Answer = whole
        self.requests = 0
        self.connections = 0
        self.asked = threading.Event()
        self.before_request: Callable[[socket.socket], object] | None = None
        self.context = context
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        with suppress(OSError), closing(raw):
            connection = self.context.wrap_socket(raw, server_side=True) if self.context else raw
            with closing(connection):
                if self.before_request is not None and not self.before_request(connection):
                    return
                data = b""
                while True:
                    while b"\r\n\r\n" not in data:
                        got = connection.recv(4096)
                        if not got:
                            return
                        data += got
                    data = data.partition(b"\r\n\r\n")[2]
                    self.requests += 1
                    self.asked.set()
                    if not self.then(connection, self.requests):
                        return

    def close(self) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def make_pem(folder: Path) -> Path:
    """A certificate of shop.example.test with its key, that nobody vouches for."""
    path, certificate = folder / "shop.pem", folder / "shop.crt"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    argv += ["-subj", "/CN=shop.example.test", "-addext", "subjectAltName=DNS:shop.example.test"]
    argv += ["-days", "2", "-keyout", str(path), "-out", str(certificate)]
    subprocess.run(argv, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + certificate.read_bytes())
    path.chmod(0o600)
    return path
