"""One request and its response, or one connection of tcp mode, as bytes in and a verdict out. No sockets here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import h11

from lbkit.engine.promise import Promise

AMISS = frozenset({400, 408, 502, 503, 504})
"""What HAProxy answers itself where something is amiss (configuration manual, 1.3.1 "The Response line")."""

MOST_HEAD = 64 * 1024  # bytes of a response's headers


@dataclass(frozen=True, slots=True)
class Outcome:
    """`why` it is no success; "" where it is one. `cut`: a body began and ended short."""

    why: str = ""
    cut: bool = False


GOOD = Outcome()


class Exchange(Protocol):
    """One connection's part. `reusable`: the connection may carry another request."""

    reusable: bool
    length: int | None  # bytes of the body that comes, where that is known
    holds: bool  # to be kept open for a while is all that is asked of it

    def ask(self, path: str, *, last: bool) -> bytes:
        """The request's bytes. `last`: the connection shall be closed after it."""
        ...

    def receive(self, data: bytes, *, ended: bool) -> Outcome | None:
        """None while the response is not whole. `ended`: the peer sends no more."""
        ...

    def broken(self, why: str) -> Outcome:
        """The connection broke in the midst."""
        ...


class Http:
    """HTTP/1.1 as in RFC 9112. A request that gets no byte of an answer is lost, on a kept connection too.

    Browsers send such a request again where it is safe to; the promise is that nobody needs to. So a server has
    to announce that it closes (`Connection: close`), or to close while nothing is asked of it.
    """

    holds = False

    def __init__(self, promise: Promise) -> None:
        self.reusable = True
        self.length: int | None = None
        self._promise = promise
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEAD)
        self._status = 0
        self._bytes = 0
        self._body = 0

    def ask(self, path: str, *, last: bool) -> bytes:
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        self.length, self._status, self._bytes, self._body = None, 0, 0, 0
        headers = [("Host", self._promise.host_header), ("User-Agent", "lbkit-prove"), ("Accept", "*/*")]
        if last:
            headers.append(("Connection", "close"))
        request = self._http.send(h11.Request(method="GET", target=path, headers=headers))
        end = self._http.send(h11.EndOfMessage())
        return (request or b"") + (end or b"")

    def receive(self, data: bytes, *, ended: bool) -> Outcome | None:
        self._bytes += len(data)
        try:
            if data:
                self._http.receive_data(data)
            if ended and self._bytes:
                self._http.receive_data(b"")
            while self._bytes:
                event = self._http.next_event()
                if isinstance(event, h11.Response):
                    self._begun(event)
                elif isinstance(event, h11.Data):
                    self._body += len(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    self.reusable = self._http.their_state is h11.DONE and not ended
                    return self._judged()
                elif not isinstance(event, h11.InformationalResponse):
                    break
        except h11.RemoteProtocolError as error:
            self.reusable = False
            if ended:
                return self.broken("closed")
            return Outcome(f"an answer that is no HTTP: {error}")
        return self.broken("closed") if ended else None

    def broken(self, why: str) -> Outcome:
        self.reusable = False
        if not self._bytes:
            return Outcome(f"{why} without an answer")
        if not self._status:
            return Outcome(f"{why} in the headers of the answer")
        of = "" if self.length is None else f" of {self.length}"
        return Outcome(f"{why} after {self._body}{of} bytes of the body", cut=True)

    def _begun(self, response: h11.Response) -> None:
        self._status = response.status_code
        for name, value in response.headers:
            if name == b"content-length":
                self.length = int(value)

    def _judged(self) -> Outcome:
        first, last = self._promise.expect or (100, 599)
        amiss = self._promise.expect is None and self._status in AMISS
        return Outcome(f"status {self._status}") if amiss or not first <= self._status <= last else GOOD


class Tcp:
    """A connection that is accepted and kept. A proxy that has no server closes it at once, and says nothing."""

    holds = True
    length: int | None = None

    def __init__(self) -> None:
        self.reusable = False

    def ask(self, path: str, *, last: bool) -> bytes:
        return b""

    def receive(self, data: bytes, *, ended: bool) -> Outcome | None:
        if data:
            return GOOD
        return self.broken("closed") if ended else None

    def broken(self, why: str) -> Outcome:
        return Outcome(f"accepted, then {why}")
