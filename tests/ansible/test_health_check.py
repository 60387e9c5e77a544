"""health_check in a real play: what is healthy, what is not and why, and that one waits no longer than one said."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.ansible.conftest import Play
from tests.health import servers

pytestmark = pytest.mark.sandbox


def test_servers_are_asked_and_each_one_says_why(netns: None, play: Play, tmp_path: Path) -> None:
    asked = threading.Event()
    answers = iter([503, 503, 200])

    def better(connection: Any) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 %d Words\r\nContent-Length: 0\r\n\r\n" % next(answers, 200))
        asked.set()

    own = servers.certificate(tmp_path, "localhost")
    with ExitStack() as stack:
        good = stack.enter_context(servers.serving(better))
        sick = stack.enter_context(servers.serving(servers.http(500)))
        gone = stack.enter_context(servers.refusing())
        safe = stack.enter_context(servers.serving(servers.silent, tls=servers.tls_server(own)))
        http = {"protocol": "http", "interval": "100ms", "timeout": "5s"}
        tasks: dict[str, dict[str, Any]] = {
            "becomes healthy": {"address": "127.0.0.1", "port": good, "check": http, "wait": "60"},
            "is down": {
                "targets": ["127.0.0.1", f"127.0.0.1:{sick}", f"[::1]:{gone}"],
                "port": good,
                "check": http,
                "wait": "1",
            },
            "looks": {"targets": [f"127.0.0.1:{sick}"], "check": http, "fail": False},
            "verifies": {"address": "localhost", "port": safe, "check": {"protocol": "tls"}, "ca": str(own)},
            "wrong check": {"address": "127.0.0.1", "check": {"protocl": "http"}},
            "wrong time": {"address": "127.0.0.1", "port": good, "wait": "soon"},
        }
        path = tmp_path / "play.yml"
        steps = [
            {"name": name, "lbkit.core.health_check": arguments, "ignore_errors": True}
            for name, arguments in tasks.items()
        ]
        path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": steps}]))
        played = play(path)
        checked = play(path, "--check")
    assert played.code == 0, played.text
    assert asked.is_set()
    assert {task["result"]["changed"] for task in played.tasks + checked.tasks} == {False}
    healthy = played.task("becomes healthy")
    assert healthy["healthy"]
    assert healthy["targets"][0]["asked"] == 4
    down = played.task("is down")
    assert [each["healthy"] for each in down["targets"]] == [True, False, False]
    assert [each["code"] for each in down["targets"][1:]] == ["L7STS", "L4CON"]
    assert f"127.0.0.1:{sick}: status 500; [::1]:{gone}: Connection refused" in down["msg"]
    assert down["error"]["error"] == "Unhealthy"
    looked = played.task("looks")
    assert (looked["healthy"], looked["targets"][0]["words"]) == (False, "status 500")
    assert "error" not in looked
    assert played.task("verifies")["targets"][0]["code"] == "L6OK"
    assert "did you mean 'protocol'" in played.task("wrong check")["msg"]
    assert "a duration such as" in played.task("wrong time")["msg"]
    assert [task["result"].get("healthy") for task in checked.tasks] == [True, False, False, True, None, None]
