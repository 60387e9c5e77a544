"""Sessions that are cut, checks that are turned off and on, one name in all backends: at a HAProxy that runs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from lbkit.base.errors import Mistake
from lbkit.haproxy.direct import WantedServer, apply_server, info, plan_server
from lbkit.haproxy.direct.stepping import Stopped
from tests.haproxy.bare import Bare, eventually, running
from tests.haproxy.direct.test_servers import AGENT, agent_that_says_ready, at, carried_out, server, settings
from tests.haproxy.versions import VERSIONS, program

pytestmark = pytest.mark.sandbox

LONG, STICKY = 8001, 8002
CONFIG = f"""
defaults
    mode tcp
    timeout client 60s
    timeout server 60s
    timeout connect 1s
frontend app
    mode http
    timeout http-request 60s
    bind 127.0.0.1:9001
    http-request return status 200
frontend long
    bind 127.0.0.1:{LONG}
    default_backend long
frontend sticky
    bind 127.0.0.1:{STICKY}
    default_backend sticky
backend long
    server a 127.0.0.1:9001 check inter 50ms
    server b 127.0.0.1:9001 weight 0
backend sticky
    stick-table type ip size 1k
    stick on src
    server a 127.0.0.1:9001 weight 100
    server b 127.0.0.1:9001 weight 0
backend asked
    server a 127.0.0.1:9001 check inter 50ms agent-check agent-port {AGENT} agent-inter 50ms
    server dead 127.0.0.1:9 check inter 50ms rise 1 fall 1
backend other
    server only 127.0.0.1:9001
