"""The host's end of a session with a guest's program: calls, and sockets inside the guest."""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from lbkit.base.errors import Failure, LbkitError
from lbkit.machine.guest import faults, message
from lbkit.machine.guest.channels import MOST_CHANNELS, Channels, Event
from lbkit.machine.guest.frames import PROTOCOL, Broken, Kind
from lbkit.machine.guest.hello import Hello, read_hello
from lbkit.machine.guest.pump import Pump
from lbkit.machine.guest.wire import Wire

HELLO_WITHIN = 10.0
"""Seconds until a guest's program must have answered that it is there."""

SILENCE = 20.0
"""Seconds without a word, while something is expected, after which the guest is asked for a sign of life."""

GONE_AFTER = 40.0
"""Seconds from that question until it is given up. An emulated guest under load is slow, and a saved one stands still."""


class GuestGone(Failure):
    """The guest's program does not answer any more, or never did. `untried`: what was asked of it has not begun."""

    def __init__(self, found: str, *, where: str, untried: bool = False) -> None:
        self.untried = untried
        super().__init__(
            "the guest's program was to answer",
            found=found,
            where=where,
            remedy="`lbkit explain` says whether the machine runs; apply replaces one that is dead",
        )


class TooLate(Failure):
    """The guest lives, but one call was not answered in time. It may be carried out all the same."""


@dataclass(slots=True)
class _Expected:
    """An answer that somebody waits for."""

    answer: SimpleQueue[Any] = field(default_factory=SimpleQueue)  # the message, a socket, or an error
    body: bytearray = field(default_factory=bytearray)
    channel: int = 0
    socket: bool = False


