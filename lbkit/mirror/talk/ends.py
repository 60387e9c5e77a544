"""The two ends of a conversation on TCP."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from lbkit.base.errors import Failure, LbkitError
from lbkit.mirror.talk.sealed import Message, Sealed, call, listen

_KNOWN_WITHIN = 5.0  # seconds that a caller has to show its key, all of it
_IDLE = 60.0  # seconds that one that is known may say nothing, and take nothing: it calls again
_PRESSED = 0.1  # seconds before the next try, where there are no descriptors for a connection
_CLOSED = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSOCK})
_SHORT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_AT_ONCE = 64  # conversations of one listener
_PIECE = 1 << 16

Answer = Callable[[str, Message], Message]
"""What to say to a caller, by the name of its key. A LbkitError is told to it as `failed`."""


class Unheard(Failure):
    """The other end is not there, or does not answer."""


def connections(listening: socket.socket) -> Iterator[socket.socket]:
    """Until the socket is closed, or shut down. What went wrong with one of them ends none of the others (accept(2), ERRORS)."""
    while True:
        try:
            yield listening.accept()[0]
        except OSError as error:
            if error.errno in _CLOSED:
                return
            if error.errno in _SHORT:
                time.sleep(_PRESSED)  # nothing tells when somebody closes one


class Deadline:
    """Of all that is read and written until a moment, however little comes at a time."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection = connection
        self._until = time.monotonic() + seconds

    def write(self, data: bytes) -> None:
        self._hold()
        self._connection.sendall(data)

    def some(self) -> bytes:
        self._hold()
        return _some(self._connection)

    def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            self._hold()
            data += _some(self._connection, count - len(data))
        return data

    def _hold(self) -> None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._connection.settimeout(left)


class Caller:
    """A conversation with a listener; reconnects for the next question where it was cut. For one thread."""

    def __init__(self, address: str, port: int, name: str, key: bytes, *, source: str = "") -> None:
        self._to = address, port
        self._name, self._key = name, key
        self._source = source
        self._open: tuple[socket.socket, Sealed] | None = None

    def ask(self, message: Message, *, timeout: float) -> Message:
        """The answer. Unheard where there is none within `timeout` seconds; Failure with the other's words where it would not."""
        try:
            until = time.monotonic() + timeout
            connection, sealed = self._connection(timeout)
            talk = Deadline(connection, until - time.monotonic())
            talk.write(sealed.seal(message))
            while not (found := sealed.take(talk.some())):
                continue
        except OSError as error:
            self.close()
            raise Unheard(
                f"{self._name} was to be asked at {self._to[0]} port {self._to[1]}",
                found=error.strerror or str(error) or type(error).__name__,
                remedy="look whether its service runs there",
            ) from error
        except LbkitError:
            self.close()
            raise
        if "failed" in found[0]:
            raise Failure(f"{self._name} was to do what it was told", found=str(found[0]["failed"])[:2000])
        return found[0]

    def close(self) -> None:
        if self._open is not None:
            self._open[0].close()
            self._open = None

    def _connection(self, timeout: float) -> tuple[socket.socket, Sealed]:
        if self._open is None:
            until = time.monotonic() + timeout
            source = (self._source, 0) if self._source else None
            connection = socket.create_connection(self._to, timeout, source)
            try:
                talk = Deadline(connection, until - time.monotonic())
                sealed = call(talk.read, talk.write, self._name, self._key)
            except BaseException:
                connection.close()
                raise
            self._open = connection, sealed
        return self._open

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(slots=True)
class Listener:
    """Answers callers, each in a thread of its own. To who has no key nothing is said but a nonce."""

    listening: socket.socket
    keys: Mapping[str, bytes]
    answer: Answer

    def run(self) -> None:
        """Until its socket is closed."""
        slots = threading.BoundedSemaphore(_AT_ONCE)
        for connection in connections(self.listening):
            if not slots.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(target=self._converse, args=(connection, slots), daemon=True).start()

    def _converse(self, connection: socket.socket, slots: threading.BoundedSemaphore) -> None:
        try:
            # who it was, and why it ended, is the other's to tell
            with connection, contextlib.suppress(OSError, LbkitError):
                stranger = Deadline(connection, _KNOWN_WITHIN)
                name, sealed = listen(stranger.read, stranger.write, self.keys)
                connection.settimeout(_IDLE)
                while True:
                    for message in sealed.take(_some(connection)):
                        connection.sendall(sealed.seal(self._answered(name, message)))
        finally:
            slots.release()

    def _answered(self, name: str, message: Message) -> Message:
        try:
            return self.answer(name, message)
        except LbkitError as error:
            return {"failed": f"{error.wanted}: {error.found}"}


def _some(connection: socket.socket, most: int = _PIECE) -> bytes:
    data = connection.recv(most)
    if not data:
        raise ConnectionResetError("it closed the connection")
    return data
