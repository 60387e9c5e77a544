"""haproxy_server in all backends, with sessions that it cuts and checks that it turns off: check mode predicts it all."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lbkit import haproxies
from tests.ansible.conftest import Play
from tests.ansible.test_haproxy_modules import asks, came_true, failure, refused, thrice, written
from tests.haproxy.bare import Bare, eventually, running
from tests.haproxy.direct.test_servers import AGENT, agent_that_says_ready
from tests.haproxy.versions import program

pytestmark = pytest.mark.sandbox

PORT = 8001
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
    bind 127.0.0.1:{PORT}
    default_backend long
backend long
    server a 127.0.0.1:9001 check inter 100ms
    server b 127.0.0.1:9001 weight 0
backend asked
    server a 127.0.0.1:9001
    server dead 127.0.0.1:9 check inter 50ms fall 1
    server c 127.0.0.1:9001 check inter 100ms agent-check agent-port {AGENT} agent-inter 50ms
"""


@pytest.fixture
def haproxy(netns: None, tmp_path: Path) -> Iterator[Bare]:
    folder = tmp_path / "h"
    folder.mkdir()
    with agent_that_says_ready(), running(program("2.6"), folder, CONFIG) as made:
        yield made


@pytest.mark.foretells("haproxy_server")
def test_one_name_in_all_backends_its_sessions_and_its_checks(
    haproxy: Bare, play: Play, tmp_path: Path
) -> None:
    where = {"socket": str(haproxy.folder / "runtime.sock")}
    long, asked = ({**where, "backend": name} for name in ("long", "asked"))
    look = f"{sys.executable} -I {asks(tmp_path)} {where['socket']} /none"
    drain = {**where, "name": "a", "state": "drain"}
    dead = {**asked, "name": "dead", "state": "ready"}
    deadline = {"wait_for_drain": True, "drain_timeout": "200ms", "on_deadline": "cut"}
    tasks: dict[str, dict[str, Any]] = {
        "everywhere": drain,
        "cut": {**drain, "cut_sessions": True},
        "maint": {**drain, "state": "maint", **deadline},
        "unasked": {**asked, "name": "c", "check": False, "agent": False},
        "back": {**where, "name": "a", "state": "ready", "wait_for_up": True},
        "asked": {**asked, "name": "c", "check": True, "agent": True},
    }
    with closing(socket.create_connection(("127.0.0.1", PORT), 10)) as client:
        eventually(lambda: haproxies.info(where["socket"], backend="long")["servers"][0]["sessions"] == 1)
        played = play(
            written(
                tmp_path,
                *(
                    task
                    for name, given in tasks.items()
                    for task in thrice(name, "haproxy_server", given, look)
                ),
                {"name": "told", "lbkit.core.haproxy_info": asked},
                refused("nowhere", "haproxy_server", {**drain, "name": "aa"}),
                refused("no agent", "haproxy_server", {**long, "name": "a", "agent": False}),
                refused("no check", "haproxy_server", {**long, "name": "b", "check": True}),
                refused("dead", "haproxy_server", {**dead, "wait_for_up": True, "up_timeout": "300ms"}),
                refused("at once", "haproxy_server", {**long, "name": "a", "cut_sessions": True}),
            )
        )
        assert played.code == 0, played.text
        assert client.recv(1) == b""

    def names(done: dict[str, Any]) -> list[str]:
        return [change["resource"]["name"] for change in done["plan"]["changes"]]

    assert names(came_true(played, "everywhere")) == ["long/a", "asked/a"]
    cut = came_true(played, "cut")
    assert [(change["reason"], change["impact"]) for change in cut["plan"]["changes"]] == [
        ("cuts 1 session", "disruptive")
    ]
    assert "sessions: 1" in cut["diff"]["before"]
    assert names(came_true(played, "maint")) == ["long/a", "asked/a"]
    (unasked,) = came_true(played, "unasked")["plan"]["changes"]
    assert (unasked["reason"], unasked["after"]["agent"]) == ("checks: yes -> no, agent: yes -> no", False)
    came_true(played, "asked")
    assert came_true(played, "back")["plan"]["changes"][0]["steps"][-1] == "fail where it is not up"
    told = {server["name"]: server["agent"]["enabled"] for server in played.task("told")["servers"]}
    assert told == {"a": False, "c": True, "dead": False}
    for name, words in {
        "nowhere": "no backend of HAProxy has one of that name",
        "no agent": "made without `agent-check`",
        "no check": "made without `check`",
        "dead": "asked/dead is DOWN, L4CON",
        "at once": "cut_sessions without state drain or maint",
    }.items():
        assert words in failure(played, name)
