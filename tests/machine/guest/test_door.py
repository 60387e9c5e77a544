"""A guest's end of a port that stays while its other end comes and goes, as a virtio port does."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lbkit.machine.guest import wire as wire_module
from lbkit.machine.guest.channels import Channels, Event
from lbkit.machine.guest.door import Door
from lbkit.machine.guest.frames import Broken, Decoder, Frame, Kind, encode
from lbkit.machine.guest.hello import Hello, read_hello
from lbkit.machine.guest.message import pack, unpack
from lbkit.machine.guest.pump import Pump
from lbkit.machine.guest.workers import Workers


class Answering:
    """In place of a Guest."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))

    def hello(self, session: str) -> Hello:
        return Hello(session, program="p")

    def answer(self, method: str, given: Any, payload: bytes) -> tuple[Any, bytes]:
        return [method, given], payload

    def connect(self, what: Any) -> socket.socket:
        return socket.create_connection(self.listener.getsockname())


class Host:
    """The other end, played by the test."""

    def __init__(self, far: socket.socket, turn: Callable[[], None]) -> None:
        self.far = far
        self.turn = turn
        self.decoder = Decoder()
        self.channels = Channels(opens=True)
        self.events: list[Event] = []
        self.hellos: list[str] = []

    def greet(self, number: str) -> None:
        self.channels = Channels(opens=True)
        self.events.clear()
        self.channels.hello(Hello(number).as_data())

    def push(self) -> None:
        while data := self.channels.next():
            self.far.sendall(data)

    def until(self, good: Callable[[], object]) -> None:
        for _ in range(2000):
            if good():
                return
            self.push()
            self.turn()
            try:
                data = self.far.recv(65536)
            except BlockingIOError:
                continue
            for frame in self.decoder.feed(data):
                assert not isinstance(frame, Broken)
                self.take(frame)
        pytest.fail(f"{self.hellos} {self.events}")

    def take(self, frame: Frame) -> None:
        if frame.kind is Kind.HELLO:
            self.hellos.append(read_hello(frame.content).session)
        elif (event := self.channels.feed(frame)) is not None:
            self.events.append(event)

    def call(self, method: str) -> Any:
        channel = self.channels.open({"to": "call"})
        self.channels.send(channel, pack({"method": method, "params": {}}))
        self.channels.end(channel)
        mine: list[Event] = []

        def ended() -> bool:
            mine[:] = [event for event in self.events if event.channel == channel]
            return any(event.kind is Kind.END for event in mine)

        self.until(ended)
        return unpack(b"".join(event.content for event in mine if event.kind is Kind.DATA))[0]["result"]


@pytest.fixture
def guest() -> Iterator[Answering]:
    made = Answering()
    yield made
    made.listener.close()


@pytest.fixture
def pump() -> Iterator[Pump]:
    made = Pump()
    yield made
    made.close()


@pytest.fixture
def door(guest: Answering, pump: Pump) -> Door:
    return Door(guest, pump, Workers(), lambda: None)  # type: ignore[arg-type]


@pytest.fixture
def host(door: Door, pump: Pump) -> Iterator[Host]:
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    door.open(near.detach(), stays=True)
    yield Host(far, lambda: pump.turn(0.01) and None)
    far.close()
    door.close()


def test_who_opens_it_learns_that_all_before_is_over_and_is_served(host: Host) -> None:
    host.until(lambda: host.hellos == [""])
    host.greet("1")
    host.until(lambda: host.hellos == ["", "1"])
    assert host.call("x") == ["x", {}]


def test_a_hello_is_answered_though_the_kernel_does_not_know_yet_that_the_host_is_there(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is on its queue comes before word of the host on another: once it is read, nothing is there, and nobody."""
    real, left = os.read, [3]

    def read(descriptor: int, count: int) -> bytes:
        try:
            return real(descriptor, count)
        except BlockingIOError:
            if not left[0]:
                raise
            left[0] -= 1
            return b""

    host.greet("1")
    monkeypatch.setattr(wire_module.os, "read", read)
    host.until(lambda: "1" in host.hellos)
    assert host.call("x") == ["x", {}]
    host.greet("2")
    left[0] = 3
    host.until(lambda: "2" in host.hellos)
    assert host.call("y") == ["y", {}]


def test_what_a_host_left_that_stays_away_is_closed(
    host: Host, door: Door, guest: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_module, "AWAY", 0.0)
    host.greet("1")
    host.channels.open({"to": "tcp"})
    host.until(lambda: any(event.kind is Kind.OPENED for event in host.events))
    peer, _ = guest.listener.accept()
    host.far.close()
    while not door.in_doubt:
        host.turn()
    door.settle()
    assert not door.in_doubt
    with peer, pytest.raises(ConnectionResetError):
        peer.recv(1)


def test_half_a_frame_and_then_another_session(host: Host) -> None:
    host.greet("1")
    host.until(lambda: "1" in host.hellos)
    channel = host.channels.open({"to": "call"})
    host.push()
    host.far.sendall(encode(Frame(Kind.DATA, channel, bytes(5000)))[:300])
    host.greet("2")
    host.until(lambda: "2" in host.hellos)
    assert host.call("x") == ["x", {}]


def test_nonsense_is_answered_by_word_that_all_is_over(host: Host) -> None:
    host.greet("1")
    host.until(lambda: "1" in host.hellos)
    host.far.sendall(bytes(100))
    host.until(lambda: host.hellos[-1] == "")
    host.greet("2")
    host.until(lambda: host.hellos[-1] == "2")
    assert host.call("x") == ["x", {}]
