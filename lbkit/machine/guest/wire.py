"""One port, and the session that it carries: frames in and out, and the sockets that are joined to its channels."""

from __future__ import annotations

import os
import select
import socket
import time
from typing import Protocol

from lbkit.machine.guest.channels import Channels, Event
from lbkit.machine.guest.frames import Broken, Decoder, Frame, Kind
from lbkit.machine.guest.pump import HANGS_UP, IN_A_TURN, Pump
from lbkit.machine.guest.stream import Stream

_READ = 256 * 1024  # bytes at once; a virtio port gives 4 KB at most
AWAY = 5.0
"""Seconds that the host's end of a port must be closed until its session is given up."""


class Party(Protocol):
    """Who a wire works for. All calls come from the pump's thread."""

    def hello(self, data: bytes) -> None: ...

    def event(self, event: Event) -> None:
        """Of a channel without a socket."""
        ...

    def lost(self, reason: str) -> None:
        """The other end is away, or does not keep to the protocol. Nothing of its session is to be expected."""
        ...


class Wire:
    """`stays`: a virtio port, which is there while its other end is not. Owns `descriptor`; it does not block."""

    def __init__(
        self, pump: Pump, descriptor: int, party: Party, channels: Channels, *, stays: bool = False
    ) -> None:
        self.pump = pump
        self.channels = channels
        self.heard = 0  # bytes that ever came
        self.begun = True  # False: all but a HELLO is of a session that is over
        self._descriptor = descriptor
        self._party = party
        self._stays = stays
        self._decoder = Decoder()
        self._out = memoryview(b"")
        self._readable = self._writable = True
        self._away_since: float | None = None
        self._streams: dict[int, Stream] = {}
        pump.watch(descriptor, self._ready)
        pump.again(self.work)

    def kick(self) -> None:
        """There is something new to send."""
        self.pump.again(self.work)

    def renew(self, channels: Channels) -> None:
        """Another session begins: what belongs to the one before is dropped, and not sent any more."""
        for stream in list(self._streams.values()):
            stream.abort()
        self._streams.clear()
        self._out = memoryview(b"")
        self.channels = channels
        self.kick()

    def join(self, channel: int, connection: socket.socket) -> None:
        """From now on the socket's bytes are the channel's."""
        self._streams[channel] = Stream(self, channel, connection)

    def leave(self, channel: int) -> None:
        self._streams.pop(channel, None)

    @property
    def joined(self) -> int:
        return len(self._streams)

    @property
    def idle(self) -> bool:
        """Nothing waits to be written."""
        return not self._out and self.channels.quiet

    @property
    def closed(self) -> bool:
        return self._descriptor < 0

    @property
    def in_doubt(self) -> bool:
        """Whether the other end of a port that stays seemed to be away when it was last looked at."""
        return self._away_since is not None

    def settle(self) -> None:
        """End the session of an other end that stayed away for AWAY seconds.

        Not at once: that the host opened or closed its end reaches a guest by another queue than the data does (virtio
        1.1, section 5.3.2). A new hello may be read before a guest's kernel knows that somebody is there.
        """
        if self._away_since is None or time.monotonic() - self._away_since < AWAY:
            return
        self._away_since = None
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        if any(events & select.POLLHUP for _, events in poll.poll(0)):
            self._lost("it was closed", over=False)

    def close(self) -> None:
        if self._descriptor < 0:
            return
        self.renew(Channels(opens=False))
        self.pump.forget(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1

    def abandon(self) -> None:
        """In a forked child: close what was the parent's, and end nothing that goes on there."""
        for stream in self._streams.values():
            stream.abandon()
        os.close(self._descriptor)
        self._descriptor = -1

    def work(self) -> None:
        if self._descriptor >= 0:
            self._read()
        if self._descriptor >= 0:
            self._write()

    def _ready(self, events: int) -> None:
        self._readable = True
        if events & (select.EPOLLOUT | HANGS_UP):
            self._writable = True
        if not events & HANGS_UP:
            self._away_since = None
        self.pump.again(self.work)

    def _read(self) -> None:
        for _ in range(IN_A_TURN):
            if not self._readable:
                return
            try:
                data = os.read(self._descriptor, _READ)
            except BlockingIOError:
                self._readable = False
                return
            except OSError as error:
                self._lost(error.strerror or str(error), over=True)
                return
            if not data and self._stays:
                self._readable = False
                self._away_since = self._away_since or time.monotonic()
                return
            if not data:
                self._lost("it closed the connection", over=True)
                return
            self.heard += len(data)
            for frame in self._decoder.feed(data):
                self._take(frame)
                if self._descriptor < 0:
                    return
        self.pump.again(self.work)

    def _take(self, frame: Frame | Broken) -> None:
        hello = isinstance(frame, Frame) and frame.kind is Kind.HELLO
        if not (self.begun or hello):
            return
        try:
            if isinstance(frame, Broken):
                raise frame
            if hello:
                self._party.hello(frame.content)
                return
            event = self.channels.feed(frame)
        except Broken as broken:
            self.renew(Channels(opens=False))
            self._party.lost(f"{broken.wanted}: {broken.found}")
            return
        if event is None:
            return
        stream = self._streams.get(event.channel)
        if stream is not None:
            stream.take(event)
        else:
            self._party.event(event)

    def _lost(self, reason: str, *, over: bool) -> None:
        self.begun = False
        self.renew(Channels(opens=False))
        if over:
            self.close()
        self._party.lost(reason)

    def _write(self) -> None:
        for _ in range(IN_A_TURN):
            if not self._out:
                self._out = memoryview(self.channels.next())
            if not self._out or not self._writable:
                return
            try:
                count = os.write(self._descriptor, self._out)
            except BlockingIOError:
                self._writable = False
                return
            except OSError as error:
                self._lost(error.strerror or str(error), over=True)
                return
            self._out = self._out[count:]
        self.pump.again(self.work)
