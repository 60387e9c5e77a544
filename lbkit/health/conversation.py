"""One conversation with one server, from connecting to the verdict: a generator that says what it waits for.

The steps, their deadlines and the names of their failures are those of HAProxy's tcpcheck.c: connecting and TLS
have the connect timeout, which is never more than the interval; the answer has the check's own.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Generator
from dataclasses import dataclass
from errno import EINPROGRESS
from selectors import EVENT_READ, EVENT_WRITE
from typing import Literal

from lbkit.health.answer import judge
from lbkit.health.outcome import Target, Verdict
from lbkit.health.spec import HealthCheck
from lbkit.health.values import octets

Wait = tuple[int, float]
"""EVENT_READ or EVENT_WRITE, and until when (monotonic seconds)."""
Conversation = Generator[Wait, bool, Verdict]
"""Sent True when the socket is ready, False when the time is up."""

_LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"  # proxy-protocol.txt, 2.2: a connection of the proxy's own
_READ = 16384


@dataclass(frozen=True, slots=True)
class ServerTls:
    """How traffic speaks TLS to servers. `ca`: PEM of who must have signed the server's certificate; None: anyone.

    `name`: what the certificate must be for; None: it is not looked at.
    """

    ca: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    """How traffic goes to the servers: a check of the same port goes the same way. `connect_timeout` in seconds."""

    tls: ServerTls | None = None
    proxy_protocol: Literal[0, 1, 2] = 0
    connect_timeout: float = 5.0


class Asking:
    """A check, ready to be carried out at many servers."""

    def __init__(self, check: HealthCheck, traffic: Traffic, *, host: str) -> None:
        self.check = check
        own_port = check.port is not None
        self.connect_within = min(traffic.connect_timeout, check.interval)
        self.answer_within = check.timeout
        inherited = 0 if own_port else traffic.proxy_protocol
        self.proxy_protocol = inherited or (1 if check.proxy_protocol else 0)
        tls = traffic.tls if check.forces_tls or not own_port else None
        self.context = _context(tls or ServerTls(), check) if check.forces_tls or tls else None
        self.server_name = check.server_name or (tls.name if tls else None)
        self.request = _request(check, host) if check.is_http else octets(check.send) if check.send else b""
        self.listens = (
            check.is_http or check.expect.answer is not None or check.expect.answer_regex is not None
        )

    def where(self, target: Target) -> tuple[str, int]:
        return target.address, self.check.port or target.port


class _TimeUp(Exception):
    pass


def converse(
    connection: socket.socket, target: Target, asking: Asking, clock: Callable[[], float]
) -> Conversation:
    """`connection` is not blocking and not connected; the conversation closes it."""
    line = connection
    silent = not (asking.context or asking.request or asking.listens or asking.proxy_protocol)
    try:
        until = clock() + asking.connect_within
        number = line.connect_ex(asking.where(target))
        if number == EINPROGRESS:
            if not (yield EVENT_WRITE, until):
                return Verdict("L4TOUT", f"no connection within {asking.connect_within:g} s")
            number = line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            return Verdict("L4CON", os.strerror(number))
        if silent:
            # a reset instead of the usual end leaves no port waiting, as HAProxy does it
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if asking.proxy_protocol:
            yield from _send(line, _proxy_line(line, asking.proxy_protocol), until)
        if asking.context is not None:
            # from here on the descriptor is the TLS socket's
            line = tls = asking.context.wrap_socket(
                connection, do_handshake_on_connect=False, server_hostname=asking.server_name
            )
            refused = yield from _shake_hands(tls, until)
            if refused is not None:
                return refused
        if not (asking.request or asking.listens):
            return (
                Verdict("L6OK", "TLS begins") if asking.context else Verdict("L4OK", "it accepts connections")
            )
        until = clock() + asking.answer_within
        yield from _send(line, asking.request, until)
        if not asking.listens:
            return Verdict("L7OK", "it took what was sent")
        return (yield from _listen(line, asking, until))
    except _TimeUp:
        return Verdict("L7TOUT", f"no whole answer within {asking.answer_within:g} s")
    except OSError as error:
        return Verdict("SOCKERR", error.strerror or str(error))
    finally:
        line.close()


def _proxy_line(line: socket.socket, version: int) -> bytes:
    """What HAProxy says of a check's own connection (seen at 2.6 and 3.0)."""
    if version == 2:
        return _LOCAL
    (source, out, *_), (to, port, *_) = line.getsockname(), line.getpeername()
    return f"PROXY TCP{6 if ':' in to else 4} {source} {to} {out} {port}\r\n".encode()


def _shake_hands(line: ssl.SSLSocket, until: float) -> Generator[Wait, bool, Verdict | None]:
    while True:
        try:
            line.do_handshake()
        except ssl.SSLWantReadError:
            event = EVENT_READ
        except ssl.SSLWantWriteError:
            event = EVENT_WRITE
        except ssl.SSLCertVerificationError as error:
            return Verdict("L6RSP", f"its certificate is not good: {error.verify_message}")
        except (OSError, ValueError) as error:
            return Verdict("L6RSP", f"TLS does not begin: {getattr(error, 'reason', None) or error}")
        else:
            return None
        if not (yield event, until):
            return Verdict("L6TOUT", "it accepts connections, but TLS does not begin in time")


def _send(line: socket.socket, data: bytes, until: float) -> Generator[Wait, bool, None]:
    while data:
        try:
            data = data[line.send(data) :]
        except ssl.SSLWantReadError:
            event = EVENT_READ
        except (BlockingIOError, ssl.SSLWantWriteError):
            event = EVENT_WRITE
        else:
            continue
        if not (yield event, until):
            raise _TimeUp


def _listen(line: socket.socket, asking: Asking, until: float) -> Generator[Wait, bool, Verdict]:
    said = b""
    while True:
        try:
            data = line.recv(_READ)
        except (BlockingIOError, ssl.SSLWantReadError):
            event = EVENT_READ
        except ssl.SSLWantWriteError:
            event = EVENT_WRITE
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            data, event = b"", 0
        else:
            event = 0
        if event:
            if not (yield event, until):
                raise _TimeUp
            continue
        said += data
        verdict = judge(asking.check, said, ended=not data)
        if verdict is not None:
            return verdict


def _context(tls: ServerTls, check: HealthCheck) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = tls.ca is not None and bool(tls.name or check.server_name)
    context.verify_mode = ssl.CERT_REQUIRED if tls.ca is not None else ssl.CERT_NONE
    if tls.ca is not None:
        context.load_verify_locations(cadata=tls.ca)
    return context


def _request(check: HealthCheck, host: str) -> bytes:
    headers = {"Host": check.host or host, **check.headers}
    if not any(name.lower() == "user-agent" for name in headers):
        headers["User-Agent"] = "lbkit"
    headers["Connection"] = "close"
    if check.method == "POST":
        headers["Content-Length"] = "0"
    lines = [
        f"{check.method} {check.path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
