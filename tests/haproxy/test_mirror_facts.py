"""What backends of mirrors lean on, of every version: servers that wait for an agent's word, and who counts as usable."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.haproxy.bare import Bare, eventually, running
from tests.haproxy.test_backends_real import pid
from tests.haproxy.versions import VERSIONS, program

pytestmark = pytest.mark.sandbox

GOOD, AGENT, FRONT = 9001, 9002, 9003
CONFIG = f"""
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 100ms
    timeout check 100ms
    load-server-state-from-file global
    option idle-close-on-response
frontend good
    bind 127.0.0.1:{GOOD}
    http-request return status 200
frontend front
    bind 127.0.0.1:{FRONT}
    http-response set-header Usable %[nbsrv(be)]
    http-response set-header Stopping %[stopping]
    default_backend be
backend be
    default-server check inter 20 rise 1 fall 1 agent-check agent-inter 20
    server s 127.0.0.1:{GOOD} agent-port {AGENT}
"""
BEGINS_DRAINED = "1\n0 be 0 s 127.0.0.1 2 8 1 1 0 1 0 1 6 0 0 0 - 9001 - 0 0 - - 0\n"

Start = Callable[..., Bare]


@pytest.fixture(params=VERSIONS)
def start(netns: None, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Start]:
    with ExitStack() as stack:

        def made(state: str = "1\n") -> Bare:
            (tmp_path / "servers.state").write_text(state)
            return stack.enter_context(running(program(request.param), tmp_path, CONFIG))

        yield made


@dataclass
class Agent:
    """It accepts all the while, and says its words; None: nothing."""

    words: bytes | None = None
    open: bool = True


@pytest.fixture
def agent(netns: None) -> Iterator[Agent]:
    made = Agent()
    listener = socket.create_server(("127.0.0.1", AGENT))
    listener.settimeout(0.02)

    def answer() -> None:
        with ExitStack() as silent, listener:
            while made.open:
                with suppress(OSError):
                    connection, _ = listener.accept()
                    if made.words is None:
                        silent.enter_context(connection)
                        continue
                    with connection:
                        connection.sendall(made.words)

    thread = threading.Thread(target=answer)
    thread.start()
    yield made
    made.open = False
    thread.join()


def drained(haproxy: Bare) -> bool:
    state = haproxy.state("be", "s")
    assert state is not None
    return bool(int(state["srv_admin_state"]) & 8)


def heard(haproxy: Bare) -> str:
    head, *rows = haproxy.ask("show stat").splitlines()
    column = head.removeprefix("# ").split(",").index("agent_status")
    return next(row.split(",")[column] for row in rows if row.startswith("be,s,")).removeprefix("* ")


def test_one_that_begins_drained_waits_for_ready(start: Start, agent: Agent) -> None:
    haproxy = start(BEGINS_DRAINED)
    assert drained(haproxy)
    agent.words = b"up\n"
    eventually(lambda: heard(haproxy) == "L7OK")
    assert drained(haproxy)
    agent.words = b"drain\n"
    eventually(lambda: heard(haproxy) == "CHECKED")
    assert drained(haproxy)
    agent.words = b"ready up\n"
    eventually(lambda: not drained(haproxy))


def test_an_agent_that_is_silent_changes_nothing(start: Start, agent: Agent) -> None:
    haproxy = start(BEGINS_DRAINED)
    eventually(lambda: heard(haproxy) == "L7TOUT")  # it accepts, and says nothing
    assert drained(haproxy)
    agent.words = b"ready up\n"
    eventually(lambda: not drained(haproxy))
    agent.words = None
    eventually(lambda: heard(haproxy) == "L7TOUT")
    assert not drained(haproxy)
    agent.open = False
    eventually(lambda: heard(haproxy) == "L4CON")
    assert not drained(haproxy)
    assert (haproxy.state("be", "s") or {})["srv_op_state"] == "2"


def test_with_a_weight_of_0_a_line_of_the_state_file_drains_nobody(start: Start, agent: Agent) -> None:
    assert not drained(start(BEGINS_DRAINED.replace(" 2 8 1 1 ", " 2 8 0 0 ")))


@pytest.mark.parametrize("kept", [False, True])
def test_whom_a_process_that_was_replaced_counts_as_usable(start: Start, *, kept: bool) -> None:
    haproxy = start()
    connection = http.client.HTTPConnection("127.0.0.1", FRONT, timeout=20)
    connection.request("GET", "/")
    first = connection.getresponse()
    first.read()
    assert (first.headers["Usable"], first.headers["Stopping"]) == ("1", "0")
    before = pid(haproxy)
    haproxy.master("reload")
    eventually(lambda: pid(haproxy) != before)
    if not kept:
        connection.close()
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    stopping = answer.headers["Stopping"] == "1"
    assert stopping is kept
    version = haproxy.ask("show info").split("Version: ")[1][:3]
    assert answer.headers["Usable"] == ("0" if stopping and version == "2.6" else "1")
    connection.close()
