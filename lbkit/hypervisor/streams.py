"""A port of a guest on another machine, as a socket here: libvirt carries the bytes (virDomainOpenChannel)."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from lbkit.hypervisor.connection import Connection
from lbkit.hypervisor.failures import LibvirtFailed, binding

if TYPE_CHECKING:
    import libvirt

_PIECE = 64 << 10  # bytes


def open_channel(connection: Connection, uuid: str, port: str) -> socket.socket:
    """A connected socket to the port `port` of the domain. Two threads move its bytes until either end closes.

    libvirt lets one in at a time. OSError where it does not.
    """
    try:
        with connection.doing(f"the port {port} was to be opened") as raw:
            stream = raw.newStream()
            raw.lookupByUUIDString(uuid).openChannel(port, stream)
    except LibvirtFailed as error:
        raise ConnectionRefusedError(error.found) from error
    ours, theirs = socket.socketpair()
    for move in (_out, _in):
        threading.Thread(target=move, args=(stream, ours), name=f"lbkit-{port}", daemon=True).start()
    return theirs


def _out(stream: libvirt.virStream, here: socket.socket) -> None:
    """From here to the guest."""
    errors = binding().libvirtError
    try:
        while piece := here.recv(_PIECE):
            view = memoryview(piece)
            while view:
                view = view[stream.send(bytes(view)) :]
    except (OSError, errors):
        pass  # told by the end of the socket
    finally:
        with contextlib.suppress(errors):
            stream.abort()
        _shut(here)


def _in(stream: libvirt.virStream, here: socket.socket) -> None:
    errors = binding().libvirtError
    try:
        while piece := stream.recv(_PIECE):
            here.sendall(piece)
    except (OSError, errors):
        pass
    finally:
        _shut(here)


def _shut(here: socket.socket) -> None:
    with contextlib.suppress(OSError):
        here.shutdown(socket.SHUT_RDWR)