"""


@pytest.fixture(params=VERSIONS)
def haproxy(netns: None, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bare]:
    with agent_that_says_ready(), running(program(request.param), tmp_path, CONFIG) as made:
        yield made


@pytest.fixture
def clients(haproxy: Bare) -> Iterator[list[socket.socket]]:
    """Of server a of long and of sticky, one each, whose sessions stay."""
    with ExitStack() as open_ones:
        links = [
            open_ones.enter_context(closing(socket.create_connection(("127.0.0.1", port), 10)))
            for port in (LONG, STICKY)
        ]
        eventually(lambda: [server(haproxy, name, "a")["sessions"] for name in ("long", "sticky")] == [1, 1])
        yield links


def test_sessions_are_cut_at_once(haproxy: Bare, clients: list[socket.socket]) -> None:
    wanted = WantedServer("long", "a", "drain", cut_sessions=True)
    (change,) = carried_out(haproxy, wanted).changes
    assert change.reason == "state: ready -> drain, cuts 1 session"
    assert clients[0].recv(1) == b""
    assert [server(haproxy, "long", "a")[name] for name in ("state", "sessions")] == ["drain", 0]
    carried_out(haproxy, WantedServer("sticky", "a", "maint"))
    assert server(haproxy, "sticky", "a")["sessions"] == 1
    (change,) = carried_out(haproxy, WantedServer("sticky", "a", "maint", cut_sessions=True)).changes
    assert change.reason == "cuts 1 session"
    assert clients[1].recv(1) == b""


def test_who_comes_back_though_it_drains_is_cut_again(haproxy: Bare, clients: list[socket.socket]) -> None:
    wanted = WantedServer("sticky", "a", "drain", cut_sessions=True)
    carried_out(haproxy, wanted)
    with closing(socket.create_connection(("127.0.0.1", STICKY), 10)) as again:  # its table leads it there
        eventually(lambda: server(haproxy, "sticky", "a")["sessions"] == 1)
        assert [change.reason for change in plan_server(at(haproxy), wanted).changes] == ["cuts 1 session"]
        carried_out(haproxy, WantedServer("sticky", "a", "maint", cut_sessions=True))
        assert again.recv(1) == b""


def test_one_name_in_all_backends_has_one_plan_and_one_deadline(
    haproxy: Bare, clients: list[socket.socket]
) -> None:
    wanted = WantedServer(None, "a", "drain", wait_for_drain=True, drain_timeout=0.3)
    with pytest.raises(Stopped, match=r"sessions of long/a, sticky/a were .*\n.*2 left; they stay drained"):
        apply_server(at(haproxy), wanted)
    assert [server(haproxy, name, "a")["state"] for name in ("long", "sticky", "asked")] == ["drain"] * 3
    assert not plan_server(at(haproxy), wanted)
    cut = WantedServer(None, "a", "maint", wait_for_drain=True, drain_timeout=0.3, on_deadline="cut")
    done = carried_out(haproxy, cut)
    assert [(change.key.name, (change.before or {}).get("sessions")) for change in done.changes] == [
        ("long/a", 1),
        ("sticky/a", 1),
        ("asked/a", None),
    ]
    assert [note for note in done.notes if "had not ended" in note] == [
        "2 sessions of long/a, sticky/a, asked/a had not ended within 0.3 s"
    ]
    assert [link.recv(1) for link in clients] == [b"", b""]
    assert [server(haproxy, name, "b")["state"] for name in ("long", "sticky")] == ["ready", "ready"]
    carried_out(haproxy, WantedServer(None, "a", "ready"))
    carried_out(haproxy, WantedServer("sticky", "a", weight="50%"))
    assert server(haproxy, "sticky", "a")["weight"] == 50
    before = settings(haproxy)
    with pytest.raises(Mistake, match=r"no backend of HAProxy has one(.|\n)*did you mean 'only'"):
        apply_server(at(haproxy), WantedServer(None, "onyl", "drain"))
    assert settings(haproxy) == before


def agent_of(haproxy: Bare) -> dict[str, Any]:
    told: dict[str, Any] = server(haproxy, "asked", "a")["agent"]
    return told


def test_checks_are_turned_off_and_on(haproxy: Bare) -> None:
    eventually(lambda: server(haproxy, "asked", "dead")["status"] == "DOWN" and agent_of(haproxy)["result"])
    assert (agent_of(haproxy)["enabled"], server(haproxy, "asked", "a")["check"]["enabled"]) == (True, True)
    carried_out(haproxy, WantedServer("asked", "a", check=False, agent=False))
    assert (agent_of(haproxy)["enabled"], server(haproxy, "asked", "a")["check"]["enabled"]) == (False, False)
    carried_out(haproxy, WantedServer("asked", "a", "drain", check=True))
    assert server(haproxy, "asked", "a")["state"] == "drain"
    carried_out(haproxy, WantedServer("asked", "a", "ready", agent=False))
    assert agent_of(haproxy)["enabled"] is False
    carried_out(haproxy, WantedServer("asked", "a", agent=True))
    eventually(lambda: agent_of(haproxy)["result"])
    carried_out(haproxy, WantedServer("asked", "a", "maint"))
    carried_out(haproxy, WantedServer("asked", "a", agent=True))
    eventually(lambda: server(haproxy, "asked", "a")["state"] == "ready")  # as the plan's note says

    done = carried_out(haproxy, WantedServer("asked", "dead", check=False))
    assert "asked/dead is down, and stays so while nothing checks it" in done.notes
    assert server(haproxy, "asked", "dead")["status"] == "DOWN"
    before = settings(haproxy)
    for wanted in (WantedServer("asked", "dead", agent=False), WantedServer("asked", "dead", agent=True)):
        with pytest.raises(Mistake, match="made without `agent-check`"):
            apply_server(at(haproxy), wanted)
    with pytest.raises(Mistake, match=r"agent checks of (long|sticky)/a"):
        apply_server(at(haproxy), WantedServer(None, "a", agent=False))
    assert settings(haproxy) == before
    assert info(at(haproxy), backend="other")["servers"][0]["agent"] == {
        "enabled": False,
        "result": "",
        "words": "",
    }


def test_who_is_waited_for_is_up_or_fails(haproxy: Bare) -> None:
    def back(backend: str | None, name: str, seconds: float) -> WantedServer:
        return WantedServer(backend, name, "ready", wait_for_up=True, up_timeout=seconds)

    carried_out(haproxy, WantedServer(None, "a", "maint"))
    (*_, last) = carried_out(haproxy, back(None, "a", 20)).changes
    assert last.steps[-1] == "fail where it is not up"
    assert [server(haproxy, name, "a")["up"] for name in ("long", "sticky", "asked")] == [True] * 3
    carried_out(haproxy, back("other", "only", 1))  # nobody checks it
    carried_out(haproxy, WantedServer("asked", "dead", "maint"))
    for done in (True, False):  # it is ready at the second, and still not up
        with pytest.raises(
            Stopped, match=r"dead was to be up within 0.3 s\n.*asked/dead is DOWN, L4CON"
        ) as caught:
            apply_server(at(haproxy), back("asked", "dead", 0.3))
        assert bool(caught.value.done) is done
    assert server(haproxy, "asked", "dead")["state"] == "ready"
