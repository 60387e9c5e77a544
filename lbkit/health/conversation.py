"""One conversation with one server, from connecting to the verdict: a generator that says what it waits for.

The steps, their deadlines and the names of their failures are those of HAProxy's tcpcheck.c: connecting and TLS
have the connect timeout, which is never more than the interval; the answer has the check's own.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Generator
from errno import EINPROGRESS
from selectors import EVENT_READ, EVENT_WRITE

from lbkit.health.answer import judge
from lbkit.health.outcome import Target, Verdict
from lbkit.health.question import Question

Wait = tuple[int, float]
"""EVENT_READ or EVENT_WRITE, and until when (monotonic seconds)."""
Conversation = Generator[Wait, bool, Verdict]
"""Sent True when the socket is ready, False when the time is up."""

_LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"  # proxy-protocol.txt, 2.2: a connection of the proxy's own
_READ = 16384


class _TimeUp(Exception):
    pass


def converse(
    connection: socket.socket,
    target: Target,
    question: Question,
    context: ssl.SSLContext | None,
    clock: Callable[[], float],
) -> Conversation:
    """`connection` is not blocking and not connected; the conversation closes it. `context`: by `context_of`."""
    line = connection
    try:
        until = clock() + question.connect_within
        number = line.connect_ex((target.address, question.port or target.port))
        if number == EINPROGRESS:
            if not (yield EVENT_WRITE, until):
                return Verdict("L4TOUT", f"no connection within {question.connect_within:g} s")
            number = line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            return Verdict("L4CON", os.strerror(number))
        if question.is_silent:
            # a reset instead of the usual end leaves no port waiting, as HAProxy does it
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if question.proxy_protocol:
            yield from _send(line, _proxy_line(line, question.proxy_protocol), until)
        if context is not None:
            # from here on the descriptor is the TLS socket's
            line = tls = context.wrap_socket(
                connection,
                do_handshake_on_connect=False,
                server_hostname=question.tls.name if question.tls else None,
            )
            refused = yield from _shake_hands(tls, until)
            if refused is not None:
                return refused
        if not (question.request or question.listens):
            return Verdict("L6OK", "TLS begins") if context else Verdict("L4OK", "it accepts connections")
        until = clock() + question.answer_within
        yield from _send(line, question.request, until)
        if not question.listens:
            return Verdict("L7OK", "it took what was sent")
        return (yield from _listen(line, question, until))
    except _TimeUp:
        return Verdict("L7TOUT", f"no whole answer within {question.answer_within:g} s")
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


def _listen(line: socket.socket, question: Question, until: float) -> Generator[Wait, bool, Verdict]:
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
        verdict = judge(question, said, ended=not data)
        if verdict is not None:
            return verdict


def context_of(question: Question) -> ssl.SSLContext | None:
    """For all conversations of one question: making it takes longer than having one."""
    tls = question.tls
    if tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = tls.ca is not None and bool(tls.name)
    context.verify_mode = ssl.CERT_REQUIRED if tls.ca is not None else ssl.CERT_NONE
    if tls.ca is not None:
        context.load_verify_locations(cadata=tls.ca)
    return context
