"""One port of the guest's program, and the session that it carries: what is asked there is handed to workers."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import Any

from lbkit.base.errors import Bug, Failure, LbkitError
from lbkit.machine.guest import faults, message
from lbkit.machine.guest.channels import Channels, Event
from lbkit.machine.guest.frames import Kind
from lbkit.machine.guest.guest import Guest
from lbkit.machine.guest.hello import read_hello
from lbkit.machine.guest.pump import Pump
from lbkit.machine.guest.wire import Wire
from lbkit.machine.guest.workers import Workers


class Door:
    """A `Party`. Its methods are for the pump's thread; those that begin with `_do` for a worker's."""

    def __init__(self, guest: Guest, pump: Pump, workers: Workers, closed: Callable[[], None]) -> None:
        self._guest = guest
        self._closed = closed
        self._pump = pump
        self._workers = workers
        self._wire: Wire | None = None
        self._calls: dict[int, bytearray] = {}
        self._session = (
            object()
        )  # another one for each session: what was asked in a former one is not answered

    @property
    def is_open(self) -> bool:
        """Whether it has a wire: a port always, a unix socket while somebody is connected."""
        return self._wire is not None

    @property
    def idle(self) -> bool:
        """Nothing is half asked, or waits to be written."""
        return not self._calls and (self._wire is None or self._wire.idle)

    @property
    def in_doubt(self) -> bool:
        return self._wire is not None and self._wire.in_doubt

    def settle(self) -> None:
        """See `Wire.settle`."""
        if self._wire is not None:
            self._wire.settle()

    def open(self, descriptor: int, *, stays: bool) -> None:
        """Whoever is at the other end learns that all that was before is over."""
        channels = Channels(opens=False)
        channels.hello(self._guest.hello("").as_data())
        self._wire = Wire(self._pump, descriptor, self, channels, stays=stays)

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def hello(self, data: bytes) -> None:
        session = read_hello(data).session
        self._forget()
        channels = Channels(opens=False)
        channels.hello(self._guest.hello(session).as_data())
        if self._wire is not None:
            self._wire.begun = True
            self._wire.renew(channels)

    def lost(self, reason: str) -> None:
        self._forget()
        if self._wire is not None and self._wire.closed:
            self._wire = None
            self._closed()
        elif self._wire is not None and self._wire.begun:
            # it is there, and does not make sense: it may begin anew
            self._wire.channels.hello(self._guest.hello("").as_data())

    def event(self, event: Event) -> None:
        call = self._calls.get(event.channel)
        match event.kind:
            case Kind.OPEN:
                self._opened(event.channel, event.data)
            case Kind.DATA if call is not None:
                call += event.content
                self._channels.taken(event.channel, len(event.content))
                if len(call) > message.MOST:
                    del self._calls[event.channel]
                    self._refuse(
                        event.channel, Failure("a call was to fit in memory", found="it is too long")
                    )
            case Kind.END if call is not None:
                del self._calls[event.channel]
                session = self._session
                self._workers.do(lambda: self._do_call(session, event.channel, bytes(call)))
            case Kind.RESET:
                self._calls.pop(event.channel, None)

    @property
    def _channels(self) -> Channels:
        assert self._wire is not None  # noqa: S101 - events come from it
        return self._wire.channels

    def _forget(self) -> None:
        self._calls.clear()
        self._session = object()

    def _opened(self, channel: int, what: Any) -> None:
        session = self._session
        match what:
            case {"to": "call"}:
                self._calls[channel] = bytearray()
            case {"to": "unix" | "tcp"}:
                self._workers.do(lambda: self._do_connect(session, channel, what))
            case _:
                self._refuse(channel, Failure("a channel was to lead somewhere", found=repr(what)[:200]))

    def _refuse(self, channel: int, error: LbkitError) -> None:
        self._channels.reset(channel, faults.as_data(error))
        if self._wire is not None:
            self._wire.kick()

    def _do_call(self, session: object, channel: int, request: bytes) -> None:
        answer = b""
        try:
            data, payload = message.unpack(request)
            result, content = self._guest.answer(str(data.get("method")), data.get("params"), payload)
            answer = message.pack({"result": result}, content)
        except LbkitError as error:
            answer = message.pack({"error": faults.as_data(error)})
        finally:
            # an exception that nobody foresaw ends this thread, and is on stderr; who asked learns of it too
            answer = answer or message.pack({"error": faults.as_data(_unforeseen())})
            self._pump.submit(lambda: self._answer(session, channel, answer))

    def _do_connect(self, session: object, channel: int, what: dict[str, Any]) -> None:
        found: socket.socket | LbkitError | None = None
        try:
            found = self._guest.connect(what)
        except LbkitError as error:
            found = error
        finally:
            result = _unforeseen() if found is None else found
            self._pump.submit(lambda: self._connected(session, channel, result))

    def _answer(self, session: object, channel: int, answer: bytes) -> None:
        if session is self._session and self._wire is not None:
            self._wire.channels.send(channel, answer)
            self._wire.channels.end(channel)
            self._wire.kick()

    def _connected(self, session: object, channel: int, found: socket.socket | LbkitError) -> None:
        current = session is self._session and self._wire is not None
        if isinstance(found, LbkitError):
            if current:
                self._refuse(channel, found)
        elif current and self._channels.has(channel):
            self._channels.opened(channel)
            self._wire.join(channel, found)  # type: ignore[union-attr]
        else:
            found.close()


def _unforeseen() -> Bug:
    error = sys.exc_info()[1]
    return Bug("the guest's program was to answer", found=repr(error))
