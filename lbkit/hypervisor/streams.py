"""A port of a domain on another machine, as a socket here: libvirt carries the bytes (virDomainOpenChannel).

Each has a connection to libvirt of its own: a guest that reads nothing makes libvirtd stop listening to the connection that
has something for it (measured: after some 200 KiB), and a stream's farewell waits behind what it still carries. That must
keep nobody from asking anything else. libvirtd lets go of the port at once where the connection is cut or this process
dies, and after its keepalive where the network falls silent. So nobody is ever to be pushed aside
(VIR_DOMAIN_CHANNEL_FORCE): who has the port lives.

All that is done with a stream once it is open happens in libvirt's own thread, and never waits there.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lbkit.hypervisor.connection import Connection
from lbkit.hypervisor.failures import LibvirtFailed, binding
from lbkit.hypervisor.resolved import ResolvedHost

if TYPE_CHECKING:
    import libvirt

_PIECE = 64 << 10  # bytes; libvirt carries up to 256 KiB in a packet
_AT_A_TIME = 4  # connections that are being opened to a host: its sshd refuses some from 10 on (sshd_config, MaxStartups)
_TAKEN = "Active channel stream exists"  # virchrdev.c: its code is that of all operations that fail
_AGAIN = -2  # what a stream says in place of bytes, or of their number


_opening: dict[str, threading.Semaphore] = {}
_lock = threading.Lock()


def open_channel(host: ResolvedHost, uuid: str, port: str) -> socket.socket:
    """A connected socket to the port `port` of the domain, until either end closes or the connection is lost.

    libvirt lets one in at a time: OSError EBUSY for the second. Otherwise ConnectionRefusedError where it would not.
    """
    module = binding()
    connection = Connection(host)
    with contextlib.ExitStack() as stack:
        stack.callback(connection.close)
        try:
            with _doors(host):
                raw = connection.raw
            with connection.doing(f"the port {port} was to be opened"):
                stream = raw.newStream(module.VIR_STREAM_NONBLOCK)
                raw.lookupByUUIDString(uuid).openChannel(port, stream)
        except LibvirtFailed as error:
            if _TAKEN in error.found:
                raise OSError(errno.EBUSY, error.found) from error
            raise ConnectionRefusedError(errno.ECONNREFUSED, error.found) from error
        stack.pop_all()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    _Joint(connection, raw, stream, ours)
    return theirs


def _doors(host: ResolvedHost) -> threading.Semaphore:
    with _lock:
        return _opening.setdefault(host.uri, threading.Semaphore(_AT_A_TIME))


class _Joint:
    """A stream and a socket, each getting what the other gives. Where one is slow, the other waits."""

    def __init__(
        self, connection: Connection, raw: libvirt.virConnect, stream: libvirt.virStream, here: socket.socket
    ) -> None:
        self._module = binding()
        self._connection = connection
        self._raw = raw
        self._stream = stream
        self._here = here
        self._to_here = b""  # what came and did not fit
        self._to_there = b""
        self._watch = -1
        self._ended = False
        self._mourning = contextlib.ExitStack()
        self._module.virEventAddTimeout(0, self._begin, None)

    def _begin(self, timer: int, _opaque: Any) -> None:
        self._module.virEventRemoveTimeout(timer)
        self._mourning.enter_context(self._connection.mourned_by(self._lost))
        self._watch = self._module.virEventAddHandle(self._here.fileno(), 0, self._on_here, None)
        self._stream.eventAddCallback(0, self._on_there, None)
        if self._raw.isAlive():
            self._wait()
        else:
            self._end()

    def _lost(self, _reason: int) -> None:
        self._end()

    def _wait(self) -> None:
        """For whatever can go on."""
        module = self._module
        here = 0 if self._to_there else module.VIR_EVENT_HANDLE_READABLE
        there = 0 if self._to_here else module.VIR_STREAM_EVENT_READABLE
        if self._to_here:
            here |= module.VIR_EVENT_HANDLE_WRITABLE
        if self._to_there:
            there |= module.VIR_STREAM_EVENT_WRITABLE
        module.virEventUpdateHandle(self._watch, here)
        self._stream.eventUpdateCallback(there)

    def _on_here(self, _watch: int, _descriptor: int, _events: int, _opaque: Any) -> None:
        self._turn(self._take_here)

    def _on_there(self, _stream: libvirt.virStream, _events: int, _opaque: Any) -> None:
        self._turn(self._take_there)

    def _turn(self, take: Callable[[], bool]) -> None:
        going_on = True
        try:
            with contextlib.suppress(BlockingIOError):
                going_on = take()
            with contextlib.suppress(BlockingIOError):
                self._give()
        except (OSError, self._module.libvirtError):
            going_on = False
        if going_on:
            self._wait()
        else:
            self._end()

    def _take_here(self) -> bool:
        """False: its other end is closed."""
        if not self._to_there:
            self._to_there = self._here.recv(_PIECE)
            return bool(self._to_there)
        return True

    def _take_there(self) -> bool:
        if not self._to_here:
            came = self._stream.recv(_PIECE)
            if came == _AGAIN:
                return True
            self._to_here = came
            return bool(came)
        return True

    def _give(self) -> None:
        if self._to_there:
            sent = self._stream.send(self._to_there)
            if sent != _AGAIN:
                self._to_there = self._to_there[sent:]
        if self._to_here:
            self._to_here = self._to_here[self._here.send(self._to_here) :]

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._mourning.close()
        self._module.virEventRemoveHandle(self._watch)
        self._here.close()
        threading.Thread(target=self._part, name="part from a stream", daemon=True).start()

    def _part(self) -> None:
        """It waits for libvirtd's good-bye. Where that is stuck with what the guest does not read, until keepalive gives up."""
        for farewell in (self._stream.eventRemoveCallback, self._stream.abort):
            with contextlib.suppress(self._module.libvirtError):
                farewell()
        self._connection.close()
