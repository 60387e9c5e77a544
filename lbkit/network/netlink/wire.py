"""Netlink on the wire: headers and attributes (linux/netlink.h). Numbers are in the host's byte order."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from lbkit.base.errors import Bug

# nlmsghdr.nlmsg_flags
REQUEST = 0x1
MULTI = 0x2
ACK = 0x4
DUMP_INTERRUPTED = 0x10
CAPPED = 0x100  # on an answer: only the header of the request is repeated
ACK_ATTRIBUTES = 0x200  # on an answer: extended acknowledgement follows
DUMP = 0x300
REPLACE = 0x100
EXCL = 0x200
CREATE = 0x400
APPEND = 0x800

# nlmsghdr.nlmsg_type
NOOP, ERROR, DONE, OVERRUN = 1, 2, 3, 4

HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")
_NUMBER = struct.Struct("=I")
_TYPE_MASK = 0x3FFF  # without the flags "nested" and "network byte order"
_NESTED = 0x8000
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


class Request(NamedTuple):
    """One message to the kernel, before it has a sequence number. `doing` is for the error: "bridge br0 was to be made"."""

    kind: int
    flags: int  # beside REQUEST and ACK, which the channel sets
    body: bytes
    doing: str


def attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(len(value) + 4, kind) + value + _PADDING[len(value) & 3]


def nested(kind: int, *attributes: bytes) -> bytes:
    return attribute(kind | _NESTED, b"".join(attributes))


def number(kind: int, value: int) -> bytes:
    """An attribute of 32 bits."""
    return attribute(kind, _NUMBER.pack(value))


def text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def attributes(buffer: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Type, start and end of each attribute in `buffer[start:end]`."""
    unpack = _ATTRIBUTE.unpack_from
    while start + 4 <= end:
        length, kind = unpack(buffer, start)
        if length < 4 or start + length > end:
            raise Malformed(f"an attribute of {length} bytes where {end - start} are left")
        yield kind & _TYPE_MASK, start + 4, start + length
        start += (length + 3) & ~3


def as_text(value: bytes) -> str:
    """Text of the kernel's, up to its first NUL. Aliases are anyone's bytes: what is not UTF-8 is replaced."""
    return value.split(b"\0", 1)[0].decode("utf-8", "replace")


class Malformed(Bug):
    """An answer that does not keep to its own lengths."""

    def __init__(self, found: str) -> None:
        super().__init__("netlink's answer was to be well formed", found=found)
