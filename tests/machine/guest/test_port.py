"""Which process has which port, how long it keeps a session, and what becomes of both when somebody dies or forks."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.machine.contract import Program
from lbkit.machine.guest import port as port_module
from lbkit.machine.guest.pack import Packed, packed
from lbkit.machine.guest.port import Line, Port, unix_port
from lbkit.machine.guest.remote import RemoteMachine
from lbkit.machine.guest.session import GuestGone
from tests.machine.guest.conftest import MakeGuest
from tests.machine.guest.world import FakeGuest
from tests.machine.world import SLEEP, until

pytestmark = pytest.mark.sandbox


def line_to(guest: FakeGuest, topology: str, *, free_within: float = 10.0, member: str = "m") -> Line:
    ports = [unix_port(guest.port(number)) for number in range(guest.ports)]
    (guest.folder / "locks").mkdir(exist_ok=True)
    return Line(
        (topology, member, 1, os.urandom(4)),
        ports,
        guest.folder / "locks",
        f"machine {member}",
        (topology, member),
        free_within=free_within,
    )


@pytest.fixture
def guest(make_guest: MakeGuest) -> FakeGuest:
    return make_guest(ports=2)


@pytest.fixture
def line(guest: FakeGuest, topology_name: str) -> Iterator[Line]:
    made = line_to(guest, topology_name)
    yield made
    made.drop()


def patient(guest: FakeGuest, line: Line) -> Line:
    """Where QEMU listens, somebody always does; a program that listens itself does not while it starts anew."""

    def connect() -> socket.socket:
        found: list[socket.socket] = []

        def tried() -> bool:
            with contextlib.suppress(OSError):
                found.append(guest.connect())
            return bool(found)

        until(tried, "the program listens again")
        return found[0]

    return replace(line, ports=[Port("org.lbkit.0", connect)])


def held(folder: Path) -> list[str]:
    """Names of the locks that somebody has."""
    found = []
    for path in sorted(folder.iterdir()):
        with path.open("r+b") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                found.append(path.name)
    return found


def test_a_process_takes_one_port_for_all_its_threads(line: Line, guest: FakeGuest) -> None:
    threads = [threading.Thread(target=lambda: line.call("running", {})) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held(line.locks) == ["org.lbkit.0.lock"]
    line.drop()
    assert held(line.locks) == []


def test_another_takes_the_next_and_the_last_waits_for_one(
    line: Line, guest: FakeGuest, topology_name: str
) -> None:
    second, third = (line_to(guest, topology_name, free_within=0.1) for _ in range(2))
    line.call("running", {})
    second.call("running", {})
    assert held(line.locks) == ["org.lbkit.0.lock", "org.lbkit.1.lock"]
    with pytest.raises(Failure, match="other processes have all 2"):
        third.call("running", {})
    waits = line_to(guest, topology_name, free_within=60.0)
    thread = threading.Thread(target=lambda: waits.call("running", {}))
    thread.start()
    second.drop()
    thread.join()
    waits.drop()


def test_the_port_of_a_killed_process_is_free(line: Line, guest: FakeGuest, topology_name: str) -> None:
    for _ in range(3):
        child = os.fork()
        if not child:
            own = line_to(guest, topology_name)
            own.call("running", {})
            os.kill(os.getpid(), 9)
        os.waitpid(child, 0)
        assert line.call("running", {}) == ([], b"")
        line.drop()
    assert held(line.locks) == []


def test_a_session_that_nobody_uses_gives_its_port_back(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_module, "IDLE", 0.05)
    line.call("running", {})
    until(lambda: held(line.locks) == [], "the port is given back")
    assert line.call("running", {}) == ([], b"")


def test_a_session_with_an_open_socket_is_in_use(
    line: Line, topology_name: str, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port_module, "IDLE", 0.05)
    machine = RemoteMachine(topology_name, "m", line, inside=host)
    code = "import socket; s = socket.create_server(('127.0.0.1', 80)); print('up'); s.accept()[0].recv(1); print('end')"
    machine.start(Program("app", ("/usr/bin/python3", "-I", "-u", "-c", code)))
    until(lambda: machine.log("app") == ("up",), "it listens")
    with machine.dial("127.0.0.1", 80) as connection:
        threading.Event().wait(0.2)
        assert held(line.locks) == ["org.lbkit.0.lock"]
        connection.sendall(b"x")
        assert connection.recv(1) == b""
    until(lambda: held(line.locks) == [], "the port is given back")
    machine.stop("app")


def test_a_broken_session_is_made_anew(line: Line, guest: FakeGuest) -> None:
    line.call("running", {})
    guest.kill()
    guest.start()
    assert line.call("running", {}) == ([], b"")


def test_a_guest_that_is_away_is_told_at_once_and_leaves_no_lock(line: Line, guest: FakeGuest) -> None:
    guest.kill()
    with pytest.raises(GuestGone, match="No such file"):
        line.call("running", {})
    assert held(line.locks) == []


def test_another_machine_behind_the_port_is_refused(guest: FakeGuest, topology_name: str) -> None:
    wrong = line_to(guest, topology_name, member="other")
    with pytest.raises(Failure, match=r"the guest says that it is m of") as caught:
        wrong.call("running", {})
    assert caught.value.where == "machine other"
    assert held(wrong.locks) == []


def test_a_forked_child_has_a_session_of_its_own(line: Line, guest: FakeGuest) -> None:
    line.call("running", {})
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        line.call("running", {})
        os.write(writing, ",".join(held(line.locks)).encode())
        os._exit(0)
    assert os.read(reading, 100) == b"org.lbkit.0.lock,org.lbkit.1.lock"
    os.waitpid(child, 0)
    assert line.call("running", {}) == ([], b"")
    for descriptor in (reading, writing):
        os.close(descriptor)


def test_a_child_that_lives_on_keeps_no_port(line: Line, guest: FakeGuest) -> None:
    line.call("running", {})
    waiting, done = os.pipe()
    child = os.fork()
    if not child:
        os.close(done)
        os.read(waiting, 1)
        os._exit(0)
    line.drop()
    until(lambda: held(line.locks) == [], "the child lets go of it, as soon as it runs")
    os.close(done)
    os.close(waiting)
    os.waitpid(child, 0)


def test_the_next_port_is_taken_where_somebody_elsewhere_has_one(line: Line, guest: FakeGuest) -> None:
    def taken() -> socket.socket:
        raise OSError(errno.EBUSY, "Active channel stream exists")

    other = replace(line, ports=[Port("taken", taken), *line.ports])
    assert other.call("running", {}) == ([], b"")
    assert held(line.locks) == [f"{line.ports[0].name}.lock"]
    with pytest.raises(Failure, match="a port of the guest was to be free"):
        replace(line, key="none", ports=[Port("taken", taken)], free_within=0.1).call("running", {})


def test_where_no_folder_is_for_locks_none_is_made_and_the_port_itself_says_who_has_it(
    line: Line, guest: FakeGuest
) -> None:
    """Whoever only looks at a machine of another host leaves nothing here."""
    line.locks.rmdir()
    busy = []

    def taken() -> socket.socket:
        busy.append("asked")
        raise OSError(errno.EBUSY, "Active channel stream exists")

    other = replace(line, ports=[Port("taken", taken), *line.ports])
    assert other.call("running", {}) == ([], b"")
    assert busy == ["asked"]
    assert not line.locks.exists()


def test_what_a_process_keeps_of_guests_does_not_grow(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that watches for months sees many of them come and go."""
    sessions = port_module._Sessions()
    monkeypatch.setattr(port_module, "_SESSIONS", sessions)
    monkeypatch.setattr(port_module, "IDLE", 0.05)
    with pytest.raises(GuestGone):
        replace(line, key="away", ports=[unix_port(line.locks / "none")]).call("running", {})
    first = replace(line, key="first")
    first.call("running", {})
    until(lambda: held(line.locks) == [], "the port is given back")
    line.call("running", {})
    assert list(sessions._kept) == [line.key]
    assert not sessions._opening
    line.drop()


def test_a_guest_goes_on_with_another_program_and_its_services_run(
    line: Line, guest: FakeGuest, topology_name: str, host: Host
) -> None:
    machine = RemoteMachine(topology_name, "m", line, inside=host)
    started = machine.start(Program("app", SLEEP))
    patient(guest, line).renew(packed())
    assert machine.running() == {"app": started}
    assert guest.archive.read_bytes() == packed().content
    assert guest.process is not None
    assert guest.process.poll() is None
    machine.stop("app")


@pytest.mark.parametrize("content", [b"no archive", b""])
def test_a_program_that_does_not_run_there_does_not_take_its_place(
    line: Line, guest: FakeGuest, content: bytes
) -> None:
    before = guest.archive.read_bytes()
    with pytest.raises(Failure, match="the guest goes on with the one that it has"):
        line.renew(Packed(content, "x"))
    assert line.call("running", {}) == ([], b"")
    assert guest.archive.read_bytes() == before
    assert sorted(path.name for path in guest.folder.glob(".*")) == []
