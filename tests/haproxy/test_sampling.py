"""What `top` looks at, of real HAProxys under real requests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import lbkit
from lbkit.engine.traffic import Flow, Traffic, flows, summed
from lbkit.haproxy.runtime import parse_stat
from lbkit.haproxy.sampling import samples_of
from tests.haproxy.world import World, get, steady_clients, until

RECORDED = Path(__file__).with_name("recorded") / "stat-2.6.txt"


def found(world: World, before: Traffic) -> dict[tuple[str, str], Flow]:
    now = lbkit.sample(world.scope, world.host)
    return {(flow.kind, flow.path): flow for flow in summed(flows(before, now))}


@pytest.mark.sandbox
def test_requests_are_seen_where_they_go(world: World) -> None:
    world.apply()
    until(get, "it serves")
    before = lbkit.sample(world.scope, world.host)
    with steady_clients() as clients:
        until(lambda: clients.requests > 100, "requests")
    seen = found(world, before)
    assert list(seen) == [
        ("frontend", "shop/http"),
        ("server", "shop/web/web-1"), ("server", "shop/web/web-2"), ("server", "shop/web/web-3"),
        ("backend", "shop/web"),
    ]  # fmt: skip
    front, backend = seen["frontend", "shop/http"], seen["backend", "shop/web"]
    assert front.places == ("lb-1", "lb-2")
    assert front.rates
    assert backend.rates
    earlier = sum(each.counters.requests for each in before.samples if each.path == "shop/http")
    assert front.totals.requests - earlier == clients.requests
    assert front.rates.requests == pytest.approx(backend.rates.requests, rel=0.01)
    servers = [flow for (kind, _), flow in seen.items() if kind == "server"]
    assert sum(flow.totals.requests for flow in servers) == backend.totals.requests
    assert all(flow.rates and flow.rates.requests > 0 and flow.rates.bytes_out > 0 for flow in servers)
    assert all(flow.rates and not flow.rates.errors and not flow.rates.http_5xx for flow in seen.values())


@pytest.mark.sandbox
def test_after_a_reload_and_without_a_member_the_rest_is_told(world: World) -> None:
    world.apply()
    with steady_clients() as clients:
        until(lambda: clients.requests > 300, "requests")
        before = lbkit.sample(world.scope, world.host)
        world.shop["timeouts"] = {"connect": "3s"}  # which a reload alone changes
        world.apply()
        count = clients.requests
        until(lambda: clients.requests > count + 50, "requests")
        after = found(world, before)["frontend", "shop/http"]
    assert after.rates
    assert after.rates.requests > 0, "the new worker counts from none"
    world.machine("lb-2").stop("haproxy-shop")
    alone = lbkit.sample(world.scope, world.host)
    assert alone.silent == ("shop at lb-2: HAProxy does not run",)
    assert {sample.place for sample in alone.samples} == {"lb-1"}


@pytest.mark.sandbox
def test_errors_of_servers_and_of_clients_are_told_apart(world: World) -> None:
    world.shop["backends"]["web"]["health_check"] = False
    world.apply()
    before = lbkit.sample(world.scope, world.host)
    for number in (1, 2, 3):
        world.machine(f"web-{number}").stop("app")
    with pytest.raises(AssertionError, match="503"):
        get(timeout=20)
    seen = found(world, before)
    front, backend = seen["frontend", "shop/http"].rates, seen["backend", "shop/web"].rates
    assert front
    assert backend
    assert front.http_5xx > 0
    assert (front.errors, backend.connect_errors > 0) == (0, True)


def test_what_a_table_says_is_a_sample() -> None:
    rows = list(parse_stat(RECORDED.read_text()))
    busy = replace(rows[1], requests=7, bytes_in=70, http_5xx=1)
    front, server = samples_of([rows[0], busy], "shop", "lb-1", "42", 9.0)
    assert (front.kind, front.path, front.up, front.check) == ("frontend", "shop/http", True, "")
    assert (server.kind, server.path, server.state, server.check) == (
        "server",
        "shop/web/web-1",
        "UP",
        "L7OK 200",
    )
    assert (server.weight, server.counters.requests, server.counters.http_5xx) == (3, 7, 1)


@pytest.mark.parametrize(("mode", "requests", "rate"), [("http", 20, 9), ("tcp", 5, 4)])
def test_requests_are_http_requests_or_connections(mode: str, requests: int, rate: int) -> None:
    head, line, *_ = RECORDED.read_text().splitlines()
    names = head.removeprefix("# ").split(",")
    fields = dict(zip(names, line.split(","), strict=True))
    fields |= {
        "mode": mode,
        "stot": "5",
        "req_tot": "20",
        "rate": "4",
        "req_rate": "9",
        "bin": "70",
        "ereq": "2",
    }
    (row,) = parse_stat(f"{head}\n{','.join(fields.values())}\n")
    assert (row.requests, row.rate, row.bytes_in, row.request_errors) == (requests, rate, 70, 2)
