"""Channels of one session: many conversations over one port, none of which stalls another. No sockets here.

Each direction of a channel has a window: so many bytes may be under way that the other end has not taken yet.
What is to be sent leaves in turns, a frame for each channel that has something, and what is of the session first.
Channels are opened by the host's end alone, with growing numbers, so that what is late for a closed one is known.
"""

from __future__ import annotations

import json
import struct
from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lbkit.machine.guest.foreign import read_json
from lbkit.machine.guest.frames import MOST_CONTENT, Broken, Frame, Kind, encode

WINDOW = 512 * 1024
"""Bytes of one direction of a channel that may be under way."""

MOST_CHANNELS = 2000
_PIECE = 32 * 1024  # of DATA: a virtio port takes that much at once (drivers/char/virtio_console.c)
_NUMBER = struct.Struct(">I")


class Event(NamedTuple):
    """What the other end did: of OPEN and RESET `data` is what came as JSON; of DATA it is `content`."""

    kind: Kind
    channel: int
    content: bytes = b""
    data: Any = None


@dataclass(slots=True)
class _Channel:
    credit: int = WINDOW  # bytes that the other end takes yet
    queue: deque[memoryview] = field(default_factory=deque)
    queued: int = 0
    ending: bool = False  # nothing more is put into the queue
    ended: bool = False  # END was sent
    over: bool = False  # END was received
    room: int = WINDOW  # bytes that the other end may send yet
    taken: int = 0  # of what it sent, not yet told as credit
    stopped: bool = False  # STOP was sent: what still comes is dropped


