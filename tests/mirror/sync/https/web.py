"""A web server for a test: files in memory, ranges, and what goes wrong on the real web, by orders for one request each."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

TIME = 1_700_000_000


@dataclass(frozen=True)
class Order:
    """`cut` after so many bytes; a `status` with headers instead of the file; other bytes than it has (`wrong`); `slow`: bytes a second;
    `plain`: as one who knows no ranges; `hang`: until the test is over.
    """

    cut: int | None = None
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    wrong: bool = False
    slow: int | None = None
    plain: bool = False
    hang: bool = False


@dataclass
class Asked:
    """Written down before it is answered; `sent` grows."""

    method: str
    path: bytes
    authorization: str
    at: float = field(default_factory=time.monotonic)
    start: int = 0
    sent: int = 0
    answered: bool = False


@dataclass
class Web:
    files: dict[bytes, bytes] = field(default_factory=dict)
    orders: dict[bytes, list[Order]] = field(default_factory=dict)
    always: dict[bytes, Order] = field(default_factory=dict)
    after: dict[bytes, Callable[[], None]] = field(
        default_factory=dict
    )  # what happens when that is asked for
    asked: list[Asked] = field(default_factory=list)
    most: int = 0  # requests at once
    port: int = 0
    password: str = ""
    over: threading.Event = field(default_factory=threading.Event)
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sums(self, form: str = "{sha256}  {name}\n") -> None:
        """Publish SHA256SUMS of all that is there."""
        self.files.pop(b"SHA256SUMS", None)
        self.files[b"SHA256SUMS"] = b"".join(
            form.format(
                sha256=hashlib.sha256(content).hexdigest(), name=name.decode("latin-1"), size=len(content)
            ).encode("latin-1")
            for name, content in self.files.items()
        )

    def gets(self, path: bytes) -> list[Asked]:
        return [each for each in self.asked if each.path == path and each.method == "GET"]

    def sent(self, path: bytes) -> int:
        return sum(each.sent for each in self.gets(path))

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        path = unquote_to_bytes(handler.path.removeprefix("/pub/"))
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
            waiting = self.orders.get(path, [])
            get = handler.command == "GET"
            order = waiting.pop(0) if waiting and get else self.always.get(path, Order())
            asked = Asked(handler.command, path, handler.headers.get("Authorization", ""))
            self.asked.append(asked)
        try:
            self._answer(handler, asked, order)
        except OSError:
            handler.close_connection = True
        finally:
            self._leave(asked)

    def _leave(self, asked: Asked) -> None:
        """Before its last byte, for who has that may ask for the next."""
        with self._lock:
            self._now -= not asked.answered
            asked.answered = True

    def _answer(self, handler: Any, asked: Asked, order: Order) -> None:
        wanted = "Basic " + base64.b64encode(f"user:{self.password}".encode()).decode()
        content = self.files.get(asked.path)
        if handler.command == "GET" and (then := self.after.pop(asked.path, None)) is not None:
            then()
        status = order.status
        if self.password and handler.headers.get("Authorization") != wanted:
            status = 401
        elif content is None and status == 200:
            status = 404
        if order.hang:
            self.over.wait(60)
        if status != 200 or content is None:
            handler.send_response(status)
            for name, value in order.headers:
                handler.send_header(name, value)
            handler.send_header("Content-Length", "4")
            handler.end_headers()
            handler.wfile.write(b"page" if handler.command == "GET" else b"")
            return
        start = 0
        if (span := handler.headers.get("Range")) and not order.plain:
            start = int(span.removeprefix("bytes=").removesuffix("-"))
            asked.start = start
            if start >= len(content):
                handler.send_response(416)
                handler.send_header("Content-Length", "0")
                handler.end_headers()
                return
        body = content[start:]
        if order.wrong:
            body = bytes(byte ^ 1 for byte in body)
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("Last-Modified", formatdate(TIME, usegmt=True))
        for name, value in order.headers:
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command == "HEAD":
            return
        body = body[: order.cut]
        step = len(body) or 1 if order.slow is None else max(1, order.slow // 20)
        for at in range(0, len(body), step):
            if at + step >= len(body):
                self._leave(asked)
            asked.sent += len(body[at : at + step])
            handler.wfile.write(body[at : at + step])
            if order.slow is not None and self.over.wait(0.05):
                break
        if order.cut is not None:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def served(web: Web, tls: tuple[Path, Path] | None = None) -> Iterator[Web]:
    """On loopback. `tls` are certificate and key."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 0
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            web.handle(self)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: object) -> None:
            """A client that was killed is no news."""

    server = Server(("127.0.0.1", web.port), Handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    web.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield web
    finally:
        web.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def authority(folder: Path, name: str = "127.0.0.1") -> tuple[Path, tuple[Path, Path]]:
    """The file of an authority, and certificate and key that it gave to that address."""
    folder.mkdir(exist_ok=True)

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder)

    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl(*new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca of a test")
    openssl(
        *new,
        *(
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
            "-subj",
            f"/CN={name}",
        ),
        *("-addext", f"subjectAltName=IP:{name}", "-addext", "basicConstraints=critical,CA:FALSE"),
    )
    return folder / "ca.pem", (folder / "cert.pem", folder / "key.pem")
