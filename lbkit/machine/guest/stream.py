"""A socket that is joined to a channel, at either end."""

from __future__ import annotations

import select
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING

from lbkit.machine.guest.channels import Event
from lbkit.machine.guest.frames import Kind
from lbkit.machine.guest.pump import HANGS_UP, IN_A_TURN

if TYPE_CHECKING:
    from lbkit.machine.guest.wire import Wire

_READ = 256 * 1024  # bytes at once
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: what is closed is reset


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
        if events & (select.EPOLLOUT | HANGS_UP):
            self._writable = True
        if events & HANGS_UP and not self._wrote_all:
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
        for _ in range(IN_A_TURN):
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
