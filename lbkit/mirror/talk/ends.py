"""The two ends of a conversation on TCP."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from lbkit.base.errors import Failure, LbkitError
from lbkit.mirror.talk.sealed import Message, Sealed, call, listen

_KNOWN_WITHIN = 5.0  # seconds that a caller has to show its key
_AT_ONCE = 64  # conversations of one listener
_PIECE = 1 << 16

Answer = Callable[[str, Message], Message]
"""What to say to a caller, by the name of its key. A LbkitError is told to it as `failed`."""


class Unheard(Failure):
    """The other end is not there, or does not answer."""


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
            connection, sealed = self._connection(timeout)
            connection.settimeout(timeout)
            connection.sendall(sealed.seal(message))
            while not (found := sealed.take(_some(connection))):
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
            source = (self._source, 0) if self._source else None
            connection = socket.create_connection(self._to, timeout, source)
            try:
                sealed = call(_reader(connection), connection.sendall, self._name, self._key)
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
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            if not slots.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(target=self._converse, args=(connection, slots), daemon=True).start()

    def _converse(self, connection: socket.socket, slots: threading.BoundedSemaphore) -> None:
        try:
            # who it was, and why it ended, is the other's to tell
            with connection, contextlib.suppress(OSError, LbkitError):
                connection.settimeout(_KNOWN_WITHIN)
                name, sealed = listen(_reader(connection), connection.sendall, self.keys)
                connection.settimeout(None)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
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


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(_PIECE)
    if not data:
        raise ConnectionResetError("it closed the connection")
    return data


def _reader(connection: socket.socket) -> Callable[[int], bytes]:
    def read(count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = connection.recv(count - len(data))
            if not piece:
                raise ConnectionResetError("it closed the connection")
            data += piece
        return data

    return read
