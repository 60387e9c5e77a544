"""An original and what lbkit makes of it, both run: they hold the same servers, and answer the same."""

from __future__ import annotations

import csv
import http.client
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.haproxy.bare import Bare, eventually, standing
from tests.haproxy.importing.imports import case, made, put
from tests.haproxy.versions import VERSIONS
from tests.haproxy.world import APP, World

pytestmark = pytest.mark.sandbox

ASKED = [
    *(
        ("/", {}),
        ("/api/x", {"X-Key": "a"}),
        ("/closed", {}),
        ("/other", {}),
        ("/first", {}),
        ("/a%20b?c=d", {}),
    ),
    *(
        ("/", {"Cookie": "SRV=b"}),
        ("/old", {}),
        ("/staff", {}),
        ("/alive", {}),
        ("/bare/x", {}),
        ("/named", {}),
    ),
]
"""Paths and headers. Each is asked for by a new connection."""


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        told = {name: value for name, value in self.headers.items() if name != "User-Agent"}
        body = json.dumps(
            {"port": self.server.server_address[1], "path": self.path, "headers": told}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.command == "GET" else b"")

    do_HEAD = do_GET  # noqa: N815 - http.server looks for that name

    def log_message(self, *words: object) -> None:
        pass


@contextmanager
def servers() -> Iterator[None]:
    with ExitStack() as stack:
        for port in (18101, 18102, 18103):
            server = ThreadingHTTPServer(("127.0.0.1", port), Server)
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
        yield


def answer(path: str, headers: dict[str, str]) -> tuple[int, list[tuple[str, str]], str]:
    connection = http.client.HTTPConnection("127.0.0.1", 18080, timeout=10)
    connection.request("GET", path, headers={"Host": "shop.example.test", "Connection": "close", **headers})
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    said = [
        (name.lower(), value)
        for name, value in response.getheaders()
        if name.lower() not in {"date", "server"}
    ]
    return response.status, sorted(said), body


Held = dict[tuple[str, str], tuple[str, ...]]


def held(haproxy: Bare) -> Held:
    """Each server's weight, whether it is active or a backup, its state, cookie and limit."""
    rows = csv.DictReader(io.StringIO(haproxy.ask("show stat").removeprefix("# ")))
    return {
        (row["pxname"], row["svname"]): tuple(
            row[key] for key in ("weight", "act", "bck", "status", "cookie", "slim")
        )
        for row in rows
        if row["svname"] not in {"FRONTEND", "BACKEND"}
    }


def seen(program: Path, folder: Path, text: str) -> tuple[Held, list[object]]:
    """What it holds once its checks have passed."""
    with standing(program, folder, text) as haproxy:
        eventually(lambda: all(row[3] in {"UP", "no check", "MAINT"} for row in held(haproxy).values()))
        return held(haproxy), [answer(path, headers) for path, headers in ASKED]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["shop", "sparse", "names", "raw"])
def test_both_hold_the_same_servers_and_answer_the_same(
    version: str, name: str, haproxy_program: Callable[[str], Path], tmp_path: Path
) -> None:
    program = haproxy_program(version)
    of = made(case(name))
    original, imported = tmp_path / "o", tmp_path / "i"
    for folder in (original, imported):
        folder.mkdir()
    put(of, imported)
    socket = "global\n    stats socket unix@runtime.sock level admin\n"
    plain = "\n".join(line for line in case(name).splitlines() if line.split()[:1] not in UNPRIVILEGED)
    with servers():
        had, answered = seen(program, original, plain + "\n" + socket)
        has, answers = seen(program, imported, of.text)
    labels = [proxy for proxy, _ in had], [proxy for proxy, _ in has]
    assert len(labels[0]) == len(labels[1])
    assert list(has.values()) == list(had.values())
    if name != "names":
        assert has.keys() == had.keys()
    assert answers == answered


UNPRIVILEGED = [["chroot"], ["user"], ["group"], ["daemon"]]
"""Lines that a test cannot do: who runs it may have one user alone, and waits for the process."""


def test_the_plan_after_an_import_is_applied_is_empty(world: World) -> None:
    world.data = made(case("sparse")).found.document | {"name": world.name}
    world.apply()
    assert not world.plan().changes


@pytest.mark.parametrize(
    "change",
    [{"raw": "pool-max-conn 3"}, {"check": False}, {"cookie": "other"}, {"raw": "inter 3s", "cookie": "d"}],
)
def test_what_a_server_says_of_its_own_is_taken_up(change: dict[str, object], world: World) -> None:
    world.data = made(case("shop")).found.document | {"name": world.name}
    world.data["machines"]["lb"]["run"] = app()
    world.apply()
    world.shop["backends"]["shop"]["servers"][0] |= change
    assert world.plan().changes
    world.apply()
    assert not world.plan().changes


def app() -> list[dict[str, object]]:
    """Servers of the case, beside HAProxy."""
    return [
        {
            "name": f"app-{port}",
            "command": ["/usr/bin/python3", "-I", "app.py", port],
            "files": {"app.py": {"content": APP}},
            "ready": {"port": port},
        }
        for port in (18101, 18102, 18103)
    ]
