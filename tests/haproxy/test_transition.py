from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.haproxy.config.make import config_of
from lbkit.haproxy.retire import able_to_rest, departing
from lbkit.haproxy.runtime import Row
from lbkit.haproxy.text.render import digest_in, render
from lbkit.haproxy.transition import (
    Running,
    Step,
    bound_ports,
    differences,
    sections,
    server_names,
    transition,
    unchanged_servers,
)
from tests.haproxy.topologies import Document, document, resolved, with_

SHOP = "load_balancers.shop"
WEB = f"{SHOP}.backends.web"


def text(data: Document | None = None) -> str:
    return render(config_of(resolved(data or document()), mark="lbkit:web:haproxy/lb-1/shop", user=None))


WANTED = text()
OTHER = text(with_(f"{WEB}.servers.1.weight", 20))


def runs(of: str, **changes: object) -> Running:
    state: dict[str, object] = {"alive": True, "answers": True, "loaded": digest_in(of)}
    return Running(of, **(state | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("running", "step", "words"),
    [
        (runs(WANTED), Step.NOTHING, ""),
        (Running(None, alive=False), Step.START, "does not run"),
        (Running(WANTED, alive=False), Step.START, "does not run"),
        (Running(OTHER, alive=False), Step.START, "server old: weight 20 -> 10"),
        (Running(WANTED, alive=True), Step.RESTART, "does not answer"),
        (runs(OTHER), Step.RELOAD, "backend web: server old: weight 20 -> 10"),
        (runs(WANTED, loaded=digest_in(OTHER)), Step.RELOAD, "has not loaded its file"),
        (runs(WANTED, loaded=None), Step.RELOAD, "has not loaded its file"),
        (runs("rubbish\n", loaded=digest_in(WANTED)), Step.WRITE, "its file is not"),
        (Running(None, alive=True, answers=True), Step.RELOAD, "its file is not"),
    ],
)
def test_the_shortest_way(running: Running, step: Step, words: str) -> None:
    way = transition(running, WANTED)
    assert way.step is step
    assert words in way.reason


@given(
    has=st.sampled_from([None, WANTED, OTHER, "", "backend x\n\tserver"]),
    alive=st.booleans(),
    answers=st.booleans(),
    loaded=st.sampled_from([None, digest_in(WANTED), digest_in(OTHER), "0" * 32]),
)
def test_nothing_to_do_is_only_where_file_and_process_are_as_wanted(
    *, has: str | None, alive: bool, answers: bool, loaded: str | None
) -> None:
    way = transition(Running(has, alive=alive, answers=answers, loaded=loaded), WANTED)
    as_wanted = has == WANTED and alive and answers and loaded == digest_in(WANTED)
    assert (way.step is Step.NOTHING) == as_wanted
    assert bool(way.reason) != as_wanted


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("machines.web.count", 2, "backend web: server web-3 removed"),
        ("machines.web.count", 4, "backend web: server web-4 added"),
        (f"{WEB}.servers.0.port", 9000, r"backend web: server web-1 moves from ([0-9.]+):8080 to \1:9000"),
        (f"{WEB}.servers.1.backup", False, r"backend web: server old: backup yes -> none"),
        (f"{WEB}.servers.1.maxconn", 9, r"backend web: server old: maxconn none -> 9"),
        (f"{WEB}.balance", "source", "backend web: balance, hash-type change"),
        (f"{SHOP}.timeouts", {"client": "1m"}, "defaults: timeout client changes"),
        (f"{SHOP}.maxconn", 9, "global: fd-hard-limit, maxconn change"),
        (f"{SHOP}.frontends.http.bind", 81, "frontend http: bind changes"),
        (f"{SHOP}.frontends.two", {"bind": 82, "backend": "web"}, "frontend two is new"),
        (f"{SHOP}.backends.two", {"servers": [{"machines": "web", "port": 1}]}, "backend two is new"),
    ],
)
def test_the_reason_names_what_differs(path: str, value: object, said: str) -> None:
    data = document()
    data["machines"]["web"]["networks"] = ["back"]
    found = differences(text(data), text(with_(path, value, data)))
    assert re.fullmatch(said, found[0])
    assert len(found) == (3 if "moves" in said else 1)


def test_what_goes_is_said_too() -> None:
    data = with_(f"{SHOP}.frontends.two", {"bind": 82, "backend": "web"})
    assert differences(text(data), WANTED) == ("frontend two goes",)


def test_only_servers_that_are_alike_keep_their_state() -> None:
    every = {("web", name) for name in ("web-1", "web-2", "web-3", "old")}
    assert unchanged_servers(WANTED, WANTED) == every
    assert unchanged_servers(WANTED, OTHER) == every - {("web", "old")}
    assert unchanged_servers(WANTED, text(with_("machines.web.count", 2, _free()))) <= every - {
        ("web", "web-3")
    }
    assert unchanged_servers(WANTED, text(with_(f"{WEB}.health_check.path", "/other"))) == frozenset()
    assert unchanged_servers("", WANTED) == frozenset()


def _free() -> Document:
    data = document()
    data["machines"]["web"]["networks"]["back"]["addresses"] = ["10.80.1.21", "10.80.1.22"]
    return data


def test_who_departs_is_who_goes_or_moves() -> None:
    assert departing(WANTED, WANTED) == frozenset()
    assert departing(WANTED, OTHER) == frozenset()  # another weight is no departure
    assert departing(WANTED, text(with_("machines.web.count", 2, _free()))) == {("web", "web-3")}
    moved = text(with_(f"{WEB}.servers.1.port", 81))
    assert departing(WANTED, moved) == {("web", "old")}


def row(server: str, status: str = "UP", proxy: str = "web") -> Row:
    return Row(proxy, server, status, 1, 0, 0, 0, 0, "", "", "", "", False, "")


def test_the_last_server_that_is_up_is_not_set_to_rest() -> None:
    leaving = frozenset({("web", "a"), ("api", "a")})
    rows = [
        row("a"),
        row("b"),
        row("BACKEND"),
        row("a", proxy="api"),
        row("b", "DOWN", proxy="api"),
        row("BACKEND", proxy="api"),
    ]
    assert list(able_to_rest(rows, leaving)) == [("web", "a")]


def test_what_a_text_binds_and_serves() -> None:
    assert bound_ports(WANTED) == {"80"}
    assert server_names(WANTED) == {"web-1", "web-2", "web-3", "old"}


@given(st.text())
def test_any_text_can_be_taken_apart(anything: str) -> None:
    sections(anything)
    differences(anything, WANTED)
    bound_ports(anything)
    server_names(anything)
