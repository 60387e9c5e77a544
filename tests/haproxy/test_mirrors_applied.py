"""Nodes of a mirror come, go, are held and set aside while clients ask: HAProxys in real namespaces, as an apply has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import lbkit
from lbkit.engine.book import Endpoint
from lbkit.engine.change import Impact
from lbkit.engine.resource import Key
from lbkit.engine.scope import Draft
from lbkit.engine.view import Health
from lbkit.haproxy.aside import set_aside
from lbkit.haproxy.config.paths import MASTER_SOCKET
from lbkit.haproxy.runtime.master import ask_master
from tests.haproxy.mirrored import CHECK, HTTP, booked
from tests.haproxy.test_aside import Told
from tests.haproxy.versions import VERSIONS, program
from tests.haproxy.world import World, get, steady_clients, until

pytestmark = pytest.mark.sandbox

NODE = Path(__file__).with_name("mirror_node.py").read_text()
LB = "10.80.0.2"


def nodes_of_machines(draft: Draft) -> None:
    draft.book.entries["mirrors.debian"] = tuple(
        Endpoint(
            each.name,
            each.addresses,
            each.keys | {Key("service", f"{each.name}/node")},
            {"http": HTTP, "check": CHECK},
            {"session": 300.0},
        )
        for each in draft.book.endpoints("machines.node") or ()
    )


@pytest.fixture(autouse=True)
def _book() -> Iterator[None]:
    with booked(nodes_of_machines):
        yield


@pytest.fixture(params=VERSIONS)
def fleet(world: World, request: pytest.FixtureRequest) -> World:
    """One HAProxy, three nodes that are ready with serial 7."""
    machines = world.data["machines"]
    machines["lb"]["count"] = 1
    machines["lb"]["networks"] = {"front": {"addresses": [LB]}, "back": {}}
    del machines["web"]
    machines["node"] = {
        "count": 3,
        "networks": ["back"],
        "run": [
            {
                "name": "node",
                "command": ["/usr/bin/python3", "-I", "node.py"],
                "files": {"node.py": {"content": NODE}},
                "ready": {"port": HTTP},
            }
        ],
    }
    del world.shop["vip"]
    world.shop["program"] = str(program(request.param))
    world.shop["frontends"]["http"]["backend"] = "debian"
    world.shop["backends"] = {"debian": {"servers": [{"mirror": "debian"}], "up_timeout": "10s"}}
    return world


def say(world: World, node: str, **files: str) -> None:
    machine = world.machine(node)
    for name, content in files.items():
        machine.put(machine.folder("node") / name, f"{content}\n".encode())


def asked(world: World, node: str) -> list[str]:
    """The serial that each request of a client asked it for, or None."""
    return Path(world.machine(node).folder("node"), "asked").read_text().split()


def served(count: int = 12) -> set[str]:
    return {get(LB).split("/")[1] for _ in range(count)}


def rows(world: World, backend: str = "debian") -> dict[str, str]:
    with world.haproxy("lb-1").runtime() as runtime:
        return {row.server: row.status for row in runtime.stat() if row.proxy == backend and row.is_server}


def all_up(world: World, *names: str) -> None:
    until(lambda: {name for name, status in rows(world).items() if status == "UP"} == set(names), "ready")


def until_some_stand_in(world: World, *names: str) -> None:
    until(lambda: {rows(world, "debian.any")[name] for name in names} == {"UP"}, "they stand in")


def pid(world: World) -> int:
    with world.haproxy("lb-1").runtime() as runtime:
        return runtime.info().pid


def test_nodes_come_and_go_as_haproxy_runs(fleet: World) -> None:
    fleet.data["machines"]["node"]["count"] = 2
    fleet.apply()
    assert not fleet.plan()
    all_up(fleet, "node-1", "node-2")
    before = pid(fleet)
    with steady_clients(LB) as clients:
        fleet.data["machines"]["node"]["count"] = 3
        change = next(each for each in fleet.plan().changes if each.key.kind == "haproxy")
        assert change.impact is Impact.HITLESS
        fleet.apply()
        assert not fleet.plan()
        all_up(fleet, "node-1", "node-2", "node-3")
        until(lambda: clients.served["node-3"], "the new one serves")
        fleet.data["machines"]["node"]["count"] = 2
        fleet.apply()
        assert not fleet.plan()
    assert clients.failed == []
    assert pid(fleet) == before
    assert set(rows(fleet, "debian.any")) == {"node-1", "node-2"}


def test_a_stale_node_gets_nothing_through_reload_and_start_and_what_an_apply_changes(fleet: World) -> None:
    fleet.apply()
    all_up(fleet, "node-1", "node-2", "node-3")
    say(fleet, "node-2", verdict="drain")
    all_up(fleet, "node-1", "node-3")
    assert not fleet.plan()  # what an agent says is no drift
    start = len(asked(fleet, "node-2"))
    with steady_clients(LB) as clients:
        fleet.shop["backends"]["debian"]["balance"] = "leastconn"
        fleet.apply()  # a reload
        assert not fleet.plan()
        fleet.data["machines"]["node"]["count"] = 4
        fleet.shop["backends"]["debian"]["balance"] = "roundrobin"
        fleet.apply()  # a reload that brings one
        all_up(fleet, "node-1", "node-3", "node-4")
    assert clients.failed == []
    assert len(asked(fleet, "node-2")) == start
    say(fleet, "node-4", verdict="drain")
    all_up(fleet, "node-1", "node-3")
    both = start + len(asked(fleet, "node-4"))
    fleet.kill_haproxy("lb-1")
    fleet.apply()
    assert served() == {"node-1", "node-3"}  # an apply ends when agents were heard
    assert len(asked(fleet, "node-2")) + len(asked(fleet, "node-4")) == both


def test_a_process_that_somebody_reloads_hears_agents_first(fleet: World) -> None:
    """What lies on disk is of the last apply."""
    fleet.apply()
    all_up(fleet, "node-1", "node-2", "node-3")
    start = len(asked(fleet, "node-2"))
    before = pid(fleet)
    # stale from now on, and the next process has no other's word for it
    say(fleet, "node-2", verdict="drain")
    ask_master(fleet.machine("lb-1").connect(fleet.haproxy("lb-1").path(MASTER_SOCKET)), "reload")
    until(lambda: pid(fleet) != before, "reloaded")
    all_up(fleet, "node-1", "node-3")
    assert served() == {"node-1", "node-3"}
    assert len(asked(fleet, "node-2")) == start


def test_a_hold_keeps_all_requests_from_a_node(fleet: World) -> None:
    fleet.apply()
    all_up(fleet, "node-1", "node-2", "node-3")
    path = "shop/debian/node-2"
    lbkit.hold(fleet.scope, path, reason="disk", host=fleet.host)
    assert not fleet.plan()
    start = len(asked(fleet, "node-2"))
    assert served() == {"node-1", "node-3"}
    for node in ("node-1", "node-2", "node-3"):
        say(fleet, node, verdict="drain")
    until(lambda: rows(fleet)["node-1"].startswith("DRAIN"), "drained")
    until(lambda: rows(fleet)["node-3"].startswith("DRAIN"), "drained")
    until_some_stand_in(fleet, "node-1", "node-3")
    assert served() == {"node-1", "node-3"}
    assert len(asked(fleet, "node-2")) == start
    made = lbkit.release(fleet.scope, path, host=fleet.host)
    assert made is not None
    assert [each.what for each in made.done] == [
        "lb-1: node-2 is no longer held, and its agent has it drained",
        "lb-1: node-2 is UP",
    ]
    assert served() == {"node-1", "node-2", "node-3"}
    say(fleet, "node-2", verdict="ready up")
    all_up(fleet, "node-2")
    assert served() == {"node-2"}
    assert not fleet.plan()


def test_it_is_told_who_serves_and_why(fleet: World) -> None:
    fleet.apply()
    all_up(fleet, "node-1", "node-2", "node-3")
    say(fleet, "node-2", verdict="drain")
    all_up(fleet, "node-1", "node-3")
    status = fleet.status()
    assert [key for key in status if key.startswith("server ")] == [
        f"server shop/debian/node-{number}" for number in (1, 2, 3)
    ]
    assert status["haproxy lb-1/shop"].detail.startswith("2/3 servers up")
    said = {each.what for each in lbkit.explain(fleet.scope, "shop/debian/node-2", fleet.host)}
    assert f"lb-1: its agent at port {CHECK} answers" in said
    assert (
        "likely cause: it is drained: it keeps its sessions and gets no new ones, set so by its agent, as the mirror's "
        "keeper has judged the node: `lbkit explain debian/node-2` says why"
    ) in said
    for node in ("node-1", "node-3"):
        say(fleet, node, verdict="drain")
    until(lambda: "UP" not in rows(fleet).values(), "all drained")
    until_some_stand_in(fleet, "node-1", "node-2", "node-3")
    assert fleet.status()["haproxy lb-1/shop"].health is Health.DEGRADED  # others stand in


def test_a_node_that_is_made_anew_is_set_aside_in_both(fleet: World) -> None:
    fleet.apply()
    all_up(fleet, "node-1", "node-2", "node-3")
    addresses = [
        address
        for network in (fleet.scope.book.endpoints("machines.node") or ())[1].addresses.values()
        for address in network
    ]
    until_some_stand_in(fleet, "node-1", "node-2", "node-3")
    with set_aside(fleet.scope, fleet.host, addresses, Told()):
        assert rows(fleet)["node-2"].startswith("MAINT")
        assert rows(fleet, "debian.any")["node-2"].startswith("MAINT")
        say(fleet, "node-2", verdict="drain")  # as one that begins
        assert not fleet.plan()
    start = len(asked(fleet, "node-2"))
    until(lambda: rows(fleet)["node-2"].startswith("DRAIN"), "asked again")
    assert served() == {"node-1", "node-3"}
    assert len(asked(fleet, "node-2")) == start
    say(fleet, "node-2", verdict="ready up")
    all_up(fleet, "node-1", "node-2", "node-3")


def test_members_tell_each_other_the_serials(fleet: World) -> None:
    fleet.data["machines"]["lb"]["count"] = 2
    fleet.data["machines"]["lb"]["networks"] = {"front": {"addresses": [LB, "10.80.0.3"]}, "back": {}}
    fleet.shop["peers"] = True
    fleet.apply()
    all_up(fleet, "node-1", "node-2", "node-3")
    assert get(LB).endswith("/7")
    for number in (1, 2, 3):
        say(fleet, f"node-{number}", serials="7 8")
    with fleet.haproxy("lb-2").runtime() as runtime:
        until(lambda: "gpt0=7" in runtime.ask("show table members/debian.serial"), "told")
    assert get("10.80.0.3").endswith("/7")
