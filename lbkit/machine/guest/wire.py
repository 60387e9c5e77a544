"""One port, and the session that it carries: frames in and out, and the sockets that are joined to its channels."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections import deque
from typing import Protocol

from lbkit.machine.guest.channels import Channels, Event
from lbkit.machine.guest.frames import Broken, Decoder, Frame, Kind
from lbkit.machine.guest.pump import Pump

_READ = 256 * 1024  # bytes at once; a virtio port gives 4 KB at most
_IN_A_TURN = 64  # reads or writes of one descriptor, before others have theirs
AWAY = 5.0
"""Seconds that the host's end of a port must be closed until its session is given up."""

_HANGS_UP = select.EPOLLHUP | select.EPOLLERR
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: what is closed is reset


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
        if events & (select.EPOLLOUT | _HANGS_UP):
            self._writable = True
        if not events & _HANGS_UP:
            self._away_since = None
        self.pump.again(self.work)

    def _read(self) -> None:
        for _ in range(_IN_A_TURN):
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
        for _ in range(_IN_A_TURN):
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


class Stream:
    """A socket joined to a channel. Each direction ends on its own; an error ends both, after what came before it."""

    def __init__(self, wire: Wire, channel: int, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._wire = wire
        self._channel = channel
        self._connection = connection
        self._descriptor = connection.fileno()
        self._pending: deque[memoryview] = deque()  # for the socket; at most a window
        self._readable = self._writable = True
        self._read_all = False  # nothing more comes from the socket, or is wanted from it
        self._over = False  # nothing more comes from the channel
        self._wrote_all = False
        wire.pump.watch(self._descriptor, self._ready)
        wire.pump.again(self.work)

    def take(self, event: Event) -> None:
        match event.kind:
            case Kind.DATA:
                self._pending.append(memoryview(event.content))
            case Kind.END:
                self._over = True
            case Kind.STOP:
                self._read_all = True
            case Kind.RESET:
                self.abort()
                self._wire.leave(self._channel)
                return
        self._wire.pump.again(self.work)

    def abandon(self) -> None:
        self._connection.close()

    def abort(self) -> None:
        if self._descriptor < 0:
            return
        if self._connection.family != socket.AF_UNIX:
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._close()

    def work(self) -> None:
        if self._descriptor < 0:
            return
        self._write()
        self._read()
        if self._read_all and self._wrote_all:
            self._close()
            self._wire.leave(self._channel)
        self._wire.kick()

    def _ready(self, events: int) -> None:
        self._readable = True
        if events & (select.EPOLLOUT | _HANGS_UP):
            self._writable = True
        if events & _HANGS_UP and not self._wrote_all:
            self._nobody_reads()
        self._wire.pump.again(self.work)

    def _write(self) -> None:
        taken = 0
        while self._pending and self._writable:
            try:
                count = self._connection.send(self._pending[0])
            except BlockingIOError:
                self._writable = False
                break
            except OSError:
                self._nobody_reads()
                break
            taken += count
            if count == len(self._pending[0]):
                self._pending.popleft()
            else:
                self._pending[0] = self._pending[0][count:]
        if taken:
            self._wire.channels.taken(self._channel, taken)
        if self._over and not self._pending and not self._wrote_all:
            self._wrote_all = True
            try:
                self._connection.shutdown(socket.SHUT_WR)
            except OSError:  # it was reset meanwhile
                self._readable = True

    def _read(self) -> None:
        channels = self._wire.channels
        for _ in range(_IN_A_TURN):
            room = channels.room(self._channel)
            if self._read_all or not self._readable or not room:
                return
            try:
                data = self._connection.recv(min(room, _READ))
            except BlockingIOError:
                self._readable = False
                return
            except OSError:
                data = b""
                self._nobody_reads()
            if not data:
                self._read_all = True
                channels.end(self._channel)
                return
            channels.send(self._channel, data)
        self._wire.pump.again(self.work)

    def _nobody_reads(self) -> None:
        self._pending.clear()
        self._wrote_all = True
        self._wire.channels.stop(self._channel)

    def _close(self) -> None:
        self._wire.pump.forget(self._descriptor)
        self._descriptor = -1
        self._connection.close()
