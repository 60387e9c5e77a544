"""The guest's ends of its ports: found, opened, and opened again."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

_PORTS = Path("/sys/class/virtio-ports")
_OURS = re.compile(r"org\.lbkit\.\d{1,3}")
_UEVENTS = 15  # NETLINK_KOBJECT_UEVENT, linux/netlink.h


def virtio_ports() -> Iterator[Path]:
    """Devices of the ports whose name says that they are lbkit's, as the kernel has them now.

    udev's links in /dev/virtio-ports are made of the same, later.
    """
    try:
        entries = sorted(os.listdir(_PORTS))
    except FileNotFoundError:
        return
    for entry in entries:
        try:
            name = (_PORTS / entry / "name").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:  # unplugged just now, or a console, which has no name
            continue
        if _OURS.fullmatch(name):
            yield Path("/dev", entry)


def open_device(path: Path) -> int:
    """A port can be open once: EBUSY (drivers/char/virtio_console.c). Raises OSError."""
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


def listen(path: Path) -> socket.socket:
    """In place of a port, where there is no virtual machine: a unix socket. Takes the place of a former one."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(8)
    listener.setblocking(False)
    return listener


def device_news() -> socket.socket:
    """Readable whenever the kernel has found or lost a device: then ports are looked for again."""
    news = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, _UEVENTS)
    news.bind((0, 1))
    news.setblocking(False)
    return news
