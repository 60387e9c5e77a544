"""Servers of a HAProxy that runs, of both versions: no request is lost, no drain hangs, and every refusal is one."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from lbkit.base.errors import Failure, Mistake
from lbkit.engine.applying import PlanChanged
from lbkit.engine.plan import Plan
from lbkit.haproxy.direct import (
    ListedServer,
    WantedBackend,
    WantedServer,
    apply_backend,
    apply_server,
    backend,
    info,
    plan_backend,
    plan_server,
)
from lbkit.haproxy.direct.carrying import LeftToDo
from lbkit.haproxy.direct.stepping import Stopped, carry_out
from tests.haproxy.bare import Bare, eventually, running
from tests.haproxy.versions import VERSIONS, program

pytestmark = pytest.mark.sandbox

HTTP, TCP, AGENT = 8000, 8001, 9100
CONFIG = f"""
    stats socket unix@operator.sock mode 600 level operator
    stats socket ipv4@127.0.0.1:9999 level admin
defaults
    mode http
    timeout client 60s
    timeout server 60s
    timeout connect 1s
    timeout http-request 60s
frontend app
    bind 127.0.0.1:9001-9004
    http-request return status 200
frontend http
    bind 127.0.0.1:{HTTP}
    default_backend web
frontend tcp
    mode tcp
    bind 127.0.0.1:{TCP}
    default_backend long
backend web
    balance roundrobin
    default-server check inter 50ms rise 1 fall 1
    server a 127.0.0.1:9001
    server b 127.0.0.1:9002
backend long
    mode tcp
    balance roundrobin
    server a 127.0.0.1:9001
    server b 127.0.0.1:9001 weight 0
backend tracked
    server x 127.0.0.1:9001 check
    server y 127.0.0.1:9001 track x
backend named
    use-server a if {{ src 10.0.0.0/8 }}
    server a 127.0.0.1:9001
backend hashed
    balance source
    server a 127.0.0.1:9001
backend asked
    server a 127.0.0.1:9001 agent-check agent-port {AGENT} agent-inter 50ms
backend empty
    balance random(2)
