"""JSON lines on a connected socket, of either end of the keeper's control."""

from __future__ import annotations

import json
import socket
from typing import Any

from lbkit.base.errors import Failure

Message = dict[str, Any]

_PIECE = 1 << 16


class Closed(Failure):
    """The other end has gone."""


class Lines:
    """One end. `most` are the bytes of the longest line that it takes. For one thread."""

    def __init__(self, connection: socket.socket, most: int) -> None:
        self._connection = connection
        self._most = most
        self._buffer = bytearray()

    def say(self, message: Message) -> None:
        """Closed where nobody takes it within the socket's timeout."""
        try:
            self._connection.sendall(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        except OSError as error:
            raise _gone(error) from error

    def take(self) -> Message | None:
        """The next one; None: the other end has said all. Closed where none comes within the socket's timeout, Failure where it is none."""
        seen = 0
        while (end := self._buffer.find(b"\n", seen)) < 0:
            seen = len(self._buffer)
            if seen > self._most:
                break
            try:
                piece = self._connection.recv(_PIECE)
            except OSError as error:
                raise _gone(error) from error
            if not piece:
                if self._buffer:
                    raise _bad("its end is not there")
                return None
            self._buffer += piece
        if not 0 <= end <= self._most:
            raise _bad(f"it is longer than {self._most:,} bytes")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return _message(line)


def _message(line: bytes) -> Message:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _bad(f"it is no JSON: {line[:100]!r}") from error
    if not isinstance(found, dict):
        raise _bad(f"it is no object: {line[:100]!r}")
    return found


def _bad(found: str) -> Failure:
    return Failure("a line of JSON was to come", found=found)


def _gone(error: OSError) -> Closed:
    return Closed("the other end was to talk on", found=error.strerror or str(error) or type(error).__name__)