class Channels:
    """Those of one session, at either end. For one thread."""

    def __init__(self, *, opens: bool) -> None:
        self._opens = opens
        self._last = 0
        self._channels: dict[int, _Channel] = {}
        self._first: deque[bytes] = deque()  # frames that are of no queue
        self._turns: deque[int] = deque()  # channels with something in their queue, or an END to send
        self._waiting: set[int] = set()  # the same, for a look
        self._pong_waits = False

    def __len__(self) -> int:
        return len(self._channels)

    def has(self, channel: int) -> bool:
        """Whether it is open yet, in any direction."""
        return channel in self._channels

    @property
    def quiet(self) -> bool:
        """Nothing waits to leave."""
        return not (self._first or self._turns)

    def open(self, what: Any) -> int:
        """A new channel to what the other end understands."""
        self._last += 1
        self._channels[self._last] = _Channel()
        self._tell(Kind.OPEN, self._last, json.dumps(what).encode())
        return self._last

    def opened(self, channel: int) -> None:
        """Say that what the channel leads to is there."""
        if channel in self._channels:
            self._tell(Kind.OPENED, channel)

    def send(self, channel: int, data: bytes) -> None:
        """Put it into the queue, whatever the credit is; see `room`."""
        state = self._channels.get(channel)
        if state is None or state.ending or not data:
            return
        state.queue.append(memoryview(data))
        state.queued += len(data)
        self._take_turn(channel, state)

    def room(self, channel: int) -> int:
        """How much more can leave for what has been credited."""
        state = self._channels.get(channel)
        return 0 if state is None or state.ending else max(0, state.credit - state.queued)

    def end(self, channel: int) -> None:
        """Nothing more will be sent, after what is in the queue."""
        state = self._channels.get(channel)
        if state is not None and not state.ending:
            state.ending = True
            self._take_turn(channel, state)

    def stop(self, channel: int) -> None:
        """What still comes is not wanted."""
        state = self._channels.get(channel)
        if state is not None and not state.stopped and not state.over:
            state.stopped = True
            self._tell(Kind.STOP, channel)

    def reset(self, channel: int, error: Any) -> None:
        """It is over both ways, now; `error` says why."""
        if self._channels.pop(channel, None) is not None:
            self._tell(Kind.RESET, channel, _short(error))

    def taken(self, channel: int, count: int) -> None:
        """So much of what came was used: the other end may send as much again."""
        state = self._channels.get(channel)
        if state is None or state.over or state.stopped:
            return
        state.taken += count
        if state.taken >= WINDOW // 4:
            self._tell(Kind.CREDIT, channel, _NUMBER.pack(state.taken))
            state.room += state.taken
            state.taken = 0

    def ping(self) -> None:
        self._tell(Kind.PING)

    def hello(self, data: Any) -> None:
        self._tell(Kind.HELLO, 0, json.dumps(data).encode())

    def next(self) -> bytes:
        """The next bytes to write, a few frames at most; b"" where there is nothing that may leave."""
        if self._first:
            frames = b"".join(self._first)
            self._first.clear()
            self._pong_waits = False
            return frames
        while self._turns:
            channel = self._turns.popleft()
            self._waiting.discard(channel)
            state = self._channels.get(channel)
            if state is None:
                continue
            frames = self._of(channel, state)
            if frames:
                return frames
        return b""

    def feed(self, frame: Frame) -> Event | None:
        """What a frame (HELLO excepted) means. Raises Broken where it means nothing."""
        kind, channel, content = frame
        if kind is Kind.PING:
            if not self._pong_waits:  # who asks more often than it reads gets one answer
                self._pong_waits = True
                self._tell(Kind.PONG)
            return None
        if kind is Kind.PONG:
            return None
        if kind is Kind.OPEN:
            return self._opened(channel, content)
        state = self._channels.get(channel)
        if state is None:
            if not 0 < channel <= self._last:
                raise Broken(f"{kind.name} for channel {channel}, which was never opened")
            return None  # late
        return self._of_channel(kind, channel, state, content)

    def _of_channel(self, kind: Kind, channel: int, state: _Channel, content: bytes) -> Event | None:
        if kind is Kind.DATA:
            state.room -= len(content)
            if state.room < 0 or state.over:
                raise Broken(f"more for channel {channel} than it was given room for")
            return None if state.stopped else Event(kind, channel, content)
        if kind is Kind.CREDIT:
            if len(content) != _NUMBER.size:
                raise Broken("a CREDIT without its number")
            state.credit += _NUMBER.unpack(content)[0]
            if state.queue or (state.ending and not state.ended):
                self._take_turn(channel, state)
        elif kind is Kind.END:
            state.over = True
            self._forget_if_done(channel, state)
        elif kind is Kind.STOP:
            state.queue.clear()
            state.queued = 0
            self.end(channel)
        elif kind is Kind.RESET:
            del self._channels[channel]
            return Event(kind, channel, data=_parsed(content))
        return Event(kind, channel)

    def _opened(self, channel: int, content: bytes) -> Event:
        if self._opens or channel <= self._last or len(self._channels) >= MOST_CHANNELS:
            raise Broken(f"an OPEN of channel {channel}")
        self._last = channel
        self._channels[channel] = _Channel()
        return Event(Kind.OPEN, channel, data=_parsed(content))

    def _of(self, channel: int, state: _Channel) -> bytes:
        """One turn of a channel."""
        count = min(_PIECE, state.credit, state.queued)
        frames = b""
        if count:
            state.credit -= count
            state.queued -= count
            frames = encode(Frame(Kind.DATA, channel, _cut(state.queue, count)))
        if not state.queue and state.ending and not state.ended:
            frames += encode(Frame(Kind.END, channel))
            state.ended = True
            self._forget_if_done(channel, state)
        elif state.queue and state.credit:
            self._take_turn(channel, state)
        return frames

    def _take_turn(self, channel: int, state: _Channel) -> None:
        if channel not in self._waiting and (state.credit or not state.queue):
            self._waiting.add(channel)
            self._turns.append(channel)

    def _forget_if_done(self, channel: int, state: _Channel) -> None:
        if state.over and state.ended:
            self._channels.pop(channel, None)

    def _tell(self, kind: Kind, channel: int = 0, content: bytes = b"") -> None:
        self._first.append(encode(Frame(kind, channel, content)))


def _cut(queue: deque[memoryview], count: int) -> bytes:
    pieces: list[memoryview] = []
    while count:
        piece = queue.popleft()
        if len(piece) > count:
            queue.appendleft(piece[count:])
            piece = piece[:count]
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def _short(error: Any) -> bytes:
    """An error's fields as JSON that fits a frame."""
    text = json.dumps(error).encode()
    if len(text) <= MOST_CONTENT:
        return text
    return json.dumps({key: str(value)[:2000] for key, value in error.items() if key != "more"}).encode()


def _parsed(content: bytes) -> Any:
    return read_json(content, "content")
