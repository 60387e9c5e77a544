"""Machines on networks: made, kept, mended and removed as declared, and nothing foreign with them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

import pytest

from lbkit.base.host import Host
from lbkit.base.names import link_name
from lbkit.engine.applying import Result, carry_out
from lbkit.engine.book import Book
from lbkit.engine.change import Action, Impact
from lbkit.engine.diff import ForeignObject
from lbkit.engine.journal import Journal
from lbkit.engine.plan import Plan
from lbkit.engine.planning import make_plan
from lbkit.engine.resource import Key
from lbkit.engine.scope import Scope
from lbkit.engine.view import Health
from lbkit.machine.contract import Program
from lbkit.machine.handle import machine as handle
from lbkit.machine.resolved import Interface, Machines, ResolvedMachine, Route
from lbkit.machine.room import ROOM
from lbkit.network.resolve import Networks, ResolvedNetwork
from lbkit.network.room import ROOM as NETWORK_ROOM
from tests.machine import world
from tests.machine.world import service

pytestmark = pytest.mark.sandbox

ROOMS = [NETWORK_ROOM, ROOM]
PREFIXES = (ip_network("10.9.0.0/24"), ip_network("fd09::/64"))


def scope_of(topology: str, *machines: ResolvedMachine) -> Scope:
    network = ResolvedNetwork(
        "front",
        f"{topology}.front",
        PREFIXES,
        (ip_interface("10.9.0.1/24"), ip_interface("fd09::1/64")),
        nat=False,
        mtu=1500,
    )
    resolved = {
        "network": Networks({"front": network} if machines else {}),
        "machine": Machines({each.name: each for each in machines}, {}),
    }
    return Scope(topology, Path(), "test.yml", resolved, Book())


def on_front(topology: str, name: str, number: int) -> ResolvedMachine:
    interface = Interface(
        "front",
        f"{topology}.front",
        link_name(topology, name, "front"),
        f"02:00:00:00:00:{number:02x}",
        (ip_interface(f"10.9.0.{number}/24"), ip_interface(f"fd09::{number}/64")),
        1500,
    )
    routes = (
        Route(ip_network("0.0.0.0/0"), ip_address("10.9.0.1")),
        Route(ip_network("::/0"), ip_address("fd09::1")),
    )
    return ResolvedMachine(name, name, "netns", (interface,), routes, (service(),))


def plan(scope: Scope, host: Host, **more: object) -> Plan:
    return make_plan(ROOMS, scope, host, **more)


def apply(scope: Scope, host: Host, **more: object) -> Result:
    journal = Journal(host.folder(scope.name) / "journal.jsonl", host.clock)
    return carry_out(plan(scope, host, **more), ROOMS, scope, host, journal=journal)


@pytest.fixture
def pair(topology_name: str, host: Host) -> Iterator[Scope]:
    scope = scope_of(topology_name, on_front(topology_name, "a", 2), on_front(topology_name, "b", 3))
    apply(scope, host)
    yield scope
    apply(scope, host, absent=True)
    assert world.left_behind(topology_name, host) == world.NOTHING
    links = json.loads(subprocess.run(["ip", "-j", "link"], check=True, capture_output=True).stdout)
    assert [link["ifname"] for link in links] == ["lo"]


def inside(scope: Scope, *command: str) -> None:
    subprocess.run(["ip", "netns", "exec", f"{scope.name}.a", *command], check=True)


def test_machines_reach_each_other_and_the_second_plan_is_empty(pair: Scope, host: Host) -> None:
    assert not plan(pair, host)
    listener = "import socket; s = socket.create_server(('::', 80), family=socket.AF_INET6, dualstack_ipv6=True); print(1, flush=True); s.accept(); s.accept()"
    b = handle(pair, host, "b")
    b.start(world_program(listener))
    world.until(lambda: b.log("server"), "it listens")
    for address in ("10.9.0.3", "fd09::3"):
        handle(pair, host, "a").dial(address, 80).close()
    rows = {str(row.key): row for row in ROOM.status(pair, host)}
    assert {row.health for row in rows.values()} == {Health.UP}
    assert rows["machine a"].detail == "10.9.0.2, fd09::2"
    assert rows["service a/app"].parent == Key("machine", "a")
    b.stop("server")
    b.remove("server")


def world_program(code: str) -> Program:
    return Program("server", (world.PYTHON, "-I", "-c", code), kind="test")


@pytest.mark.parametrize(
    ("drift", "words"),
    [
        (["ip", "link", "set", "front", "down"], "interfaces front not as declared"),
        (["ip", "address", "flush", "dev", "front"], "interfaces front not as declared"),
        (["ip", "route", "delete", "default"], "routes not as declared"),
        (["ip", "link", "delete", "front"], "interfaces front missing"),
        (
            ["sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=0"],
            "sysctls net.ipv4.ip_nonlocal_bind not as declared",
        ),
    ],
)
def test_drift_of_links_is_mended_and_services_stand(
    pair: Scope, host: Host, drift: list[str], words: str
) -> None:
    before = world.pids(pair.name)
    inside(pair, *drift)
    (change,) = plan(pair, host).changes
    assert change.key == Key("machine", "a")
    assert words in change.reason
    bad = [finding for finding in ROOM.explain(pair, host, ["a"]) or () if finding.good is False]
    assert bad or drift[0] == "sysctl"
    apply(pair, host)
    assert not plan(pair, host)
    assert world.pids(pair.name) == before


def test_a_namespace_that_was_deleted_is_made_again_with_its_services(pair: Scope, host: Host) -> None:
    before = world.pids(pair.name)
    subprocess.run(["ip", "netns", "delete", f"{pair.name}.a"], check=True)
    changes = {str(change.key): change for change in plan(pair, host).changes}
    assert list(changes) == ["machine a", "service a/app"]
    assert "namespace is gone" in changes["service a/app"].reason
    apply(pair, host)
    after = world.pids(pair.name)
    assert after["b/app"] == before["b/app"]
    assert len(after["a/app"]) == 1
    assert after["a/app"] != before["a/app"]
    assert not plan(pair, host)


def test_what_a_person_made_inside_a_machine_is_left_alone(pair: Scope, host: Host) -> None:
    inside(pair, "ip", "address", "add", "192.0.2.1/32", "dev", "front")
    inside(pair, "ip", "link", "add", "mine", "type", "bridge")
    assert not plan(pair, host)
    inside(pair, "ip", "link", "set", "front", "mtu", "1400")
    apply(pair, host)
    found = subprocess.run(
        ["ip", "-n", f"{pair.name}.a", "address"], check=True, capture_output=True, text=True
    ).stdout
    assert "192.0.2.1/32" in found
    assert "mine" in found


def test_a_machine_declared_no_longer_goes_with_its_services_and_others_stand(
    pair: Scope, host: Host, topology_name: str
) -> None:
    before = world.pids(topology_name)
    smaller = scope_of(topology_name, on_front(topology_name, "b", 3))
    changes = plan(smaller, host).changes
    assert [str(change) for change in changes] == ["delete service a/app", "delete machine a"]
    assert {change.impact for change in changes} == {Impact.DISRUPTIVE}
    assert handle(smaller, host, "a").running()
    apply(smaller, host)
    assert world.pids(topology_name) == {"b/app": before["b/app"]}
    assert not plan(smaller, host)


def test_a_shell_of_a_person_survives_the_machine_and_is_named(
    pair: Scope, host: Host, topology_name: str
) -> None:
    with subprocess.Popen(["ip", "netns", "exec", f"{topology_name}.a", "sleep", "1000"]) as shell:
        world.until(lambda: "sleep" in Path(f"/proc/{shell.pid}/comm").read_text(), "it runs")
        apply(scope_of(topology_name, on_front(topology_name, "b", 3)), host)
        assert shell.poll() is None
        shell.kill()
    journal = (host.folder(topology_name) / "journal.jsonl").read_text()
    assert f"left running, as lbkit did not start them: pid {shell.pid} (sleep)" in journal


def test_a_foreign_namespace_of_a_wanted_name_is_named_and_untouched(host: Host, topology_name: str) -> None:
    subprocess.run(["ip", "netns", "add", f"{topology_name}.a"], check=True)
    scope = scope_of(topology_name, on_front(topology_name, "a", 2))
    with pytest.raises(ForeignObject, match="machine a"):
        plan(scope, host)
    assert not plan(scope, host, absent=True)
    assert plan(scope, host, adopt={Key("machine", "a")}).count({Action.ADOPT}) == 1
    apply(scope, host, adopt={Key("machine", "a")})
    assert not plan(scope, host)
    apply(scope, host, absent=True)
    assert world.left_behind(topology_name, host) == world.NOTHING


def test_nothing_is_observed_where_nothing_stands_and_nothing_is_made(host: Host, topology_name: str) -> None:
    untouched = replace(host, netns_dir=host.run_dir / "netns")
    scope = scope_of(topology_name, on_front(topology_name, "a", 2))
    assert list(ROOM.observe(scope, untouched)) == []
    assert {row.health for row in ROOM.status(scope, untouched)} == {Health.DOWN}
    assert [finding.good for finding in ROOM.explain(scope, untouched, ["a"]) or ()] == [False, False]
    assert [finding.good for finding in ROOM.explain(scope, untouched, ["a", "app"]) or ()] == [False]
    assert not untouched.run_dir.exists()


def test_the_picture_and_the_names_that_can_be_explained(topology_name: str) -> None:
    scope = scope_of(topology_name, on_front(topology_name, "a", 2))
    picture = ROOM.picture(scope)
    assert [(node.id, node.inside) for node in picture.nodes] == [
        ("machine a", None),
        ("service a/app", "machine a"),
    ]
    assert [(edge.source, edge.target) for edge in picture.edges] == [("machine a", "network front")]
    assert list(ROOM.explainable(scope)) == ["a", "a/app"]
    assert ROOM.explain(scope, Host(), ["nobody"]) is None
    assert ROOM.explain(scope, Host(), ["a", "nobody"]) is None


def test_this_host_can_have_such_machines(host: Host) -> None:
    assert all(check.good for check in ROOM.doctor(host) if check.needed)