class Session:
    """Over any connected stream socket, which it owns. Its calls are for any thread; one of its own does the moving.

    Making one waits for the guest's hello, at most `within` seconds. Raises GuestGone; Failure where the guest's
    program speaks another protocol. After `idle` seconds in which nobody asks anything it closes by itself.
    `release` is called once the connection is closed.
    """

    def __init__(
        self,
        connection: socket.socket,
        *,
        where: str = "",
        within: float = HELLO_WITHIN,
        idle: float | None = None,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self.where = where
        self._release = release
        self._idle = idle
        self._number = secrets.token_hex(8)
        self._hello: SimpleQueue[Hello | GuestGone] = SimpleQueue()
        self._greeted = False
        self._expected: dict[int, _Expected] = {}
        self._gone: GuestGone | None = None
        self._lock = threading.Lock()  # between "is it gone?" and "I wait"
        self._closing = False
        self._ended = threading.Event()
        self._quiet_since = time.monotonic()  # or since nothing is expected
        self._pinged = False
        connection.setblocking(False)
        self._pump = Pump()
        self._wire = Wire(self._pump, connection.detach(), self, Channels(opens=True))
        self._wire.begun = False
        self._wire.channels.hello(Hello(self._number).as_data())
        self._thread = threading.Thread(target=self._run, name="lbkit-guest-session", daemon=True)
        self._thread.start()
        self.guest = self._greeting(within)

    @property
    def gone(self) -> GuestGone | None:
        """Why nothing can be asked any more."""
        return self._gone

    def call(
        self, method: str, params: dict[str, Any], payload: bytes = b"", *, timeout: float = 30.0
    ) -> tuple[Any, bytes]:
        """The result and its payload. Raises what the guest raised; GuestGone; TooLate after `timeout` seconds."""
        request = message.pack({"method": method, "params": params}, payload)
        if len(request) > message.MOST:
            raise Failure(
                f"{method} was to be asked of the guest",
                found=f"{len(request) >> 20} MiB",
                where=self.where,
                remedy=f"at most {message.MOST >> 20} MiB at once",
            )
        data, content = message.unpack(self._ask({"to": "call"}, request, timeout, method))
        if "error" in data:
            raise faults.from_data(data["error"])
        return data.get("result"), content

    def open_unix(self, path: str, *, timeout: float = 5.0) -> socket.socket:
        """A unix stream socket in the guest, connected, as one end of a pair. It blocks, for `timeout` seconds at most.

        Where the guest's end fails, or the guest goes away, the socket ends as if it had been closed.
        """
        return self._socket({"to": "unix", "path": path, "timeout": timeout}, timeout)

    def open_tcp(self, address: str, port: int, *, timeout: float = 5.0) -> socket.socket:
        """As `open_unix`, dialled by TCP from inside the guest."""
        return self._socket({"to": "tcp", "address": address, "port": port, "timeout": timeout}, timeout)

    def close(self) -> None:
        """Whoever still waits gets a GuestGone; sockets that were opened end."""
        self._pump.submit(self._close)
        if self._thread is not threading.current_thread():
            self._thread.join()

    def wait_until_gone(self, timeout: float) -> bool:
        """Until the guest's program ends the session, or it is closed; at most so many seconds."""
        return self._ended.wait(timeout)

    def abandon(self) -> None:
        """In a child that was forked: let go of what is the parent's, and disturb nothing."""
        self._gone = GuestGone("this process was forked from the one that had the session", where=self.where)
        self._wire.abandon()
        self._pump.abandon()
        self._release()

    # What follows waits in the caller's thread.

    def _greeting(self, within: float) -> Hello:
        try:
            found = self._hello.get(timeout=within)
        except Empty:
            found = GuestGone(f"no answer for {within:g} s", where=self.where)
        if isinstance(found, Hello) and found.protocol == PROTOCOL:
            return found
        self.close()
        if isinstance(found, GuestGone):
            found.untried = True
            raise found
        raise Failure(
            f"the guest's program was to speak protocol {PROTOCOL}",
            found=f"it speaks {found.protocol}",
            where=self.where,
            remedy="apply with the lbkit that made the machine, or have the machine replaced",
        )

    def _socket(self, what: dict[str, Any], timeout: float) -> socket.socket:
        connection = self._ask(what, b"", timeout + 5.0, what["to"])
        assert isinstance(connection, socket.socket)  # noqa: S101 - of the two that `_ask` gives
        connection.settimeout(timeout)
        return connection

    def _ask(self, what: Any, request: bytes, timeout: float, name: str) -> Any:
        expected = _Expected(socket=not request)
        with self._lock:
            if self._gone is not None:
                raise GuestGone(self._gone.found, where=self.where, untried=True)
            self._pump.submit(lambda: self._begin(expected, what, request))
        try:
            answer = expected.answer.get(timeout=timeout)
        except Empty:
            self._pump.submit(lambda: self._give_up(expected))
            raise TooLate(
                f"the guest's program was to answer to {name}",
                found=f"no answer within {timeout:g} s",
                where=self.where,
                remedy="look at the guest's load",
            ) from None
        if isinstance(answer, LbkitError):
            raise answer
        return answer

    # What follows is done by the session's thread.

    def _run(self) -> None:
        while not self._closing:
            now = time.monotonic()
            heard, busy = self._wire.heard, self._busy
            wait = self._patience(now)
            self._pump.turn(wait)
            # what comes unasked keeps no session: a port is not the guest's to hold
            if busy != self._busy or (busy and heard != self._wire.heard):
                self._quiet_since, self._pinged = time.monotonic(), False
        self._pump.close()
        self._release()
        self._ended.set()

    def _patience(self, now: float) -> float | None:
        """Seconds to wait; what is to be done where nothing was heard for too long, is done here."""
        if not self._busy:
            return self._rest(now)
        limit = GONE_AFTER if self._pinged else SILENCE
        left = self._quiet_since + limit - now
        if left > 0:
            return left
        if self._pinged:
            self.lost(f"no sign of life for {SILENCE + GONE_AFTER:g} s")
            return 0.0
        self._pinged, self._quiet_since = True, now
        self._wire.channels.ping()
        self._wire.kick()
        return GONE_AFTER

    def _rest(self, now: float) -> float | None:
        """A session that nobody uses makes room for another process."""
        if self._idle is None or not self._greeted:
            return None
        left = self._quiet_since + self._idle - now
        if left > 0:
            return left
        with self._lock:
            if not self._pump.asked:
                self._gone = GuestGone("nobody asked for long", where=self.where)
        if self._gone is not None:
            self._close()
        return 0.0

    @property
    def _busy(self) -> bool:
        return self._greeted and bool(self._expected or self._wire.joined)

    def hello(self, data: bytes) -> None:
        found = read_hello(data)
        if found.session == self._number and not self._greeted:
            self._greeted = self._wire.begun = True
            self._quiet_since = time.monotonic()
            self._hello.put(found)
        elif self._greeted:  # else: what was meant for who had the port before
            raise Broken("the guest's program was started anew")

    def event(self, event: Event) -> None:
        expected = self._expected.get(event.channel)
        channels = self._wire.channels
        if expected is None:
            return
        match event.kind:
            case Kind.OPENED if expected.socket:
                del self._expected[event.channel]
                ours, theirs = socket.socketpair()
                self._wire.join(event.channel, ours)
                expected.answer.put(theirs)
            case Kind.DATA:
                expected.body += event.content
                channels.taken(event.channel, len(event.content))
                if len(expected.body) > message.MOST:
                    self._answered(event.channel, Broken("an answer that is too long"))
                    channels.reset(event.channel, None)
            case Kind.END:
                self._answered(event.channel, bytes(expected.body))
                channels.reset(event.channel, None)
            case Kind.RESET:
                self._answered(event.channel, faults.from_data(event.data))

    def lost(self, reason: str) -> None:
        with self._lock:
            if self._gone is None:
                self._gone = GuestGone(reason, where=self.where)
        self._hello.put(self._gone)
        for channel in list(self._expected):
            self._answered(channel, GuestGone(reason, where=self.where))
        self._close()

    def _answered(self, channel: int, answer: Any) -> None:
        self._expected.pop(channel).answer.put(answer)

    def _begin(self, expected: _Expected, what: Any, request: bytes) -> None:
        if self._gone is not None:
            expected.answer.put(GuestGone(self._gone.found, where=self.where, untried=True))
            return
        channels = self._wire.channels
        if len(channels) >= MOST_CHANNELS:
            expected.answer.put(
                Failure(
                    "something was to be asked of the guest",
                    found=f"{MOST_CHANNELS} calls and sockets are under way",
                    where=self.where,
                    remedy="ask less at a time",
                )
            )
            return
        expected.channel = channels.open(what)
        self._expected[expected.channel] = expected
        if request:
            channels.send(expected.channel, request)
            channels.end(expected.channel)
        self._wire.kick()

    def _give_up(self, expected: _Expected) -> None:
        if self._expected.pop(expected.channel, None) is not None:
            self._wire.channels.reset(expected.channel, None)
            self._wire.kick()
            return
        with contextlib.suppress(Empty):  # it came just now
            late = expected.answer.get_nowait()
            if isinstance(late, socket.socket):
                late.close()

    def _close(self) -> None:
        if self._closing:
            return
        self._closing = True
        with self._lock:
            if self._gone is None:
                self._gone = GuestGone("the session was closed", where=self.where)
        for channel in list(self._expected):
            self._answered(channel, GuestGone(self._gone.found, where=self.where))
        self._wire.close()
