"""Clients that speak TLS: what certificate they are shown, and what they are answered."""

from __future__ import annotations

import http.client
import socket
import ssl
from dataclasses import dataclass

from cryptography import x509

from tests.haproxy.tls.authority import Authority


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


def handshake(port: int, name: str | None, context: ssl.SSLContext) -> Seen:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
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
