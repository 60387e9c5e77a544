"""What travels between lbkit and a guest's program, byte by byte. No sockets here.

A frame is a header (kind, channel, length, a line feed) and its content. What a port delivers may begin with the tail
of an older session, and a kill cuts a frame anywhere: so a session begins with a MARK, and no frame has one inside.
Where a content has the MARK's stem, a byte is put after it, as where it ends with a part of it (the idea is that of
RFC 1662 section 4.2). What stands before a MARK and is no whole frame is passed over.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from lbkit.base.errors import Failure

PROTOCOL = 1
"""Of all that is in this file and in channels.py. Ends of different ones understand each other's HELLO."""

MOST_CONTENT = 64 * 1024
"""Bytes of one frame's content, before any are put in."""

_STEM = b"\xf5lbkit\xf6\xf7"  # its first byte comes once, so it cannot overlap itself; none of UTF-8's
MARK = _STEM + b"\x00"
_STUFFED = _STEM + b"\x01"
_HEADER = struct.Struct(">BIIc")
_LAST = b"\n"  # of a header; not in the stem: none arises across a header and its content, nor in a header
_WITH_STEM, _PADDED = 0x80, 0x40  # on a kind
_MOST_ON_WIRE = MOST_CONTENT + MOST_CONTENT // len(_STEM) + 1


class Kind(IntEnum):
    """HELLO comes after a MARK, and nothing else does; its content is JSON, its channel 0.

    Of a channel are OPEN (content: JSON, what to), OPENED, DATA, CREDIT (content: a number of bytes), END (nothing
    more comes this way), STOP (nothing more is wanted this way), RESET (content: JSON, the error; all is over). PING
    and PONG are of the session.
    """

    HELLO = 1
    OPEN = 2
    OPENED = 3
    DATA = 4
    CREDIT = 5
    END = 6
    STOP = 7
    RESET = 8
    PING = 9
    PONG = 10


_KINDS = {int(kind): kind for kind in Kind}


class Frame(NamedTuple):
    kind: Kind
    channel: int = 0
    content: bytes = b""


class Broken(Failure):
    """The other end does not keep to the protocol, or not all that it sent has arrived."""

    def __init__(self, found: str) -> None:
        super().__init__("the other end of the port was to speak lbkit's protocol", found=found)


def encode(frame: Frame) -> bytes:
    """The frame as bytes; a HELLO with the MARK before it."""
    kind, content = int(frame.kind), frame.content
    if len(content) > MOST_CONTENT:
        raise ValueError(f"a frame of {len(content)} bytes")
    if _STEM in content:
        kind |= _WITH_STEM
        content = content.replace(_STEM, _STUFFED)
    if _unfinished(content):
        kind |= _PADDED
        content += b"\x01"
    head = _HEADER.pack(kind, frame.channel, len(content), _LAST)
    return MARK + head + content if frame.kind is Kind.HELLO else head + content


class Decoder:
    """Frames out of bytes, however those are cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._clean = 0  # up to there no MARK begins in the buffer
        self._in_session = False  # else all up to the next MARK is passed over
        self._first = False  # the next frame is a HELLO

    def feed(self, data: bytes) -> list[Frame | Broken]:
        """What `data` completes. After a `Broken`, all up to the next HELLO is passed over."""
        found: list[Frame | Broken] = []
        buffer = self._buffer
        buffer += data
        while (mark := buffer.find(MARK, self._clean)) >= 0:
            self._read(found, mark)
            del buffer[: mark + len(MARK)]
            self._clean, self._in_session, self._first = 0, True, True
        # a MARK may have begun: that is no content, even where a frame that was cut off would take it
        end = len(buffer) - _unfinished(buffer)
        del buffer[: self._read(found, end)]
        self._clean = max(0, len(buffer) - len(MARK) + 1)
        return found

    def _read(self, found: list[Frame | Broken], end: int) -> int:
        """Frames up to `end`; where the first that is not whole begins."""
        at = 0
        while self._in_session and end - at >= _HEADER.size:
            bits, channel, length, last = _HEADER.unpack_from(self._buffer, at)
            kind = _KINDS.get(bits & ~(_WITH_STEM | _PADDED))
            if kind is None or last != _LAST or length > _MOST_ON_WIRE or self._first != (kind is Kind.HELLO):
                found.append(Broken(f"a header {self._buffer[at : at + _HEADER.size].hex()}"))
                self._in_session = False
                break
            start, stop = at + _HEADER.size, at + _HEADER.size + length
            if stop > end:
                return at
            with memoryview(self._buffer) as view:
                content = bytes(view[start : stop - 1 if bits & _PADDED and length else stop])
            if bits & _WITH_STEM:
                content = content.replace(_STUFFED, _STEM)
            found.append(Frame(kind, channel, content))
            self._first = False
            at = stop
        return at if self._in_session else end


def _unfinished(data: bytes | bytearray) -> int:
    """How many bytes at the end may be the beginning of a MARK."""
    at = data.rfind(MARK[:1], max(0, len(data) - len(MARK) + 1))
    return len(data) - at if at >= 0 and MARK.startswith(data[at:]) else 0
