"""Calls and sockets over one session: each in whole, none waits for another's reader, nobody waits for the dead."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.machine.contract import Program
from lbkit.machine.guest import session as session_module
from lbkit.machine.guest.channels import Channels
from lbkit.machine.guest.frames import MARK, Decoder, Frame, Kind, encode
from lbkit.machine.guest.hello import Hello
from lbkit.machine.guest.message import pack
from lbkit.machine.guest.remote import RemoteMachine
from lbkit.machine.guest.session import GuestGone, Session, TooLate
from tests.machine.guest.conftest import MakeGuest
from tests.machine.guest.world import FakeGuest
from tests.machine.world import PYTHON, until

pytestmark = pytest.mark.sandbox

SERVICE = """
import hashlib, socket, threading
def serve(peer):
    kind = peer.recv(1)
    if kind == b"d":  # down: 100 MB
        for number in range(100):
            peer.sendall(bytes([number]) * 1_000_000)
    elif kind == b"u":  # up: says what came, after its end
        digest = hashlib.sha256()
        while data := peer.recv(1 << 20):
            digest.update(data)
        peer.sendall(digest.hexdigest().encode())
    elif kind == b"e":
        while data := peer.recv(1 << 16):
            peer.sendall(data)
    elif kind == b"h":  # holds, and does not read
        threading.Event().wait()
    elif kind == b"w":  # says when the other end is closed
        peer.recv(1)
        print("closed")
    elif kind == b"f":  # floods: until nobody takes it
        try:
            while True: peer.sendall(bytes(65536))
        except OSError as error:
            print(type(error).__name__)
    peer.close()
def accept(listener):
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=serve, args=(peer,), daemon=True).start()
unix = socket.socket(socket.AF_UNIX); unix.bind("s"); unix.listen(200)
tcp = socket.create_server(("127.0.0.1", 8080), backlog=200)
threading.Thread(target=accept, args=(tcp,), daemon=True).start()
print("up")
accept(unix)
"""


@pytest.fixture
def machine(guest: FakeGuest, topology_name: str, host: Host) -> RemoteMachine:
    return machine_of(guest.session(), topology_name, host)


def machine_of(session: Session, topology: str, host: Host) -> RemoteMachine:
    return RemoteMachine(topology, "m", session, inside=host)


@pytest.fixture(params=["unix", "tcp"])
def opened(request: pytest.FixtureRequest, machine: RemoteMachine) -> Any:
    """Opens a socket of the service in the guest."""
    serve(machine)
    if request.param == "tcp":
        yield lambda: machine.dial("127.0.0.1", 8080, timeout=20)
    else:
        yield lambda: machine.connect(machine.folder("srv") / "s", timeout=20)
    machine.stop("srv")


def serve(machine: RemoteMachine) -> None:
    machine.start(Program("srv", (PYTHON, "-I", "-u", "-c", SERVICE), stop_timeout=1.0))
    until(lambda: "up" in machine.log("srv"), "the service listens")


def in_background(do: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    found: list[object] = []

    def run() -> None:
        try:
            found.append(do())
        except Failure as failure:
            found.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def test_a_hundred_megabytes_come_through_in_either_direction(opened: Any) -> None:
    with opened() as connection:
        connection.sendall(b"d")
        digest, size = hashlib.sha256(), 0
        while data := connection.recv(1 << 20):
            digest.update(data)
            size += len(data)
    wanted = hashlib.sha256(b"".join(bytes([number]) * 1_000_000 for number in range(100))).hexdigest()
    assert (size, digest.hexdigest()) == (100_000_000, wanted)
    with opened() as connection:
        connection.sendall(b"u")
        for number in range(100):
            connection.sendall(bytes([number]) * 1_000_000)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100).decode() == wanted


def test_many_streams_at_once_though_some_are_not_read(opened: Any) -> None:
    slow = [opened() for _ in range(3)]
    for connection in slow:
        connection.sendall(b"d")
    held = opened()
    held.sendall(b"h")
    held.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            held.send(bytes(65536))

    def echo(number: int) -> bool:
        word = bytes([number]) * 300_000
        with opened() as connection:
            connection.sendall(b"e" + word)
            connection.shutdown(socket.SHUT_WR)
            said = b""
            while data := connection.recv(1 << 16):
                said += data
        return said == word

    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(echo, range(60)))
    for connection in slow:
        size = 0
        while data := connection.recv(1 << 20):
            size += len(data)
        assert size == 100_000_000
        connection.close()
    held.close()


def test_a_closed_socket_is_closed_in_the_guest_too(opened: Any, machine: RemoteMachine) -> None:
    connection = opened()
    connection.sendall(b"w")
    connection.close()
    until(lambda: "closed" in machine.log("srv"), "the service sees it closed")
    connection = opened()
    connection.sendall(b"f")
    assert connection.recv(10)
    connection.close()
    until(lambda: machine.log("srv")[-1].endswith("Error"), "nobody takes what it sends")


def test_what_is_not_there_is_told_with_all_fields(machine: RemoteMachine) -> None:
    with pytest.raises(Failure) as caught:
        machine.connect(machine.folder("none") / "s")
    assert (caught.value.found, caught.value.where) == ("No such file or directory", "machine m")
    assert caught.value.wanted.endswith("was to answer")
    assert caught.value.remedy
    with pytest.raises(Failure) as caught:
        machine.dial("127.0.0.1", 1)
    assert caught.value.found == "Connection refused"


def test_a_call_that_nobody_knows_or_understands_is_told_and_harms_nothing(guest: FakeGuest) -> None:
    session = guest.session()
    with pytest.raises(Failure, match="no-such"):
        session.call("no-such", {})
    with pytest.raises(Failure, match="a bug, it says: put was to be asked in the form it has"):
        session.call("put", {"path": 3})
    with pytest.raises(Failure, match="a bug"):
        session.call("start", {"program": {"name": "x"}})
    assert session.call("running", {}) == ([], b"")


def sleepers(seconds: str) -> list[int]:
    """Those that sleep so long: each test has a time of its own, as workers share their processes."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if entry.read_bytes() == f"sleep\0{seconds}\0".encode():
                found.append(int(entry.parent.name))
    return found


