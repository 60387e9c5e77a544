"""One connection of the prober: a socket that never blocks, the wire on it, and the request under way."""

from __future__ import annotations

import socket

from lbkit.engine.promise import Promise
from lbkit.prove.exchange import Exchange, Http, Outcome, Tcp
from lbkit.prove.tally import Attempt
from lbkit.prove.wire import Plain, Tls, Wire, WireBroken

SMALL_BUFFER = 64 * 1024  # bytes the kernel may keep of a download: else all of it is there before it is read


class Connection:
    """`attempt` is None while nothing is asked: then whatever the peer does is no failure."""

    def __init__(self, connected: socket.socket, promise: Promise) -> None:
        connected.setblocking(False)
        self.socket = connected
        self.attempt: Attempt | None = None
        self.exchange: Exchange = Http(promise) if promise.mode == "http" else Tcp()
        self._wire: Wire
        if promise.tls is None:
            self._wire = Plain()
            self._wire.send(promise.preamble)
        else:
            self._wire = Tls(promise.tls, promise.preamble)
        self._outgoing = bytearray()

    def fileno(self) -> int:
        return self.socket.fileno()

    @property
    def established(self) -> bool:
        return self._wire.established

    @property
    def wants_to_write(self) -> bool:
        self._outgoing += self._wire.outgoing()
        return bool(self._outgoing)

    def begin(self, attempt: Attempt, path: str, *, last: bool) -> Outcome | None:
        self.attempt = attempt
        try:
            if attempt.kind == "download":
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
            self._wire.send(self.exchange.ask(path, last=last))
        except WireBroken as error:
            return self.exchange.broken(f"TLS failed ({error})")
        self.write()
        return None

    def write(self) -> None:
        """What can be written now. That the peer takes no more is no verdict: it may have answered already."""
        while self.wants_to_write:
            try:
                del self._outgoing[: self.socket.send(self._outgoing)]
            except BlockingIOError:
                return
            except OSError:
                self._outgoing.clear()

    def read(self, most: int) -> Outcome | None:
        """Read once, at most so many bytes; what became of the request, if that is known now."""
        try:
            raw = self.socket.recv(most)
        except BlockingIOError:
            return None
        except OSError as error:
            return self.exchange.broken(_words(error))
        try:
            data = self._wire.receive(raw)
        except WireBroken as error:
            return self.exchange.broken(f"TLS failed ({error})")
        self.write()
        if not data and not self._wire.ended and raw:
            return None
        return self.exchange.receive(data, ended=self._wire.ended or not raw)

    def is_quiet(self) -> bool:
        """Between requests: whether it is open, and nothing came that nobody asked for."""
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        self.socket.close()


def _words(error: OSError) -> str:
    return "reset" if isinstance(error, ConnectionResetError) else (error.strerror or str(error)).lower()
