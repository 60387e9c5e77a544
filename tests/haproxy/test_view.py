from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from lbkit.engine.holds import Hold
from lbkit.engine.view import Health, Status
from lbkit.haproxy import explain, view
from lbkit.haproxy.explain import explainable
from lbkit.haproxy.instance import Instance
from lbkit.haproxy.picture import picture
from lbkit.haproxy.runtime import Info, Row, parse_stat
from lbkit.haproxy.seen import Seen
from lbkit.haproxy.transition.planner import Transition, Way
from tests.haproxy.topologies import document, load, resolved, with_

INFO = Info("2.6.12", 42, 10, 3, 2000, stopping=False, description="")
ROWS = {
    row.server: row
    for row in parse_stat((Path(__file__).with_name("recorded") / "stat-2.6.txt").read_text())
    if row.proxy == "web"
}


class Machine:
    """One that runs what it is told that it runs, and whose servers refuse."""

    def __init__(self, name: str) -> None:
        self.name = name

    def running(self) -> dict[str, None]:
        return {"vip-shop": None}

    def log(self, service: str, *, lines: int = 5) -> tuple[str, ...]:
        return ("its last words",)


def seen(member: str, *rows: Row, info: Info | None = INFO, way: Transition | None = None) -> Seen:
    instance = Instance(cast("Any", Machine(member)), "shop")
    return Seen(instance, way or Transition(Way.NOTHING), info, rows)


def server_row(*each: Seen, name: str = "web-1", hold: Hold | None = None) -> Status:
    shop = resolved(document())
    backend, server = next(pair for pair in shop.servers if pair[1].name == name)
    return view._server_row(shop, backend, server, each, hold)


def haproxy_row(each: Seen) -> Status:
    return view._haproxy_row(each, resolved(document()))


UP, DOWN = ROWS["web-1"], replace(ROWS["web-2"], server="web-1")


def test_a_server_is_what_every_haproxy_says_of_it() -> None:
    assert server_row(seen("lb-1", UP), seen("lb-2", UP)).health is Health.UP
    mixed = server_row(seen("lb-1", UP), seen("lb-2", DOWN))
    assert mixed.health is Health.DEGRADED
    assert mixed.detail == "lb-1: UP, L7OK 200; lb-2: DOWN, L4CON"
    down = server_row(seen("lb-1", DOWN), seen("lb-2", DOWN))
    assert (down.health, down.detail) == (Health.DOWN, "DOWN, L4CON")


def test_a_held_server_is_degraded_by_a_persons_will_and_says_whose() -> None:
    hold = Hold("shop/web/web-1", "disk", "ada", "2030-01-31T12:00:00+00:00")
    resting = replace(UP, status="DRAIN")
    row = server_row(seen("lb-1", resting), seen("lb-2", resting), hold=hold)
    words = "DRAIN, L7OK 200; held by ada until it is released: disk"
    assert (row.health, row.detail) == (Health.DEGRADED, words)
    assert server_row(seen("lb-1", DOWN), hold=hold).health is Health.DOWN
    assert server_row(seen("lb-1", resting)).health is Health.DOWN


def test_the_numbers_behind_a_row() -> None:
    busy = replace(UP, sessions=3, queue=1, rate=7, requests=99, connect_errors=2)
    facts = server_row(seen("lb-1", busy)).facts["seen"]["lb-1"]
    assert (facts["rate"], facts["requests"], facts["errors"]["connect"], facts["weight"]) == (7, 99, 2, 3)
    front = replace(UP, proxy="http", server="FRONTEND", rate=120)
    backend = replace(ROWS["BACKEND"], queue=4)
    row = haproxy_row(seen("lb-1", front, UP, backend))
    assert row.detail == "1/1 servers up, 3 sessions, 120 requests/s, 4 queued, HAProxy 2.6.12"
    assert row.facts["frontends"]["http"]["rate"] == 120
    assert row.facts["backends"]["web"]["queue"] == 4


def test_a_server_that_nobody_can_be_asked_about_is_unknown() -> None:
    assert server_row(seen("lb-1", info=None)).health is Health.UNKNOWN


def test_a_haproxy_that_does_not_answer_is_down() -> None:
    way = Transition(Way.START, "HAProxy does not run")
    row = haproxy_row(seen("lb-1", info=None, way=way))
    assert (row.present, row.health, row.detail) == (False, Health.DOWN, "HAProxy does not run")


def test_a_haproxy_without_a_server_is_down_with_one_degraded() -> None:
    backend = ROWS["BACKEND"]
    assert haproxy_row(seen("lb-1", UP, backend)).health is Health.UP
    assert haproxy_row(seen("lb-1", UP, DOWN, backend)).health is Health.DEGRADED
    nothing = haproxy_row(seen("lb-1", DOWN, replace(backend, status="DOWN")))
    assert nothing.health is Health.DOWN


def test_one_that_runs_but_not_as_declared_says_so() -> None:
    way = Transition(Way.RELOAD, "backend web: server web-3 removed")
    row = haproxy_row(seen("lb-1", UP, way=way))
    assert not row.present
    assert row.health is Health.DEGRADED
    assert "server web-3 removed" in row.detail


@pytest.mark.parametrize(
    ("holders", "health", "words"),
    [
        (["lb-1"], Health.UP, "at lb-1"),
        ([], Health.DOWN, "no machine has it"),
        (["lb-1", "lb-2"], Health.DEGRADED, "at the same time"),
    ],
)
def test_a_virtual_address_has_one_holder(
    holders: list[str], health: Health, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "holds", lambda on, _network, _addresses: on.name in holders)
    shop = resolved(document())
    assert shop.vip is not None
    both = [seen("lb-1"), seen("lb-2")]
    row = view._vip_row(shop, shop.vip, both, view.holders(shop.vip, both))
    assert row.feeds == {f"haproxy {member}/shop" for member in holders}
    assert row.health is health
    assert words in row.detail


def test_what_can_be_explained() -> None:
    assert list(explainable(load(document()))) == [
        "shop",
        "shop/web",
        *(f"shop/web/{name}" for name in ("web-1", "web-2", "web-3", "old")),
    ]


@pytest.mark.parametrize(
    "path", [[], ["other"], ["shop", "no"], ["shop", "web", "no"], ["shop", "web", "web-1", "x"]]
)
def test_what_is_not_ours_is_left_to_others(path: list[str]) -> None:
    assert explain.explain(load(document()), cast("Any", None), path) is None


def test_the_picture_leads_from_clients_to_every_server() -> None:
    drawn = picture(load(document()))
    nodes = {node.id for node in drawn.nodes}
    reached, front = {"clients"}, {"clients"}
    while front:
        front = {edge.target for edge in drawn.edges if edge.source in front} - reached
        reached |= front
    assert reached == nodes
    labels = {node.label for node in drawn.nodes}
    assert {"old", "shop", "web"} <= labels
    assert {node.inside for node in drawn.nodes if node.inside} == {
        f"machine {name}" for name in ("lb-1", "lb-2", "web-1", "web-2", "web-3")
    }


def test_no_load_balancer_no_picture() -> None:
    assert picture(load(document(load_balancers={}))).nodes == ()


def test_without_a_virtual_address_clients_go_to_the_machines() -> None:
    drawn = picture(load(with_("load_balancers.shop.vip", None)))
    assert {edge.target for edge in drawn.edges if edge.source == "clients"} == {
        "haproxy lb-1/shop",
        "haproxy lb-2/shop",
    }
