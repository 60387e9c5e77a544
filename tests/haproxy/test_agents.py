"""Agents and check ports: what of them changes as HAProxy runs, and a hold that no agent ends."""

from __future__ import annotations

import pytest

import lbkit
from lbkit.engine.change import Impact
from lbkit.haproxy.transition.server import Server
from tests.haproxy.versions import VERSIONS, program
from tests.haproxy.world import World, until

pytestmark = pytest.mark.sandbox

AGENT = (
    "import socketserver, sys\n"
    "class Agent(socketserver.BaseRequestHandler):\n"
    "    def handle(self):\n"
    "        self.request.sendall(b'ready up 50%\\n')\n"
    "socketserver.TCPServer.allow_reuse_address = True\n"
    "socketserver.ThreadingTCPServer(('', int(sys.argv[1])), Agent).serve_forever()\n"
)


@pytest.fixture(params=VERSIONS)
def asked(world: World, request: pytest.FixtureRequest) -> World:
    """Each web server is asked at 8080 and has agents at 9001 and 9002, which say 50 %."""
    world.data["machines"]["lb"]["count"] = 1
    world.data["machines"]["web"]["count"] = 2
    world.data["machines"]["web"]["run"] += [
        {
            "name": f"agent-{port}",
            "command": ["/usr/bin/python3", "-I", "agent.py", str(port)],
            "files": {"agent.py": {"content": AGENT}},
            "ready": {"port": port},
        }
        for port in (9001, 9002)
    ]
    del world.shop["vip"]
    world.shop["program"] = str(program(request.param))
    check = world.shop["backends"]["web"]["health_check"]
    check["agent"] = {"port": 9001, "interval": "100ms"}
    for server in world.shop["backends"]["web"]["servers"]:
        server["weight"] = 10
    world.apply()
    return world


def weights(world: World) -> dict[str, int]:
    with world.haproxy("lb-1").runtime() as runtime:
        return {state.server: state.weight for state in runtime.servers()}


def pid(world: World) -> int:
    with world.haproxy("lb-1").runtime() as runtime:
        return runtime.info().pid


def test_ports_of_checks_and_agents_change_as_haproxy_runs(asked: World) -> None:
    until(lambda: weights(asked) == {"web-1": 5, "web-2": 5}, "the agents' word")
    assert not asked.plan()  # what an agent says is no drift
    before = pid(asked)
    check = asked.shop["backends"]["web"]["health_check"]
    del check["path"]
    check["protocol"] = "tcp"
    check["agent"]["port"] = 9002
    asked.apply()  # another protocol is a reload
    assert not asked.plan()
    assert pid(asked) != before
    before = pid(asked)
    for port in (9001, 9002, None):
        check["agent"]["port"] = port or 9001
        check.pop("port", None)
        if port:
            check["port"] = port
        (change,) = asked.plan().changes
        assert change.impact is Impact.HITLESS
        assert "port" in change.reason
        asked.apply()
        assert not asked.plan()
    assert pid(asked) == before


def test_no_agent_ends_a_hold(asked: World) -> None:
    until(lambda: weights(asked) == {"web-1": 5, "web-2": 5}, "the agents' word")
    path = "shop/web/web-2"
    lbkit.hold(asked.scope, path, reason="disk", host=asked.host)
    assert not asked.plan()
    until(lambda: checked(asked) > 3, "some checks later")
    with asked.haproxy("lb-1").runtime() as runtime:
        assert {row.server: row.up for row in runtime.stat() if row.is_server} == {
            "web-1": True,
            "web-2": False,
        }
    lbkit.release(asked.scope, path, host=asked.host)
    assert not asked.plan()
    with asked.haproxy("lb-1").runtime() as runtime:
        assert all(row.up for row in runtime.stat() if row.is_server)
    with asked.haproxy("lb-1").runtime() as runtime:
        runtime.do("disable agent web/web-1")
    (change,) = asked.plan().changes
    assert change.reason == "backend web: server web-1 agent: no -> yes"
    asked.apply()
    assert not asked.plan()


def checked(world: World) -> int:
    """Seconds since HAProxy last changed its mind on the held server: it has been left alone."""
    with world.haproxy("lb-1").runtime() as runtime:
        return next(row.changed for row in runtime.stat() if row.server == "web-2")


def test_what_the_words_say_is_what_runs(asked: World) -> None:
    """Read back from the process, a server is as its line has it."""
    wanted = {str(each.key): each for each in lbkit.observe(asked.scope, asked.host)}
    running = wanted["haproxy lb-1/shop"].state["servers"]["web/web-1"]
    assert Server.parse(running).agent_port == 9001
    assert Server.parse(running).asked
