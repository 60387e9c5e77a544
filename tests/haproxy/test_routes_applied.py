"""Routes and lists of sources through whole applies: they change in the process that runs, under requests."""

from __future__ import annotations

import http.client

import pytest

from lbkit.engine.change import Impact
from tests.haproxy.world import VIP, World, steady_clients

pytestmark = pytest.mark.sandbox


def answer(path: str, host: str = "shop.test") -> tuple[int, str]:
    client = http.client.HTTPConnection(VIP, 80, timeout=10)
    try:
        client.request("GET", path, headers={"Host": host})
        got = client.getresponse()
        got.read()
        return got.status, got.headers.get("Location", "")
    finally:
        client.close()


def to(place: str) -> dict[str, str]:
    return {"to": place}


def test_routes_and_sources_change_at_run_time_and_no_request_is_lost(world: World) -> None:
    front = world.shop["frontends"]["http"]
    front["allow"] = ["10.0.0.0/8", "192.0.2.0/24"]
    front["routes"] = [
        {"host": "shop.test", "path_prefix": "/no", "reject": 403},
        {"path_regex": "/[a-z]+/x", "redirect": to("/later")},
    ]
    world.apply()
    workers = pids(world)
    assert [answer(path)[0] for path in ("/cc/x", "/no", "/")] == [302, 403, 200]
    with steady_clients() as clients:
        for number in range(5):
            front["allow"][1] = f"192.0.2.{number}"
            front["routes"] = [
                # before the one that stands: of regular expressions the first is taken
                {"path_regex": f"/a{number}/x|/ab+/x", "redirect": to(f"/{number}")},
                {"path_regex": "/[a-z]+/x", "redirect": to("/later")},
                {"host": "*.shop.test", "path": "/é", "redirect": to(f"/deep/{number}")},
                {"host": "shop.test", "path_prefix": "/no", "reject": 410 if number % 2 else 404},
            ]
            changes = [change for change in world.plan().changes if change.key.kind == "haproxy"]
            assert {change.impact for change in changes} == {Impact.HITLESS}
            world.apply()
            assert not world.plan()
            assert answer("/abb/x") == (302, f"/{number}")
            assert answer("/cc/x") == (302, "/later")
            assert answer("/%C3%A9", "a.shop.test") == (302, f"/deep/{number}")
            assert answer("/no")[0] == (410 if number % 2 else 404)
    assert clients.failed == []
    assert pids(world) == workers


def test_sources_that_are_no_longer_allowed_are_refused_at_once(world: World) -> None:
    front = world.shop["frontends"]["http"]
    front["deny"] = []
    world.apply()
    workers = pids(world)
    assert answer("/")[0] == 200
    front["deny"] = ["10.80.0.0/24", "10.80.1.0/24"]
    world.apply()
    assert answer("/")[0] == 403
    assert pids(world) == workers


def pids(world: World) -> list[int]:
    """Of the workers: a reload changes them."""
    found = []
    for member in ("lb-1", "lb-2"):
        with world.haproxy(member).runtime() as runtime:
            found.append(runtime.info().pid)
    return found
