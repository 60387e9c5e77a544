"""Clients that speak TLS: what certificate they are shown, and what they are answered."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from cryptography import x509

from tests.haproxy.tls.authority import Authority
from tests.haproxy.tls.http2 import Http2


@dataclass(frozen=True)
class Seen:
    serial: int
    alpn: str | None
    version: str | None
    cipher: str


def trusting(*authorities: Authority, alpn: tuple[str, ...] = (), check_name: bool = True) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for authority in authorities:
        context.load_verify_locations(cadata=authority.pem.decode())
    context.check_hostname = check_name
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def handshake(port: int, name: str | None, context: ssl.SSLContext, *, at: str = "127.0.0.1") -> Seen:
    with (
        socket.create_connection((at, port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=name) as spoken,
    ):
        shown = spoken.getpeercert(binary_form=True)
        assert shown is not None
        certificate = x509.load_der_x509_certificate(shown)
        cipher = spoken.cipher()
        return Seen(
            certificate.serial_number,
            spoken.selected_alpn_protocol(),
            spoken.version(),
            cipher[0] if cipher else "",
        )


class Connection(http.client.HTTPSConnection):
    """HTTPS to 127.0.0.1 under another name: SNI and the Host header say `name`."""

    def __init__(self, port: int, name: str, context: ssl.SSLContext) -> None:
        super().__init__(name, port, timeout=10, context=context)
        self._tls = context
        self._name = name

    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self._name)

    def get(self, path: str = "/") -> tuple[int, str]:
        self.request("GET", path, headers={"Host": self._name})
        response = self.getresponse()
        return response.status, response.read().decode()


def get(port: int, name: str, context: ssl.SSLContext) -> tuple[int, str]:
    connection = Connection(port, name, context)
    try:
        return connection.get()
    finally:
        connection.close()


@dataclass
class Clients:
    """What steady clients met. `http2`: how many of `requests` were over HTTP/2."""

    requests: int = 0
    http2: int = 0
    failed: list[str] = field(default_factory=list)


@contextmanager
def steady_clients(
    port: int, names: Sequence[str], context: ssl.SSLContext, *, http2: int = 0
) -> Iterator[Clients]:
    """For each name a client with a new connection for each request, and one that keeps its connection; and
    `http2` that keep one of HTTP/2, with several requests on it at a time.

    A kept connection that ends between two requests, or says that it will, is opened anew, as any client does.
    """
    clients = Clients()
    over = threading.Event()

    def one(name: str, *, keep: bool) -> None:
        connection: Connection | None = None
        while not over.wait(0.002):
            connection = connection or Connection(port, name, context)
            try:
                status, _ = connection.get()
                if status != 200:
                    clients.failed.append(str(status))
                closes = connection.sock is None
            except (OSError, http.client.HTTPException) as error:
                clients.failed.append(repr(error))
                closes = True
            clients.requests += 1
            if closes or not keep:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def two(name: str) -> None:
        connection: Http2 | None = None
        while not over.wait(0.002):
            try:
                connection = connection or Http2(port, name)
                statuses = connection.get(3)
            except OSError as error:
                clients.failed.append(f"HTTP/2: {error!r}")
                connection = None
                continue
            clients.failed += [f"HTTP/2: {status}" for status in statuses if status != 200]
            clients.http2 += len(statuses)
            clients.requests += len(statuses)
            if connection.ends:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    threads = [
        threading.Thread(target=one, args=(name,), kwargs={"keep": keep}) for name in names for keep in (0, 1)
    ]
    threads += [threading.Thread(target=two, args=(names[index % len(names)],)) for index in range(http2)]
    for thread in threads:
        thread.start()
    try:
        yield clients
    finally:
        over.set()
        for thread in threads:
            thread.join()
