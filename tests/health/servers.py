"""Servers that behave well and badly, each a thread on a port of 127.0.0.1."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

Talk = Callable[[socket.socket], None]


@contextmanager
def serving(talk: Talk, *, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port where `talk` is had with everyone who comes. `tls` is wrapped around it."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
    over = threading.Event()

    def one(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.settimeout(20)
            if tls is None:
                talk(connection)
            else:
                with tls.wrap_socket(connection, server_side=True) as inner:
                    talk(inner)

    def listen() -> None:
        while not over.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


@contextmanager
def refusing() -> Iterator[int]:
    """A port that is taken, and where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextmanager
def full() -> Iterator[int]:
    """A port whose queue is full: who connects hears nothing at all."""
    with socket.socket() as listener, socket.socket() as first:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        first.connect(listener.getsockname())
        yield listener.getsockname()[1]


def answering(*parts: bytes, stay: bool = False) -> Talk:
    """Reads one request (up to an empty line), says `parts`, and closes, or stays until the other closes."""

    def talk(connection: socket.socket) -> None:
        said = b""
        while b"\r\n\r\n" not in said:
            data = connection.recv(4096)
            if not data:
                return
            said += data
        for part in parts:
            connection.sendall(part)
        if stay:
            _wait_for_end(connection)

    return talk


def http(status: int, body: bytes = b"", *, stay: bool = False) -> Talk:
    head = f"HTTP/1.1 {status} Words\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return answering(head + body, stay=stay)


def greeting(words: bytes) -> Talk:
    """Says something first, as mail servers do, and stays."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(words)
        _wait_for_end(connection)

    return talk


def silent(connection: socket.socket) -> None:
    _wait_for_end(connection)


def closing(connection: socket.socket) -> None:
    connection.recv(4096)


def replying(question: bytes, answer: bytes) -> Talk:
    """One word for another."""

    def talk(connection: socket.socket) -> None:
        said = b""
        while not said.endswith(question):
            data = connection.recv(4096)
            if not data:
                return
            said += data
        connection.sendall(answer if said == question else b"-ERR what?\r\n")
        _wait_for_end(connection)

    return talk


def behind_proxy(answer: bytes) -> Talk:
    """Answers who begins with a line of the PROXY protocol that says where it comes from and where it went."""

    def talk(connection: socket.socket) -> None:
        lines = connection.makefile("rb")
        here, there = connection.getsockname(), connection.getpeername()
        if lines.readline() == f"PROXY TCP4 {there[0]} {here[0]} {there[1]} {here[1]}\r\n".encode():
            lines.readline()
            connection.sendall(answer)
        _wait_for_end(connection)

    return talk


def _wait_for_end(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def certificate(folder: Path, name: str) -> Path:
    """A self-signed one with its key, good for `name`: a PEM file that is its own CA too."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])
    alternatives = [x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def tls_server(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
