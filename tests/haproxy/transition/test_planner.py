"""What the planner says is to be done, and in which order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.host import Host
from lbkit.haproxy.resolved import LoadBalancers
from lbkit.haproxy.transition import written
from lbkit.haproxy.transition.planner import Transition, Way, transition
from lbkit.haproxy.transition.server import Server
from lbkit.haproxy.transition.state import Running, Wanted
from lbkit.haproxy.transition.steps import (
    Check,
    Do,
    Guard,
    Probe,
    Put,
    Reload,
    Remember,
    UntilIdle,
    UntilLeft,
    UntilUp,
)
from lbkit.haproxy.transition.words import differences
from lbkit.haproxy.wanted import wanted_on
from tests.haproxy.topologies import Document, document, load, with_

SHOP = "load_balancers.shop"
WEB = f"{SHOP}.backends.web"
HOST = Host(run_dir=Path("/nowhere"))


def wanted(data: Document | None = None) -> Wanted:
    scope = load(data or document())
    balancer = scope.of("haproxy", LoadBalancers).by_name["shop"]
    return wanted_on(balancer, "lb-1", scope, HOST)


def runs(want: Wanted, version: str = "2.6.12", **changes: Any) -> Running:
    """A process that has been started with what is wanted."""
    state: dict[str, Any] = {
        "text": want.text,
        "alive": True,
        "answers": True,
        "loaded": written.static_digest(want.text),
        "version": version,
        "servers": want.servers,
        "files": {path: file.digest for path, file in want.files.items()},
    }
    return Running(**(state | changes))


def with_server(running: Running, name: str, **changes: Any) -> Running:
    servers = dict(running.servers)
    servers[name] = str(Server.parse(servers[name]).with_(**changes))
    return runs_with(running, servers)


def runs_with(running: Running, servers: Mapping[str, str]) -> Running:
    return Running(
        running.text,
        alive=True,
        answers=True,
        loaded=running.loaded,
        version=running.version,
        servers=servers,
    )


WANTED = wanted()
HEAVY = wanted(with_(f"{WEB}.servers.1.weight", 20))
SLOW = wanted(with_(f"{SHOP}.timeouts", {"client": "1m"}))


@pytest.mark.parametrize(
    ("running", "way", "words"),
    [
        (runs(WANTED), Way.NOTHING, ""),
        (Running(None, alive=False), Way.START, "does not run"),
        (Running(WANTED.text, alive=False), Way.START, "does not run"),
        (Running(SLOW.text, alive=False), Way.START, "timeout client 60000 -> 30000"),
        (Running(WANTED.text, alive=True), Way.RESTART, "does not answer"),
        (runs(HEAVY), Way.RUNTIME, "backend web: server old weight: 20 -> 10"),
        (runs(SLOW), Way.RELOAD, "defaults: timeout client 60000 -> 30000"),
        (runs(WANTED, loaded=runs(SLOW).loaded), Way.RELOAD, "has not loaded its file"),
        (runs(WANTED, loaded=None), Way.RELOAD, "has not loaded its file"),
        (runs(WANTED, text="rubbish\n"), Way.WRITE, "its file is not"),
        (runs(WANTED, text=None), Way.WRITE, "its file is not"),
        (runs(WANTED, version="1.8.0", servers=HEAVY.servers), Way.RELOAD, "weight 10, which"),
    ],
)
def test_the_shortest_way(running: Running, way: Way, words: str) -> None:
    found = transition(running, WANTED)
    assert found.way is way
    assert words in found.reason
    assert bool(found.steps) is (way is not Way.NOTHING)


@given(
    has=st.sampled_from([None, WANTED.text, HEAVY.text, SLOW.text, "", "backend x\n\tserver"]),
    alive=st.booleans(),
    answers=st.booleans(),
    loaded=st.sampled_from([None, runs(WANTED).loaded, runs(SLOW).loaded, "0" * 32]),
    servers=st.sampled_from([WANTED.servers, HEAVY.servers, {}]),
)
def test_nothing_to_do_is_only_where_file_and_process_are_as_wanted(
    *, has: str | None, alive: bool, answers: bool, loaded: str | None, servers: Mapping[str, str]
) -> None:
    way = transition(
        Running(has, alive=alive, answers=answers, loaded=loaded, version="3.0.1", servers=servers), WANTED
    )
    same = has == WANTED.text and loaded == runs(WANTED).loaded and servers == WANTED.servers
    assert (way.way is Way.NOTHING) == (same and alive and answers)
    assert bool(way.reason) == (way.way is not Way.NOTHING)
    assert bool(way.steps) == (way.way is not Way.NOTHING)


def kinds(way: Transition) -> list[type]:
    return [type(step) for step in way.steps]


def test_who_comes_is_down_until_its_checks_pass_and_who_goes_drains_first() -> None:
    servers = dict(WANTED.servers)
    servers["web/gone"] = servers.pop("web/web-3")
    way = transition(runs_with(runs(WANTED), servers), WANTED)
    assert way.way is Way.RUNTIME
    assert kinds(way) == [Do, UntilUp, Guard, Do, UntilIdle, Do, UntilIdle, Do, Do, Remember]
    text = "\n".join(way.lines)
    comes = text.index("add server web/web-3 10.80.1.23:8080 check")
    assert comes < text.index("enable health web/web-3") < text.index("set server web/web-3 state drain")
    assert text.index("set server web/web-3 health down") < text.index("set server web/web-3 state ready")
    assert text.index("state ready") < text.index("set server web/gone state drain")
    assert text.index("set server web/gone state maint") < text.index("del server web/gone")
    assert way.reason == "backend web: server web-3 is added; backend web: server gone is removed"


def test_servers_move_by_halves_so_that_others_serve() -> None:
    running = runs(WANTED)
    for name in ("web-1", "web-2", "web-3"):
        running = with_server(running, f"web/{name}", port=9)
    way = transition(running, WANTED)
    assert way.way is Way.RUNTIME
    guards = [step for step in way.steps if isinstance(step, Guard)]
    assert [len(guard.leaving) for guard in guards] == [2, 1]
    assert all(not set(guard.leaving) & set(guard.others) for guard in guards)
    for name in ("web-1", "web-2", "web-3"):
        commands = [line for line in way.lines if f"web/{name} " in f"{line} " and line[:4] != "wait"]
        assert [line for line in commands if "see that" not in line] == [
            f"disable health web/{name}",
            f"set server web/{name} health down",
            f"set server web/{name} addr 10.80.1.2{name[-1]} port 8080",
            f"enable health web/{name}",
        ]


def test_the_only_server_moves_after_its_new_place_was_looked_at() -> None:
    data = document()
    data["load_balancers"]["shop"]["backends"]["web"]["servers"].pop(0)
    one = wanted(data)
    way = transition(with_server(runs(one), "web/old", port=9), one)
    assert kinds(way)[0] is Probe
    assert "health down" not in "\n".join(way.lines)


def test_where_there_is_a_reload_all_comes_with_it() -> None:
    way = transition(with_server(with_server(runs(SLOW), "web/old", weight=3), "web/web-1", port=9), WANTED)
    assert way.way is Way.RELOAD
    assert kinds(way) == [Check, Probe, Guard, Remember, Put, Reload, UntilUp, UntilLeft, Remember]


def test_a_new_backends_servers_are_probed_and_come_with_the_reload() -> None:
    data = with_(f"{SHOP}.backends.two", {"servers": [{"machines": "web", "port": 1}]})
    two = wanted(data)
    way = transition(runs(WANTED), two)
    assert way.way is Way.RELOAD
    assert kinds(way) == [Check, Probe, Remember, Put, Reload, UntilUp, Remember]
    assert "backend two is new" in way.reason


@pytest.mark.parametrize(
    ("have", "commands"),
    [
        (
            "maint",
            ["enable health web/old", "set server web/old state drain", "set server web/old health down",
             "set server web/old state ready"],
        ),
        ("drain", ["set server web/old state ready"]),
    ],
)  # fmt: skip
def test_what_was_set_by_hand_is_undone(have: str, commands: list[str]) -> None:
    way = transition(with_server(runs(WANTED), "web/old", admin=have), WANTED)
    assert way.way is Way.RUNTIME
    assert [line for line in way.lines if "web/old" in line and "wait" not in line] == commands
    assert way.reason == f"backend web: server old state: {have} -> ready"


def test_what_was_set_by_hand_is_kept_where_that_is_declared() -> None:
    keep = wanted(with_(f"{SHOP}.by_hand", "keep"))
    left = {name: f"{Server.parse(text).weight} ready" for name, text in keep.servers.items()}
    running = with_server(with_server(runs(keep), "web/old", admin="drain"), "web/web-1", weight=7)
    found = transition(Running(**{**_fields(running), "remembered": left}), keep)
    assert found.way is Way.NOTHING
    assert len(found.kept) == 2
    # without what lbkit left there nobody can say who set it
    assert transition(running, keep).way is Way.RUNTIME


def _fields(running: Running) -> dict[str, Any]:
    return {name: getattr(running, name) for name in Running.__slots__}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (f"{SHOP}.timeouts", {"client": "1m"}, "defaults: timeout client 30000 -> 60000"),
        (f"{SHOP}.frontends.http.bind", 81, r"frontend http: bind :::80 .*-> :::81 .*"),
        (f"{SHOP}.frontends.two", {"bind": 82, "backend": "web"}, "frontend two is new"),
        (f"{SHOP}.backends.two", {"servers": [{"machines": "web", "port": 1}]}, "backend two is new"),
        (f"{WEB}.health_check.interval", "9s", "backend web: its servers' inter 2000 -> 9000"),
    ],
)
def test_the_reason_names_what_differs(path: str, value: object, said: str) -> None:
    found = differences(WANTED.text, wanted(with_(path, value)).text)
    assert re.fullmatch(said, found[0]), found
    assert len(found) == 1


def test_servers_alone_are_no_difference_that_a_reload_takes_up() -> None:
    assert differences(WANTED.text, HEAVY.text) == ()
    assert written.static_digest(WANTED.text) == written.static_digest(HEAVY.text)
    assert written.static_digest(WANTED.text) != written.static_digest(SLOW.text)


def test_what_a_text_binds_and_serves() -> None:
    assert written.bound_ports(WANTED.text) == {"80"}
    assert written.server_names(WANTED.text) == {"web-1", "web-2", "web-3", "old"}


@given(st.text())
def test_any_text_can_be_taken_apart(anything: str) -> None:
    written.sections(anything)
    differences(anything, WANTED.text)
    written.bound_ports(anything)
    written.server_names(anything)
    written.files(anything)


servers = st.builds(
    Server,
    st.ip_addresses().map(str),
    st.integers(1, 65535),
    st.none() | st.integers(0, 256),
    st.booleans(),
    st.integers(0, 10**6),
    st.from_regex(r"\A[A-Za-z0-9_-]{0,20}\Z"),
    st.sampled_from(["ready", "drain", "maint"]),
    st.booleans(),
)


@given(servers)
def test_a_server_reads_back_from_its_words(server: Server) -> None:
    assert Server.parse(str(server)) == server