def test_a_long_call_blocks_no_other(machine: RemoteMachine) -> None:
    program = Program(
        "slow", (PYTHON, "-I", "-u", "-c", "import sys; print('up'); sys.stdin.read(); input()")
    )
    machine.start(program)
    thread, _ = in_background(lambda: machine.execute(["sleep", "1001.25"], timeout=1000.0))
    assert machine.fetch(machine.folder("x") / "none") is None
    assert thread.is_alive()
    until(lambda: sleepers("1001.25"), "it is asked")
    for pid in sleepers("1001.25"):
        os.kill(pid, signal.SIGTERM)
    thread.join()


def test_many_threads_share_a_session(machine: RemoteMachine) -> None:
    def ask(number: int) -> bool:
        path = machine.folder("app") / f"{number}"
        content = os.urandom(number * 1000)
        machine.put(path, content)
        return machine.fetch(path) == content

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(200)))


def test_a_call_that_takes_too_long_is_given_up_and_the_session_goes_on(guest: FakeGuest) -> None:
    session = guest.session()
    params = {
        "argv": ["sleep", "2"],
        "stdin": False,
        "timeout": 9,
        "cwd": None,
        "environment": {},
        "check": False,
    }
    with pytest.raises(TooLate):
        session.call("execute", params, timeout=0.1)
    assert session.call("running", {}) == ([], b"")


def test_who_waits_learns_that_the_guest_was_killed(guest: FakeGuest, topology_name: str, host: Host) -> None:
    session = guest.session()
    machine = machine_of(session, topology_name, host)
    serve(machine)
    connection = machine.connect(machine.folder("srv") / "s", timeout=20)
    connection.sendall(b"d")
    waiting = [in_background(lambda: machine.execute(["sleep", "60.25"], timeout=60)) for _ in range(3)]
    until(lambda: len(sleepers("60.25")) == 3, "all are asked")
    guest.kill()
    for thread, found in waiting:
        thread.join()
        assert isinstance(found[0], GuestGone)
        assert not found[0].untried
    size = 0
    while data := connection.recv(1 << 20):
        size += len(data)
    assert size < 100_000_000
    connection.close()
    with pytest.raises(GuestGone) as caught:
        machine.running()
    assert caught.value.untried
    # what it started goes on, and a new one knows it
    guest.start()
    again = machine_of(guest.session(), topology_name, host)
    assert set(again.running()) == {"srv"}
    again.stop("srv")