"""


@pytest.fixture(params=VERSIONS)
def haproxy(netns: None, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bare]:
    with agent_that_says_ready(), running(program(request.param), tmp_path, CONFIG) as made:
        eventually(lambda: all(server["up"] for server in info(at(made), backend="web")["servers"]))
        yield made


@contextmanager
def agent_that_says_ready() -> Iterator[None]:
    def answer(listener: socket.socket) -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            with link, suppress(ConnectionError):  # HAProxy may hang up first
                link.sendall(b"ready\n")

    with socket.create_server(("127.0.0.1", AGENT)) as listener:
        thread = threading.Thread(target=answer, args=(listener,), daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@contextmanager
def steady_requests() -> Iterator[list[str]]:
    """What went wrong meanwhile. The fixture's network is the test's thread's, and its children's."""
    failed: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            link = http.client.HTTPConnection("127.0.0.1", HTTP, timeout=10)
            try:
                link.request("GET", "/")
                if (status := link.getresponse().status) != 200:
                    failed.append(str(status))
            except OSError as error:
                failed.append(repr(error))
            finally:
                link.close()

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield failed
    finally:
        over.set()
        for thread in threads:
            thread.join()


def session() -> socket.socket:
    """A client that stays with a server of `long` until it is closed."""
    return socket.create_connection(("127.0.0.1", TCP), 10)


def at(haproxy: Bare, name: str = "runtime.sock") -> str:
    return str(haproxy.folder / name)


def server(haproxy: Bare, backend: str, name: str) -> dict[str, Any]:
    servers = info(at(haproxy), gather=["servers"], backend=backend)["servers"]
    return next(each for each in servers if each["name"] == name)


def carried_out(haproxy: Bare, want: WantedBackend | WantedServer) -> Plan:
    """As planned, and then nothing is left to do."""
    before = settings(haproxy)
    if isinstance(want, WantedBackend):
        planned = plan_backend(at(haproxy), want)
        assert settings(haproxy) == before
        done = apply_backend(at(haproxy), want, promised=planned)
        assert not plan_backend(at(haproxy), want)
        assert not apply_backend(at(haproxy), want)
    else:
        planned = plan_server(at(haproxy), want)
        assert settings(haproxy) == before
        done = apply_server(at(haproxy), want, promised=planned)
        assert not plan_server(at(haproxy), want)
        assert not apply_server(at(haproxy), want)
    assert done.as_data()["changes"] == planned.as_data()["changes"]
    return done


def settings(haproxy: Bare) -> list[tuple[Any, ...]]:
    fields = ("backend", "name", "address", "port", "state", "weight", "maxconn")
    return [tuple(each[name] for name in fields) for each in info(at(haproxy), gather=["servers"])["servers"]]


def listed(name: str, port: int, **more: Any) -> ListedServer:
    return ListedServer(
        name, "127.0.0.1", port, check=True, options=("inter 50ms", "rise 1", "fall 1"), **more
    )


def test_a_list_takes_the_place_of_another_and_no_request_is_lost(haproxy: Bare) -> None:
    with steady_requests() as failed:
        done = carried_out(
            haproxy, WantedBackend("web", (listed("c", 9003, weight=7), listed("d", 9004)), exclusive=True)
        )
        assert [str(change) for change in done.changes] == [
            "create server web/c",
            "create server web/d",
            "delete server web/a",
            "delete server web/b",
        ]
        assert [each["name"] for each in info(at(haproxy), backend="web")["servers"]] == ["c", "d"]
        moved = (listed("c", 9001, maxconn=50), listed("d", 9002, weight=3))
        assert [change.reason for change in carried_out(haproxy, WantedBackend("web", moved)).changes] == [
            "moves from 127.0.0.1:9003 to 127.0.0.1:9001, maxconn: none -> 50",
            "moves from 127.0.0.1:9004 to 127.0.0.1:9002, weight: 1 -> 3",
        ]
        carried_out(haproxy, WantedServer("web", "c", "maint"))
        carried_out(haproxy, WantedServer("web", "c", "ready", "50%"))
    assert failed == []
    assert server(haproxy, "web", "c")["weight"] == 3
    assert server(haproxy, "web", "c")["maxconn"] == 50


def test_nobody_leaves_before_another_serves(haproxy: Bare) -> None:
    wanted = WantedBackend("web", (listed("dead", 9),), exclusive=True, up_timeout=0.3)
    with pytest.raises(Stopped, match="was to have another server up before web/a, web/b leave") as caught:
        apply_backend(at(haproxy), wanted)
    assert caught.value.as_data()["done"][0].startswith("add server web/dead")
    assert "steps before it are done and stay" in caught.value.remedy
    assert server(haproxy, "web", "a")["up"]


def test_sessions_of_who_goes_get_their_time_and_are_cut_then(haproxy: Bare) -> None:
    with closing(session()) as client:
        eventually(lambda: server(haproxy, "long", "a")["sessions"] == 1)
        wanted = WantedBackend(
            "long", (ListedServer("b", "127.0.0.1", 9001),), exclusive=True, drain_timeout=0.2
        )
        done = carried_out(haproxy, wanted)
        assert client.recv(1) == b""
    assert "1 sessions of long/a had not ended within 0.2 s" in " ".join(done.notes)
    assert [each["name"] for each in info(at(haproxy), backend="long")["servers"]] == ["b"]


def test_a_drain_ends_with_its_sessions_or_at_its_deadline(haproxy: Bare) -> None:
    def drain(state: Any = "drain", seconds: float = 0.2, **more: Any) -> WantedServer:
        return WantedServer("long", "a", state, wait_for_drain=True, drain_timeout=seconds, **more)

    with closing(session()):
        eventually(lambda: server(haproxy, "long", "a")["sessions"] == 1)
        for _ in range(2):  # it is drained at the second
            with pytest.raises(Stopped, match=r"1 left; it stays drained\n.*drain_timeout") as caught:
                apply_server(at(haproxy), drain())
        assert caught.value.done == ()
        assert server(haproxy, "long", "a")["state"] == "drain"
        left = apply_server(at(haproxy), drain(on_deadline="leave"))
        assert (left.changes, "1 sessions of long/a" in left.notes[0]) == ((), True)
        with pytest.raises(Stopped, match="it stays drained"):
            apply_server(at(haproxy), drain("maint", on_deadline="fail"))
        assert server(haproxy, "long", "a")["state"] == "drain"
        done = carried_out(haproxy, drain(on_deadline="maint"))
        assert "in maintenance, with 1 sessions left" in done.notes[-1]
        assert server(haproxy, "long", "a")["state"] == "maint"
        carried_out(haproxy, WantedServer("long", "a", "ready"))
        carried_out(haproxy, drain("maint"))
        assert server(haproxy, "long", "a")["state"] == "maint"
        carried_out(haproxy, WantedServer("long", "a", "ready"))
        timer = threading.Timer(0.3, lambda: haproxy.tell("shutdown sessions server long/a"))
        timer.start()
        carried_out(haproxy, drain(seconds=20))
        timer.join()
    assert server(haproxy, "long", "a")["sessions"] == 0


def test_what_haproxy_cannot_remove_rests(haproxy: Bare) -> None:
    done = carried_out(haproxy, WantedBackend("tracked", (), exclusive=True))
    assert ["others track" in note or "it tracks" in note for note in done.notes[:2]] == [True, True]
    assert [each["state"] for each in info(at(haproxy), backend="tracked")["servers"]] == ["maint", "maint"]
    with pytest.raises(Stopped, match=r"list it with `state: maint`"):
        apply_backend(at(haproxy), WantedBackend("named", (), exclusive=True))
    assert not plan_backend(
        at(haproxy), WantedBackend("named", (ListedServer("a", "127.0.0.1", 9001, state="maint"),))
    )


def test_an_agent_does_not_end_the_drain_of_a_person(haproxy: Bare) -> None:
    carried_out(haproxy, WantedServer("asked", "a", "drain"))
    with pytest.raises(Mistake, match="an agent sets its weight"):
        plan_server(at(haproxy), WantedServer("asked", "a", weight=3))
    assert server(haproxy, "asked", "a")["state"] == "drain"
    carried_out(haproxy, WantedServer("asked", "a", "ready"))
    assert server(haproxy, "asked", "a")["state"] == "ready"


def test_a_backend_without_servers_gets_some_at_a_port(haproxy: Bare) -> None:
    wanted = WantedBackend(
        "empty", (ListedServer("v6", "::1", 9001), ListedServer("b", "127.0.0.1", 9001, state="drain"))
    )
    planned = plan_backend("127.0.0.1:9999", wanted)
    assert apply_backend("127.0.0.1:9999", wanted, promised=planned) == planned
    assert not plan_backend(at(haproxy), wanted)


def test_a_state_file_has_what_came_of_it(haproxy: Bare) -> None:
    path = haproxy.folder / "after.state"
    wanted = WantedBackend("long", (ListedServer("a", "127.0.0.1", 9001, weight=9),), state_file=str(path))
    done = carried_out(haproxy, wanted)
    assert [str(change) for change in done.changes] == ["update server long/a", f"create file {path}"]
    assert " a 127.0.0.1 2 0 9 1 " in path.read_text()
    carried_out(haproxy, WantedServer("long", "a", "drain"))
    assert [str(change) for change in carried_out(haproxy, wanted).changes] == [f"update file {path}"]
    nowhere = WantedBackend("long", (), state_file=str(haproxy.folder / "none" / "after.state"))
    with pytest.raises(Mistake, match="there is no folder"):
        plan_backend(at(haproxy), nowhere)
    path.write_text("something else\n")
    carried_out(haproxy, wanted)
    assert path.read_text().startswith("1\n# be_id")


def test_what_is_not_there_or_not_allowed_fails_with_what_to_do(haproxy: Bare) -> None:
    before = settings(haproxy)
    cases: list[tuple[Any, str]] = [
        (lambda: apply_server(at(haproxy), WantedServer("wep", "a", "drain")), "did you mean 'web'"),
        (lambda: plan_server(at(haproxy), WantedServer("tracked", "z", "drain")), "known here: x, y"),
        (lambda: apply_backend(at(haproxy), WantedBackend("wbe", ())), "did you mean 'web'"),
        (lambda: info(at(haproxy), backend="wbe"), "did you mean 'web'"),
        (lambda: plan_server(at(haproxy, "operator.sock"), WantedServer("web", "a", "drain")), "level admin"),
        (
            lambda: apply_server(at(haproxy, "operator.sock"), WantedServer("web", "a", "drain")),
            "level admin",
        ),
        (lambda: apply_backend(at(haproxy, "operator.sock"), WantedBackend("web", ())), "level admin"),
        (lambda: plan_server(at(haproxy, "none.sock"), WantedServer("web", "a")), "No such file"),
        (lambda: plan_server("127.0.0.1:1", WantedServer("web", "a")), "Connection refused"),
        (
            lambda: apply_backend(at(haproxy), WantedBackend("hashed", (ListedServer("b", "127.0.0.1", 1),))),
            "dynamic load balancing",
        ),
        (
            lambda: apply_backend(
                at(haproxy), WantedBackend("long", (ListedServer("a", "127.0.0.1", 9001, check=True),))
            ),
            "made without `check`",
        ),
    ]
    for act, words in cases:
        with pytest.raises((Mistake, Failure), match=words):
            act()
    assert settings(haproxy) == before


def test_what_does_not_last_fails_though_every_reply_was_good(
    haproxy: Bare, monkeypatch: pytest.MonkeyPatch
) -> None:
    def undone(live: Any, steps: Any) -> list[str]:
        done = carry_out(live, steps)
        haproxy.tell("set server long/a weight 1")  # somebody else, at once
        return done

    monkeypatch.setattr(backend, "carry_out", undone)
    with pytest.raises(LeftToDo, match="update server long/a") as caught:
        apply_backend(at(haproxy), WantedBackend("long", (ListedServer("a", "127.0.0.1", 9001, weight=9),)))
    assert caught.value.as_data()["done"] == ["update server long/a"]


def test_what_was_promised_is_carried_out_or_nothing(haproxy: Bare) -> None:
    promised = plan_server(at(haproxy), WantedServer("web", "a", "drain"))
    haproxy.tell("set server web/a state maint")
    with pytest.raises(PlanChanged):
        apply_server(at(haproxy), WantedServer("web", "a", "drain"), promised=promised)
    assert server(haproxy, "web", "a")["state"] == "maint"


def test_all_that_haproxy_says_is_data(haproxy: Bare) -> None:
    for name in ("runtime.sock", "operator.sock"):
        told = info(at(haproxy, name))
        assert told["info"]["maxconn"] == 200
        assert {row["name"] for row in told["frontends"]} == {"app", "http", "tcp"}
        assert {row["name"] for row in told["backends"]} >= {"web", "empty"}
        (first, *_) = told["servers"]
        assert (first["backend"], first["name"], first["port"], first["up"]) == ("web", "a", 9001, True)
        assert (first["check"]["enabled"], first["check"]["result"]) == (True, "L4OK")
    alone = info(at(haproxy), gather=["stat"], backend="long")
    assert (list(alone), [row["name"] for row in alone["backends"]]) == (["frontends", "backends"], ["long"])
    with pytest.raises(Mistake, match="did you mean 'servers'"):
        info(at(haproxy), gather=["server"])  # type: ignore[list-item]
