"""What lbkit's transitions lean on, of every version: when a server gets requests while it is changed at run time."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.haproxy.bare import Bare, eventually, running
from tests.haproxy.versions import VERSIONS, program

pytestmark = pytest.mark.sandbox

GOOD, SLOW, DEAD = 9001, 9002, 9003
CONFIG = f"""
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 1s
    timeout check 10s
    load-server-state-from-file global
    option httpchk
frontend good
    bind 127.0.0.1:{GOOD}
    http-request return status 200
backend be
    server s 127.0.0.1:{{port}} weight 7 check inter 20 rise 1 fall 1
"""
UP, DOWN = "2", "0"
L4CON, L7OK = "8", "15"
IN_PROGRESS, ENABLED = 1, 4

Start = Callable[..., Bare]


@pytest.fixture(params=VERSIONS)
def start(netns: None, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Start]:
    with ExitStack() as stack:

        def made(port: int = GOOD, *states: str) -> Bare:
            """With lines of a server-state file, if any."""
            if states:
                (tmp_path / "servers.state").write_text("\n".join(("1", *states)) + "\n")
            return stack.enter_context(running(program(request.param), tmp_path, CONFIG.format(port=port)))

        yield made


@pytest.fixture
def slow(netns: None) -> Iterator[socket.socket]:
    """A server that answers when the test says so."""
    with socket.create_server(("127.0.0.1", SLOW)) as listener:
        listener.settimeout(20)
        yield listener


def test_in_maintenance_a_server_cannot_be_told_down(start: Start) -> None:
    haproxy = start()
    add(haproxy, DEAD, 60_000)
    haproxy.tell("enable health be/new", "set server be/new health down", "set server be/new state ready")
    assert seen(haproxy, "new", "srv_op_state") == UP  # without one check


def test_told_down_in_drain_a_new_server_waits_for_its_checks(start: Start) -> None:
    haproxy = start()
    add(haproxy, DEAD, 20)
    haproxy.tell(
        "enable health be/new",
        *(f"set server be/new {word}" for word in ("state drain", "health down", "state ready")),
    )
    assert seen(haproxy, "new", "srv_op_state") == DOWN
    until(haproxy, "new", srv_check_status=L4CON)
    assert seen(haproxy, "new", "srv_op_state") == DOWN
    haproxy.ask(f"set server be/new addr 127.0.0.1 port {GOOD}")
    until(haproxy, "new", srv_op_state=UP, srv_check_status=L7OK, srv_admin_state="0")


def test_a_check_that_is_on_its_way_counts_for_the_new_address(start: Start, slow: socket.socket) -> None:
    haproxy = start(SLOW)
    check, _ = slow.accept()
    haproxy.ask("set server be/s health down", f"set server be/s addr 127.0.0.1 port {DEAD}")
    assert seen(haproxy, "s", "srv_op_state") == DOWN
    slow.close()
    with check:
        answer(check)
        eventually(lambda: seen(haproxy, "s", "srv_check_status") in {L7OK, L4CON})
    log = haproxy.folder / "log"
    eventually(lambda: "Server be/s is UP, reason: Layer7 check passed" in log.read_text())


def test_with_its_checks_at_rest_a_server_moves_and_gets_nothing_before_they_pass(
    start: Start, slow: socket.socket
) -> None:
    haproxy = start(SLOW)
    check, _ = slow.accept()
    haproxy.tell("disable health be/s")
    assert int(seen(haproxy, "s", "srv_check_state")) & (IN_PROGRESS | ENABLED) == IN_PROGRESS
    with check:
        answer(check)
        eventually(lambda: not int(seen(haproxy, "s", "srv_check_state")) & IN_PROGRESS)
    assert seen(haproxy, "s", "srv_op_state") == UP
    haproxy.ask(
        "set server be/s health down", f"set server be/s addr 127.0.0.1 port {DEAD}", "enable health be/s"
    )
    until(haproxy, "s", srv_op_state=DOWN, srv_check_status=L4CON)
    haproxy.ask(f"set server be/s addr 127.0.0.1 port {GOOD}")
    until(haproxy, "s", srv_op_state=UP, srv_check_status=L7OK)


def test_a_line_of_the_state_file_keeps_a_server_down_until_its_checks_pass(start: Start) -> None:
    haproxy = start(DEAD, line(DEAD, operational=DOWN))
    until(haproxy, "s", srv_op_state=DOWN, srv_check_status=L4CON)
    assert "is UP" not in (haproxy.folder / "log").read_text()
    haproxy.ask(f"set server be/s addr 127.0.0.1 port {GOOD}")
    until(haproxy, "s", srv_op_state=UP, srv_admin_state="0")


def test_a_line_of_the_state_file_goes_by_names_and_keeps_drain(start: Start) -> None:
    haproxy = start(GOOD, line(GOOD, "gone"), line(GOOD, admin=8))
    until(haproxy, "s", srv_op_state=UP, srv_admin_state="8", srv_check_status=L7OK)


@pytest.mark.parametrize(("file", "kept"), [(7, "3"), (5, "7")])
def test_a_line_of_the_state_file_keeps_a_weight_where_the_files_is_the_same(
    start: Start, file: int, kept: str
) -> None:
    assert seen(start(GOOD, line(GOOD, weight=3, initial=file)), "s", "srv_uweight") == kept


def test_a_line_of_the_state_file_brings_its_port_and_not_its_address(start: Start) -> None:
    haproxy = start(GOOD, line(DEAD, address="127.0.0.9"))
    until(haproxy, "s", srv_addr="127.0.0.1", srv_port=str(DEAD))


def line(
    port: int,
    server: str = "s",
    *,
    operational: str = UP,
    admin: int = 0,
    weight: int = 7,
    initial: int = 7,
    address: str = "127.0.0.1",
) -> str:
    """As lbkit makes one up: ids 0, no check's result yet (1: of 0, HAProxy would die at the first check)."""
    return f"0 be 0 {server} {address} {operational} {admin} {weight} {initial} 0 1 0 0 6 0 0 0 - {port} - 0 0 - - 0"


def add(haproxy: Bare, port: int, interval: int) -> None:
    """A new server of the name `new`. `interval` in milliseconds."""
    words = f"check inter {interval} rise 1 fall 1"
    assert haproxy.ask(f"add server be/new 127.0.0.1:{port} {words}") == "New server registered."


def answer(check: socket.socket) -> None:
    check.recv(4096)
    check.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")


def seen(haproxy: Bare, server: str, field: str) -> str:
    state = haproxy.state("be", server)
    assert state is not None
    return state[field]


def until(haproxy: Bare, server: str, **wanted: str) -> None:
    eventually(lambda: wanted.items() <= (haproxy.state("be", server) or {}).items())