def test_a_killed_host_end_leaves_nothing_open_and_the_port_free(
    guest: FakeGuest, topology_name: str, host: Host
) -> None:
    first = guest.session()
    machine = machine_of(first, topology_name, host)
    serve(machine)
    before = len(os.listdir(f"/proc/{guest.process.pid}/fd"))  # type: ignore[union-attr]
    first.close()
    for kind in (b"d", b"u", b"e"):
        child = os.fork()
        if not child:
            session = Session(guest.connect(), where="child")
            inside = machine_of(session, topology_name, host)
            connection = inside.connect(inside.folder("srv") / "s", timeout=20)
            connection.sendall(kind + bytes(3_000_000) if kind == b"u" else kind)
            path = inside.folder("x") / "y"
            threading.Thread(target=inside.put, args=(path, bytes(20_000_000))).start()
            os.kill(os.getpid(), 9)
        os.waitpid(child, 0)
        machine = machine_of(guest.session(), topology_name, host)
        assert "srv" in machine.running()
        until(
            lambda: len(os.listdir(f"/proc/{guest.process.pid}/fd")) <= before,  # type: ignore[union-attr]
            "the sockets of the killed one are closed",
        )
        guest.sessions[-1].close()
    machine_of(guest.session(), topology_name, host).stop("srv")


def test_closing_ends_all_that_waits(guest: FakeGuest, topology_name: str, host: Host) -> None:
    session = guest.session()
    machine = machine_of(session, topology_name, host)
    thread, found = in_background(lambda: machine.execute(["sleep", "1000.25"], timeout=1000))
    until(lambda: sleepers("1000.25"), "it is asked")
    for pid in sleepers("1000.25"):
        os.kill(pid, signal.SIGTERM)
    thread.join()
    thread, found = in_background(lambda: session.call("identity", {}, b"no json", timeout=1000))
    thread.join()
    assert isinstance(found[0], Failure)
    session.close()
    session.close()
    with pytest.raises(GuestGone):
        session.call("running", {})


def test_descriptors_and_threads_are_given_back(guest: FakeGuest) -> None:
    def rounds() -> tuple[int, int]:
        for _ in range(3):
            session = guest.session()
            session.call("running", {})
            session.close()
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    assert rounds() == rounds()


class Scripted:
    """A guest's end that the test plays."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.decoder = Decoder()
        self.channels = Channels(opens=False)

    def read(self, kind: Kind) -> Frame:
        while True:
            for frame in self.decoder.feed(self.far.recv(65536)):
                if isinstance(frame, Frame) and frame.kind is kind:
                    return frame

    def greet(self, **more: object) -> Hello:
        asked = self.read(Kind.HELLO)
        number = asked.content.decode().split('"')[3]
        hello = Hello(number, **more)  # type: ignore[arg-type]
        self.channels.hello(hello.as_data())
        self.far.sendall(self.channels.next())
        return hello


@pytest.fixture
def scripted() -> Any:
    made = Scripted()
    yield made
    made.near.close()
    made.far.close()


def test_what_was_meant_for_another_session_is_passed_over(scripted: Scripted) -> None:
    stale = Channels(opens=False)
    stale.hello(Hello("another").as_data())
    garbage = (
        b"\0\1 tail of something" + MARK[:4] + stale.next() + encode(Frame(Kind.DATA, 3, b"late")) + b"\2half"
    )
    scripted.far.sendall(garbage)
    thread = threading.Thread(target=lambda: scripted.greet(member="m"))
    thread.start()
    session = Session(scripted.near)
    thread.join()
    assert session.guest.member == "m"
    thread, found = in_background(lambda: session.call("x", {}))
    opened = scripted.read(Kind.OPEN)
    scripted.far.sendall(
        encode(Frame(Kind.DATA, opened.channel, pack({"result": 3}, b"y")))
        + encode(Frame(Kind.END, opened.channel))
    )
    thread.join()
    assert found == [(3, b"y")]
    session.close()


def test_a_guest_that_does_not_greet_is_gone_in_time(scripted: Scripted) -> None:
    with pytest.raises(GuestGone, match=r"no answer for 0\.1 s") as caught:
        Session(scripted.near, where="machine m", within=0.1)
    assert caught.value.untried


def test_another_protocol_is_a_failure_that_says_so(scripted: Scripted) -> None:
    thread = threading.Thread(target=lambda: scripted.greet(protocol=99))
    thread.start()
    with pytest.raises(Failure, match="it speaks 99"):
        Session(scripted.near)
    thread.join()


@pytest.mark.parametrize(
    "said", [encode(Frame(Kind.HELLO, 0, Hello("").as_data().__repr__().encode())), b"\0" * 50, b""], ids=repr
)
def test_a_program_that_starts_anew_or_talks_nonsense_ends_the_session(
    scripted: Scripted, said: bytes
) -> None:
    thread = threading.Thread(target=scripted.greet)
    thread.start()
    session = Session(scripted.near)
    thread.join()
    thread, found = in_background(lambda: session.call("x", {}))
    scripted.read(Kind.OPEN)
    if said:
        scripted.far.sendall(said)
    else:
        scripted.far.shutdown(socket.SHUT_RDWR)
    thread.join()
    assert isinstance(found[0], GuestGone)
    assert session.wait_until_gone(20)


def test_a_guest_that_says_nothing_more_is_given_up(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one whose kernel stands still: its port is open, and nobody reads it."""
    monkeypatch.setattr(session_module, "SILENCE", 0.1)
    monkeypatch.setattr(session_module, "GONE_AFTER", 0.2)
    thread = threading.Thread(target=scripted.greet)
    thread.start()
    session = Session(scripted.near)
    thread.join()
    with pytest.raises(GuestGone, match="no sign of life"):
        session.call("x", {}, timeout=1000)


