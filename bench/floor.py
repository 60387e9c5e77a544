"""The floor of bench/networks.py: the same subnets by netlink messages put together by hand, and nothing else.

No checks, no marks, no read-back: what the kernel itself takes, and a little Python to ask it.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Iterator

_libc = ctypes.CDLL(None, use_errno=True)
_NEW_NET, _BIND, _DETACH = 0x40000000, 4096, 2
_VETHS, _BRIDGES = 7001, 7002  # groups


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", len(value) + 4, kind) + value + b"\0" * (-len(value) & 3)


def message(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body


def link(index: int, *attributes: bytes, up: bool = False) -> bytes:
    return struct.pack("=BxHiII", 0, 0, index, int(up), int(up)) + b"".join(attributes)


def route_socket() -> socket.socket:
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    opened.bind((0, 0))
    opened.setsockopt(270, 12, 1)  # NETLINK_GET_STRICT_CHK
    return opened


def exchange(with_kernel: socket.socket, *messages: bytes) -> None:
    """All in one message; an acknowledgement of the last, and refusals of any."""
    last = messages[-1]
    with_kernel.send(
        b"".join(messages[:-1]) + last[:6] + struct.pack("=H", last[6] | last[7] << 8 | 4) + last[8:]
    )
    answer = with_kernel.recv(65536)
    number = struct.unpack_from("=i", answer, 16)[0]
    if number:
        raise OSError(-number, os.strerror(-number))


def create(folder: str, count: int) -> None:
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    make = 0x601  # REQUEST, CREATE, EXCL
    with route_socket() as outside:
        for number in range(count):
            bridge, veth, third = 100_000 + number, 200_000 + number, bytes([10, 9, number])
            _libc.unshare(_NEW_NET)
            path = f"{folder}/floor{number}".encode()
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC))
            _libc.mount(b"/proc/thread-self/ns/net", path, b"none", _BIND, None)
            here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            with route_socket() as inside:
                peer = link(100, attribute(3, b"eth0\0"), attribute(28, struct.pack("=I", here)))
                exchange(
                    outside,
                    message(
                        16,
                        make,
                        link(
                            bridge,
                            attribute(3, b"fb%d\0" % number),
                            attribute(27, struct.pack("=I", _BRIDGES)),
                            attribute(18, attribute(1, b"bridge\0")),
                            up=True,
                        ),
                    ),
                    message(
                        20, make, struct.pack("=BBBBi", 2, 24, 0, 0, bridge) + attribute(2, third + b"\1")
                    ),
                    message(
                        16,
                        make,
                        link(
                            veth,
                            attribute(3, b"fv%d\0" % number),
                            attribute(10, struct.pack("=I", bridge)),
                            attribute(27, struct.pack("=I", _VETHS)),
                            attribute(18, attribute(1, b"veth\0") + attribute(2, attribute(1, peer))),
                            up=True,
                        ),
                    ),
                )
                exchange(
                    inside,
                    message(19, 1, link(1, up=True)),
                    message(19, 1, link(100, up=True)),
                    message(20, make, struct.pack("=BBBBi", 2, 24, 0, 0, 100) + attribute(2, third + b"\2")),
                    message(
                        24,
                        make,
                        struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 4, 0, 1, 0) + attribute(5, third + b"\1"),
                    ),
                )
            os.close(here)
    _libc.setns(home, _NEW_NET)
    os.close(home)


def delete(folder: str, count: int) -> None:
    with route_socket() as outside:
        for group in (_VETHS, _BRIDGES):
            exchange(outside, message(17, 1, link(0, attribute(27, struct.pack("=I", group)))))
    for number in range(count):
        path = f"{folder}/floor{number}".encode()
        _libc.umount2(path, _DETACH)
        os.unlink(path)


def observe(folder: str, count: int) -> int:
    """Names, MTUs and addresses of links, and routes, as bytes; how many values were read."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    with route_socket() as outside:
        found = len(list(_values(outside)))
    for number in range(count):
        there = os.open(f"{folder}/floor{number}", os.O_RDONLY | os.O_CLOEXEC)
        _libc.setns(there, _NEW_NET)
        os.close(there)
        with route_socket() as inside:
            found += len(list(_values(inside)))
    _libc.setns(home, _NEW_NET)
    os.close(home)
    return found


def _values(with_kernel: socket.socket) -> Iterator[tuple[int, bytes]]:
    asked = (
        (18, link(0, attribute(29, struct.pack("=I", 8))), 16, {1, 3, 4, 10, 20}),
        (22, struct.pack("=BBBBi", 0, 0, 0, 0, 0), 8, {1, 2}),
        (26, struct.pack("=BBBBBBBBI", 0, 0, 0, 0, 0, 0, 0, 0, 0), 12, {1, 5}),
    )
    unpack = struct.Struct("=HH").unpack_from
    for kind, body, header, wanted in asked:
        with_kernel.send(message(kind, 0x301, body))
        going = True
        while going:
            buffer = with_kernel.recv(65536)
            offset = 0
            while offset < len(buffer):
                length, answer = struct.unpack_from("=IH", buffer, offset)
                if answer == 3:
                    going = False
                    break
                place, end = offset + 16 + header, offset + length
                while place < end:
                    size, name = unpack(buffer, place)
                    if name in wanted:
                        yield name, buffer[place + 4 : place + size]
                    place += size + 3 & ~3
                offset += length + 3 & ~3
