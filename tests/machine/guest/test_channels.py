"""Two ends joined in memory: all that is put in comes out, in order, and no channel waits for another's reader."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.machine.guest.channels import MOST_CHANNELS, WINDOW, Channels, Event
from lbkit.machine.guest.frames import Broken, Decoder, Frame, Kind


@dataclass
class End:
    channels: Channels
    decoder: Decoder = field(default_factory=Decoder)
    came: dict[int, bytes] = field(default_factory=lambda: defaultdict(bytes))
    events: list[Event] = field(default_factory=list)
    slow: set[int] = field(default_factory=set)  # channels of which nothing is taken

    def take(self, data: bytes) -> None:
        for frame in self.decoder.feed(data):
            if isinstance(frame, Broken):
                raise frame
            if frame.kind is Kind.HELLO:
                continue
            event = self.channels.feed(frame)
            if event is not None and event.kind is Kind.DATA:
                self.came[event.channel] += event.content
                if event.channel not in self.slow:
                    self.channels.taken(event.channel, len(event.content))
            elif event is not None and event.kind is not Kind.CREDIT:
                self.events.append(event)


@dataclass
class Pair:
    host: End = field(default_factory=lambda: End(Channels(opens=True)))
    guest: End = field(default_factory=lambda: End(Channels(opens=False)))

    def __post_init__(self) -> None:
        self.host.channels.hello({})
        self.guest.channels.hello({})
        self.settle()

    def settle(self) -> None:
        """Until nothing can leave at either end."""
        moved = True
        while moved:
            moved = False
            for one, other in ((self.host, self.guest), (self.guest, self.host)):
                while data := one.channels.next():
                    other.take(data)
                    moved = True

    def kinds(self, end: End, channel: int) -> list[Kind]:
        return [event.kind for event in end.events if event.channel == channel]


def test_a_channel_ends_in_each_direction_on_its_own() -> None:
    pair = Pair()
    channel = pair.host.channels.open({"to": "there"})
    pair.host.channels.send(channel, b"question")
    pair.host.channels.end(channel)
    pair.settle()
    assert pair.guest.events[0].data == {"to": "there"}
    assert pair.guest.came[channel] == b"question"
    assert pair.kinds(pair.guest, channel) == [Kind.OPEN, Kind.END]
    pair.guest.channels.opened(channel)
    pair.guest.channels.send(channel, b"answer")
    pair.guest.channels.end(channel)
    pair.settle()
    assert pair.host.came[channel] == b"answer"
    assert pair.kinds(pair.host, channel) == [Kind.OPENED, Kind.END]
    assert len(pair.host.channels) == len(pair.guest.channels) == 0


def test_a_slow_reader_stalls_nobody_and_has_at_most_a_window_under_way() -> None:
    pair = Pair()
    slow, quick = (pair.host.channels.open({}) for _ in range(2))
    pair.settle()
    pair.guest.slow.add(slow)
    for channel in (slow, quick):
        pair.host.channels.send(channel, b"x" * WINDOW * 3)
        pair.host.channels.end(channel)
    pair.settle()
    assert len(pair.guest.came[slow]) == WINDOW
    assert len(pair.guest.came[quick]) == WINDOW * 3
    assert Kind.END in pair.kinds(pair.guest, quick)
    assert pair.host.channels.room(slow) == 0
    pair.guest.slow.clear()
    pair.guest.channels.taken(slow, WINDOW)
    pair.settle()
    assert len(pair.guest.came[slow]) == WINDOW * 3
    assert Kind.END in pair.kinds(pair.guest, slow)


def test_they_take_turns() -> None:
    pair = Pair()
    large, small = (pair.host.channels.open({}) for _ in range(2))
    pair.settle()
    pair.host.channels.send(large, bytes(WINDOW))
    pair.host.channels.send(small, b"x")
    pair.guest.take(pair.host.channels.next())
    pair.guest.take(pair.host.channels.next())
    assert pair.guest.came[small] == b"x"
    assert len(pair.guest.came[large]) < WINDOW // 4


def test_who_wants_no_more_gets_no_more() -> None:
    pair = Pair()
    channel = pair.host.channels.open({})
    pair.settle()
    pair.guest.channels.send(channel, bytes(WINDOW * 4))
    pair.host.slow.add(channel)
    pair.settle()
    pair.host.channels.stop(channel)
    pair.settle()
    assert len(pair.host.came[channel]) == WINDOW
    assert pair.kinds(pair.guest, channel) == [Kind.OPEN, Kind.STOP]
    assert pair.kinds(pair.host, channel) == [Kind.END]
    pair.host.channels.send(channel, b"still")
    pair.host.channels.end(channel)
    pair.settle()
    assert pair.guest.came[channel] == b"still"
    assert len(pair.host.channels) == len(pair.guest.channels) == 0


def test_a_reset_ends_both_ways_and_says_why_and_what_is_late_is_passed_over() -> None:
    pair = Pair()
    channel = pair.host.channels.open({})
    pair.settle()
    pair.host.channels.send(channel, b"under way")
    pair.guest.channels.reset(channel, {"wanted": "x" * 100_000, "more": {}})
    pair.settle()
    assert pair.kinds(pair.host, channel) == [Kind.RESET]
    assert pair.host.events[-1].data["wanted"].startswith("xxx")
    assert len(pair.host.channels) == len(pair.guest.channels) == 0
    pair.host.channels.send(channel, b"late")
    pair.host.channels.end(channel)
    pair.settle()


@pytest.mark.parametrize(
    "frame",
    [
        Frame(Kind.DATA, 9, b"x"),
        Frame(Kind.OPEN, 2, b"no json"),
        Frame(Kind.OPEN, 1, b"{}"),
        Frame(Kind.CREDIT, 1, b"x"),
        Frame(Kind.DATA, 0, b"x"),
    ],
)
def test_what_has_no_meaning_breaks_the_session(frame: Frame) -> None:
    guest = Channels(opens=False)
    guest.feed(Frame(Kind.OPEN, 1, b"{}"))
    with pytest.raises(Broken):
        guest.feed(frame)


def test_who_sends_more_than_there_is_room_for_breaks_the_session() -> None:
    guest = Channels(opens=False)
    guest.feed(Frame(Kind.OPEN, 1, b"{}"))
    for _ in range(WINDOW // 1024):
        guest.feed(Frame(Kind.DATA, 1, bytes(1024)))
    with pytest.raises(Broken):
        guest.feed(Frame(Kind.DATA, 1, b"x"))


def test_channels_are_bounded_and_the_host_s_end_opens_them() -> None:
    guest = Channels(opens=False)
    for number in range(MOST_CHANNELS):
        guest.feed(Frame(Kind.OPEN, number + 1, b"{}"))
    with pytest.raises(Broken):
        guest.feed(Frame(Kind.OPEN, MOST_CHANNELS + 1, b"{}"))
    with pytest.raises(Broken):
        Channels(opens=True).feed(Frame(Kind.OPEN, 1, b"{}"))


@given(
    st.lists(st.lists(st.integers(1, 200_000), max_size=5), min_size=1, max_size=4),
    st.integers(0, 2**32),
)
def test_all_that_is_put_in_comes_out_in_order(sizes: list[list[int]], seed: int) -> None:
    random = Random(seed)
    pair = Pair()
    sent: dict[int, bytes] = {}
    for pieces in sizes:
        channel = pair.host.channels.open({})
        pair.settle()
        data = [random.randbytes(size) for size in pieces]
        sent[channel] = b"".join(data)
        for piece in data:
            random.choice([pair.host, pair.guest]).channels.send(channel, b"")
            pair.guest.channels.send(channel, piece)
            if random.random() < 0.5:
                pair.host.take(pair.guest.channels.next())
        pair.guest.channels.end(channel)
        pair.host.channels.end(channel)
    pair.settle()
    assert {channel: pair.host.came[channel] for channel in sent} == sent
    assert len(pair.host.channels) == len(pair.guest.channels) == 0
