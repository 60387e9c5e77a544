"""What every driver's machines promise (lbkit/machine/contract.py). A new driver has its machine here."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from ipaddress import ip_address

import pytest

from lbkit.base.errors import Bug, Failure
from lbkit.base.host import Host
from lbkit.base.run import CommandFailed, MissingProgram
from lbkit.health.outcome import Target
from lbkit.health.question import Question
from lbkit.machine.contract import Machine, Program
from lbkit.machine.guest.remote import RemoteMachine
from lbkit.machine.handle import DRIVERS, driver
from lbkit.machine.handle import machine as handle
from tests.machine import world
from tests.machine.guest.world import FakeGuest, an_identity
from tests.machine.world import PYTHON, SLEEP, until

pytestmark = pytest.mark.sandbox


WITHOUT_A_VM = "guest without a VM"
"""What the machines of `libvirt` are, but for the machine. A real one keeps the same promises in libvirt/test_contract.py."""


@pytest.fixture(params=["netns", WITHOUT_A_VM])
def machine(request: pytest.FixtureRequest, topology: str, host: Host) -> Iterator[Machine]:
    """A machine that stands."""
    if request.param == WITHOUT_A_VM:
        guest = FakeGuest(host.run_dir / "guest", host.run_dir)
        guest.tell(an_identity(topology))
        with closing(guest.start()):
            yield RemoteMachine(topology, "m", guest.session(), inside=host)
        return
    scope = world.scope_of(topology, replace(world.machine("m"), driver=request.param))
    world.apply(scope, host)
    yield handle(scope, host, "m")


def python(name: str, code: str) -> Program:
    return Program(name, (PYTHON, "-I", "-u", "-c", code))


def test_a_whole_file_is_put_with_its_parents_and_fetched(machine: Machine) -> None:
    path = machine.folder("app") / "conf.d" / "a.conf"
    machine.put(path, b"one", mode=0o600)
    machine.put(path, b"two", mode=0o640)
    assert machine.fetch(path) == b"two"
    found = machine.files("app", ["conf.d/a.conf", "missing", "conf.d"])
    assert {name: (file.content, file.mode, file.owner) for name, file in found.items()} == {
        "conf.d/a.conf": (b"two", 0o640, None)
    }
    machine.discard(path)
    machine.discard(path)
    assert machine.fetch(path) is None
    assert machine.fetch(machine.folder("nobody") / "x") is None


def test_a_path_outside_the_machine_is_refused(machine: Machine) -> None:
    for path in (machine.folder("app").parent.parent / "x", machine.folder("app") / ".." / ".." / "x"):
        with pytest.raises(Bug):
            machine.put(path, b"")
    with pytest.raises(Bug):
        machine.folder("../x")


def test_a_program_runs_in_its_folder_with_an_environment_of_its_own(machine: Machine) -> None:
    code = "import os, sys; print(os.getcwd(), sorted(os.environ), os.getsid(0) == os.getpid(), sys.stdin.read())"
    machine.start(replace(python("app", code), environment={"COLOUR": "blue"}))
    until(lambda: machine.log("app"), "it prints")
    folder = os.path.realpath(machine.folder("app"))
    assert machine.log("app") == (f"{folder} ['COLOUR', 'LANG', 'LBKIT_SERVICE', 'PATH'] True",)


def test_a_started_program_is_running_until_it_is_stopped(machine: Machine) -> None:
    started = machine.start(Program("app", SLEEP, digest="d1", kind="other"))
    assert machine.running() == {"app": started}
    assert (started.name, started.digest, started.kind) == ("app", "d1", "other")
    machine.stop("app")
    machine.stop("app")
    assert machine.running() == {}


def test_the_same_digest_is_not_started_twice_and_another_takes_its_place(machine: Machine) -> None:
    first = machine.start(Program("app", SLEEP, digest="d1"))
    assert machine.start(Program("app", SLEEP, digest="d1")) == first
    second = machine.start(Program("app", SLEEP, digest="d2"))
    assert second.pid != first.pid
    assert machine.running() == {"app": second}
    assert not alive(machine, first.pid)


def test_a_reload_changes_the_digest_and_not_the_process(machine: Machine) -> None:
    first = machine.start(Program("app", SLEEP, digest="d1"))
    machine.reloaded("app", "d2")
    assert machine.running() == {"app": replace(first, digest="d2")}
    with pytest.raises(Failure):
        machine.reloaded("nobody", "d2")


def test_a_missing_program_is_an_error_at_start_in_the_system_s_words(machine: Machine) -> None:
    with pytest.raises(Failure) as caught:
        machine.start(Program("app", ("no-such-program",)))
    assert "No such file or directory: no-such-program" in caught.value.found
    assert "m/app" in caught.value.where
    assert machine.running() == {}


def test_a_file_that_may_not_be_executed_is_an_error_at_start(machine: Machine) -> None:
    machine.put(machine.folder("app") / "run", b"#!/bin/sh\n", mode=0o644)
    with pytest.raises(Failure) as caught:
        machine.start(Program("app", ("./run",)))
    assert "Permission denied" in caught.value.found


def test_a_program_that_ended_is_not_running(machine: Machine) -> None:
    machine.start(python("app", "print('the reason')"))
    until(lambda: not machine.running(), "it ends")
    assert machine.log("app") == ("the reason",)


def test_the_log_is_appended_to(machine: Machine) -> None:
    for word in ("one", "two"):
        machine.start(replace(python("app", f"print('{word}')"), digest=word))
        until(lambda word=word: word in machine.log("app"), "it prints")
    assert machine.log("app") == ("one", "two")
    assert machine.log("app", lines=1) == ("two",)
    assert machine.log("nobody") == ()


def test_a_signal_reaches_the_program(machine: Machine) -> None:
    code = "import signal; signal.signal(signal.SIGHUP, lambda *_: print('heard')); print('up'); [signal.pause() for _ in 'xxx']"
    machine.start(python("app", code))
    until(lambda: machine.log("app"), "it is up")
    machine.signal("app", signal.SIGHUP)
    until(lambda: machine.log("app")[-1] == "heard", "it hears")
    machine.stop("app")
    with pytest.raises(Failure):
        machine.signal("app", signal.SIGHUP)


def test_one_that_ignores_sigterm_is_killed_after_the_timeout(machine: Machine) -> None:
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); [signal.pause() for _ in 'xxx']"
    started = machine.start(python("app", code))
    until(lambda: machine.log("app"), "it is up")
    machine.stop("app", timeout=0.1)
    assert not alive(machine, started.pid)


SLOW = (
    "import signal, sys, time\n"
    "def finish(*_): print('finishing'); time.sleep(0.2); print('done'); sys.exit()\n"
    "signal.signal(signal.SIGUSR1, finish); print('up'); time.sleep(1000)\n"
)


def test_one_that_drains_finishes_what_it_has_begun(machine: Machine) -> None:
    machine.start(replace(python("app", SLOW), drain="USR1", drain_timeout=20.0))
    until(lambda: machine.log("app"), "it is up")
    machine.drain("app")
    assert machine.log("app") == ("up", "finishing", "done")
    assert machine.running() == {}
    machine.drain("app")
    machine.drain("nobody")


def test_one_that_drains_for_too_long_or_knows_no_such_signal_is_stopped(machine: Machine) -> None:
    ignores = "import signal; signal.signal(signal.SIGUSR1, signal.SIG_IGN); print('up'); [signal.pause() for _ in 'xxx']"
    for program in (
        replace(python("app", ignores), drain="USR1", drain_timeout=0.1, digest="d1"),
        replace(python("app", ignores), digest="d2"),
    ):
        started = machine.start(program)
        until(lambda: machine.log("app")[-1:] == ("up",), "it is up")
        machine.drain("app")
        assert not alive(machine, started.pid)
        assert machine.running() == {}


def test_one_that_is_draining_is_not_taken_for_what_it_was_started_as(machine: Machine) -> None:
    program = replace(
        python("app", SLOW.replace("0.2", "1000")), digest="d1", drain="USR1", drain_timeout=50.0
    )
    first = machine.start(program)
    until(lambda: machine.log("app"), "it is up")
    draining = threading.Thread(target=machine.drain, args=("app",))
    draining.start()
    until(lambda: "finishing" in machine.log("app"), "it drains")
    assert machine.running()["app"].digest != "d1"
    machine.execute(["kill", "-KILL", str(first.pid)])
    draining.join()
    assert machine.start(program) != first


def test_one_that_is_stopped_by_a_signal_can_be_stopped_for_good(machine: Machine) -> None:
    started = machine.start(Program("app", SLEEP))
    machine.signal("app", signal.SIGSTOP)
    machine.stop("app", timeout=20)
    assert not alive(machine, started.pid)


def test_execute_returns_what_the_program_said(machine: Machine) -> None:
    done = machine.execute(["cat"], stdin="hello")
    assert (done.returncode, done.stdout) == (0, "hello")
    done = machine.execute(["sh", "-c", "echo $COLOUR; exit 3"], environment={"COLOUR": "blue"}, check=False)
    assert (done.returncode, done.stdout) == (3, "blue\n")
    with pytest.raises(CommandFailed) as caught:
        machine.execute(["false"])
    assert "machine m" in caught.value.where
    with pytest.raises(MissingProgram):
        machine.execute(["no-such-program"])


def test_a_rehearsal_sees_its_files_alone_and_leaves_none(machine: Machine) -> None:
    machine.put(machine.folder("app") / "live", b"")
    before = files(machine)
    done = machine.rehearse("app", ["find", ".", "-type", "f", "-perm", "600"], {"a/b": (b"x", 0o600)})
    assert done.stdout == "./a/b\n"
    assert machine.rehearse("app", ["false"], {}).returncode == 1
    assert files(machine) == before


def alive(machine: Machine, pid: int) -> bool:
    """Whether there is such a process in the machine, that does not only wait for its parent to look."""
    found = machine.execute(["cat", f"/proc/{pid}/stat"], check=False).stdout
    return found.rpartition(")")[2].split()[:1] not in ([], ["Z"], ["X"])


def files(machine: Machine) -> list[str]:
    """All that lbkit keeps in the machine."""
    return sorted(machine.execute(["find", str(machine.folder("app").parent)]).stdout.splitlines())


def test_sockets_of_the_machine_are_reached_and_those_of_the_host_are_not(machine: Machine) -> None:
    code = (
        "import socket\n"
        "tcp = socket.create_server(('127.0.0.1', 8080))\n"
        "unix = socket.socket(socket.AF_UNIX); unix.bind('admin.sock'); unix.listen()\n"
        "print('up')\n"
        "for listener in (tcp, unix):\n"
        "    peer, _ = listener.accept(); peer.sendall(b'hello'); peer.close()\n"
    )
    machine.start(python("app", code))
    until(lambda: machine.log("app"), "it listens")
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", 8080), 1)
    with machine.dial("127.0.0.1", 8080) as connection:
        assert connection.recv(10) == b"hello"
    with machine.connect(machine.folder("app") / "admin.sock") as connection:
        assert connection.recv(10) == b"hello"
    with pytest.raises(Failure):
        machine.dial("127.0.0.1", 8081)
    with pytest.raises(Failure):
        machine.connect(machine.folder("app") / "other.sock")


def test_addresses_are_all_of_an_interface_whoever_put_them(machine: Machine) -> None:
    before = set(machine.addresses("lo"))
    machine.execute(["ip", "address", "add", "192.0.2.9/32", "dev", "lo"])
    assert set(map(str, set(machine.addresses("lo")) - before)) == {"192.0.2.9"}
    assert machine.addresses("nonsense") == ()


def test_many_are_asked_at_once_from_inside_the_machine(machine: Machine) -> None:
    code = (
        "import socket\n"
        "listener = socket.create_server(('127.0.0.1', 8080), backlog=50)\n"
        "print('up')\n"
        "there = []\nwhile True: there.append(listener.accept())\n"
    )
    machine.start(python("app", code))
    until(lambda: machine.log("app"), "it listens")

    targets = [
        Target("127.0.0.1", 8080),
        Target("127.0.0.1", 8081),
        Target("192.0.2.1", 80),
        Target("::1", 80),
    ]
    found = machine.probe(Question(), targets, at_once=2)
    assert [found[target].code for target in targets] == ["L4OK", "L4CON", "L4CON", "L4CON"]
    late = machine.probe(Question(answer=b"never", answer_within=1000.0), targets[:1], within=0.1)
    assert not late[targets[0]].code


def test_the_path_of_packets_is_the_machine_s_own(machine: Machine) -> None:
    path = machine.path_to(ip_address("127.0.0.1"))
    assert path.interface == "lo"
    assert path.links["lo"].up
    path = machine.path_to(ip_address("192.0.2.1"))
    assert (path.interface, path.refusal) == ("", "no route leads there")
    machine.execute(["ip", "route", "add", "192.0.2.0/24", "dev", "lo"])
    assert machine.path_to(ip_address("192.0.2.1")).interface == "lo"


def test_a_removed_service_leaves_nothing(machine: Machine) -> None:
    machine.start(Program("app", SLEEP))
    machine.put(machine.folder("app") / "deep" / "er", b"")
    machine.stop("app")
    machine.remove("app")
    machine.remove("app")
    assert files(machine) == [str(machine.folder("app").parent)]


def test_calls_in_many_threads_stay_in_the_machine_and_callers_where_they_were(machine: Machine) -> None:
    here = os.stat("/proc/thread-self/ns/net").st_ino
    inside: list[str] = []
    outside: list[int] = []

    def ask() -> None:
        inside.append(machine.execute(["readlink", "/proc/self/ns/net"]).stdout)
        outside.append(os.stat("/proc/thread-self/ns/net").st_ino)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(inside)) == 1
    assert f"net:[{here}]" not in inside[0]
    assert set(outside) == {here}


def test_no_descriptor_is_left_open(machine: Machine) -> None:
    def rounds() -> int:
        for number in range(5):
            machine.start(Program("app", SLEEP, digest=str(number)))
            machine.execute(["true"])
            machine.probe(Question(), [Target("127.0.0.1", 8081)])
            machine.stop("app")
        return len(os.listdir("/proc/self/fd"))

    assert rounds() == rounds()


def test_a_machine_that_does_not_stand_is_named_in_the_error(topology: str, host: Host) -> None:
    for name in DRIVERS:
        gone = driver(name).machine(world.scope_of(topology), host, "gone")
        with pytest.raises(Failure, match="gone"):
            gone.execute(["true"])
        with pytest.raises(Failure, match="gone"):
            gone.start(Program("app", SLEEP))
        with pytest.raises(Failure, match="gone"):
            gone.probe(Question(), [Target("127.0.0.1", 80)])
        assert gone.running() == {}
        gone.stop("app")
        gone.remove("app")
