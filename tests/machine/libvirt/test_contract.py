"""The contract of machines, held by a virtual one: the same tests as in tests/machine/test_contract.py, in one guest.

What belongs to the channel is asked twice: by the guest's sockets, and as of another machine, by libvirt's streams over ssh.
"""

from __future__ import annotations

import inspect
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lbkit import operate
from lbkit.base.host import Host
from lbkit.hypervisor.connection import close_all
from lbkit.hypervisor.daemon import Daemon
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.machine.contract import Machine
from lbkit.machine.guest.port import Line
from lbkit.machine.guest.remote import RemoteMachine
from lbkit.machine.libvirt import fleet
from lbkit.machine.libvirt.agent import GuestAgent
from lbkit.machine.libvirt.reach import line_to
from lbkit.machine.libvirt.standing import standing
from tests import images
from tests.libvirtd import CACHE, section
from tests.machine import test_contract as contract
from tests.machine.libvirt import agent_promises
from tests.machine.world import until
from tests.ssh import reached_by_ssh

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("vm")]

OF_THIS_PROCESS = {"test_no_descriptor_is_left_open"}  # held by the channel, in a guest without a VM
PROMISES = {
    name: test
    for name, test in vars(contract).items()
    if name.startswith("test_")
    and list(inspect.signature(test).parameters) == ["machine"]
    and name not in OF_THIS_PROCESS
}
globals().update(PROMISES)

BY_SOCKETS, BY_SSH = "by its sockets", "by libvirt over ssh"
OF_THE_CHANNEL = {
    "test_a_whole_file_is_put_with_its_parents_and_fetched",
    "test_a_started_program_is_running_until_it_is_stopped",
    "test_a_missing_program_is_an_error_at_start_in_the_system_s_words",
    "test_execute_returns_what_the_program_said",
    "test_sockets_of_the_machine_are_reached_and_those_of_the_host_are_not",
    "test_many_are_asked_at_once_from_inside_the_machine",
    "test_calls_in_many_threads_stay_in_the_machine_and_callers_where_they_were",
    "test_streams_and_calls_go_side_by_side",
    "test_a_removed_service_leaves_nothing",
}
ECHO = """
import socket, threading
def echo(peer):
    while piece := peer.recv(65536):
        peer.sendall(piece)
    peer.close()
listener = socket.socket(socket.AF_UNIX)
listener.bind("echo.sock")
listener.listen()
print("up")
while True:
    threading.Thread(target=echo, args=(listener.accept()[0],)).start()
"""
MIB = 1 << 20


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "machine" in metafunc.fixturenames:
        twice = metafunc.function.__name__ in OF_THE_CHANNEL
        metafunc.parametrize("machine", [BY_SOCKETS, BY_SSH][: 1 + twice], indirect=True)


@dataclass(frozen=True)
class Guest:
    """`lines` by the way there."""

    lines: dict[str, Line]
    topology: str
    uri: str


@pytest.fixture(scope="module")
def guest() -> Iterator[Guest]:
    """For all tests, as its start takes most of the time. In the network of the worker."""
    host = Host(run_dir=Path("/run/t", secrets.token_hex(3)), image_dir=images.folder())
    with (
        Daemon(host.run_dir / "libvirt", cache=CACHE) as daemon,
        reached_by_ssh(daemon, host.run_dir / "ssh") as uri,
    ):
        near = ResolvedHost("local", daemon.uri, "lbkit", str(host.run_dir / "pool"))
        far = replace(near, uri=uri)
        assert near.local
        assert not far.local
        scope = operate.load_data(document(f"v{secrets.token_hex(2)}", near), host.run_dir)
        operate.apply(scope, host)
        newest = fleet.last(scope, host).newest("m")
        assert newest
        lines = {BY_SOCKETS: newest.line(host), BY_SSH: line_to(host, far, newest.domain)}
        yield Guest(lines, scope.name, near.uri)
        operate.destroy(scope, host)
        close_all()


def document(topology: str, hypervisor: ResolvedHost) -> dict[str, Any]:
    return {
        "lbkit": 1,
        "name": topology,
        "hosts": section(hypervisor),
        "networks": {"front": {"cidr": "10.99.0.0/24"}},
        "machines": {
            "m": {
                "driver": "libvirt",
                "networks": ["front"],
                "gateway": False,
                "vm": {"image": images.built().identity, "memory": "256MiB", "accelerator": "tcg"},
            }
        },
    }


@pytest.fixture
def machine(guest: Guest, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """The guest, with nothing of a test before."""
    for way, line in guest.lines.items():
        if way != request.param:
            line.drop()  # its first port is what the other one asks for first
    line = guest.lines[request.param]
    found = RemoteMachine(guest.topology, "m", line)
    yield found
    found.stop("app")
    found.remove("app")


def test_streams_and_calls_go_side_by_side(machine: Machine) -> None:
    machine.start(contract.python("app", ECHO))
    until(lambda: machine.log("app"), "it listens")
    sent = [secrets.token_bytes(MIB) for _ in range(3)]
    got: dict[int, bytes] = {}

    def there_and_back(number: int) -> None:
        with closing(machine.connect(machine.folder("app") / "echo.sock")) as stream:
            sender = threading.Thread(target=give, args=(stream, sent[number]))
            sender.start()
            got[number] = b"".join(iter(lambda: stream.recv(MIB), b""))
            sender.join()

    streams = [threading.Thread(target=there_and_back, args=(number,)) for number in range(len(sent))]
    for each in streams:
        each.start()
    path = machine.folder("app") / "meanwhile"
    machine.put(path, sent[0])
    assert machine.fetch(path) == sent[0]
    assert machine.execute(["cat"], stdin="hello").stdout == "hello"
    for each in streams:
        each.join()
    assert [got[number] for number in range(len(sent))] == sent


@pytest.mark.parametrize("promise", agent_promises.PROMISES, ids=lambda promise: promise.__name__)
def test_its_guest_agent_is_as_promised(guest: Guest, promise: Callable[[GuestAgent], None]) -> None:
    with standing(guest.uri, guest.topology, "m") as domain:
        promise(agent_promises.awaited(GuestAgent(domain)))


def give(stream: socket.socket, content: bytes) -> None:
    stream.sendall(content)
    stream.shutdown(socket.SHUT_WR)