def test_a_guest_that_shows_life_is_waited_for(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "SILENCE", 0.05)
    thread = threading.Thread(target=scripted.greet)
    thread.start()
    session = Session(scripted.near)
    thread.join()
    thread, found = in_background(lambda: session.call("x", {}, timeout=1000))
    channel = scripted.read(Kind.OPEN).channel
    for _ in range(5):
        scripted.read(Kind.PING)
        scripted.far.sendall(encode(Frame(Kind.PONG)))
    scripted.far.sendall(
        encode(Frame(Kind.DATA, channel, pack({"result": 1}))) + encode(Frame(Kind.END, channel))
    )
    thread.join()
    assert found == [(1, b"")]
    session.close()


def test_a_guest_that_talks_without_being_asked_does_not_hold_its_port(scripted: Scripted) -> None:
    """It may ask for signs of life as often as it likes, and read none: that takes no memory here."""
    thread = threading.Thread(target=scripted.greet)
    thread.start()
    released = threading.Event()
    session = Session(scripted.near, idle=1.0, release=released.set)
    thread.join()
    channels = session._wire.channels
    longest = 0
    with contextlib.suppress(OSError):  # it was closed
        while not released.is_set():
            scripted.far.sendall(encode(Frame(Kind.PING)) * 1000)
            longest = max(longest, len(channels._first))
    assert session.wait_until_gone(20)
    assert longest <= 1


@pytest.mark.parametrize("number", ["Infinity", "1e999", "-1e999", "NaN", "[]", "{}", '"x"'])
def test_a_hello_of_no_number_is_none(scripted: Scripted, number: str) -> None:
    released = threading.Event()

    def greet() -> None:
        asked = scripted.read(Kind.HELLO)
        session = asked.content.decode().split('"')[3]
        said = f'{{"session": "{session}", "protocol": {number}}}'
        scripted.far.sendall(encode(Frame(Kind.HELLO, 0, said.encode())))

    thread = threading.Thread(target=greet)
    thread.start()
    with pytest.raises(GuestGone, match="protocol"):
        Session(scripted.near, release=released.set)
    thread.join()
    assert released.wait(20)


def test_an_answer_without_meaning_is_a_failure_of_the_machine(scripted: Scripted) -> None:
    thread = threading.Thread(target=scripted.greet)
    thread.start()
    session = Session(scripted.near)
    thread.join()
    machine = RemoteMachine("t", "m", session)
    thread, found = in_background(machine.running)
    channel = scripted.read(Kind.OPEN).channel
    scripted.far.sendall(
        encode(Frame(Kind.DATA, channel, pack({"result": [["x"], 7]}))) + encode(Frame(Kind.END, channel))
    )
    thread.join()
    assert isinstance(found[0], Failure)
    assert "no meaning" in found[0].found
    session.close()


def test_a_port_after_another_is_served_at_the_same_time(make_guest: MakeGuest) -> None:
    guest = make_guest(ports=2)
    one, two = guest.session(0), guest.session(1)
    one.call("running", {})
    two.call("running", {})
    one.close()
    assert two.call("running", {}) == ([], b"")
