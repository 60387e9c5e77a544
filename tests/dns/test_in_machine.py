"""The server is a machine of the same topology: it comes before its records, and goes after them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lbkit import operate
from lbkit.base.host import Host
from lbkit.engine.change import Action
from lbkit.engine.resource import Key
from lbkit.engine.scope import Scope
from lbkit.engine.view import Health
from lbkit.machine.handle import machine
from lbkit.network.namespace import entered
from tests.machine.world import kill

from .test_server import dig
from .world import key_file

pytestmark = pytest.mark.sandbox

EXAMPLE = Path(__file__).parents[2] / "examples" / "ns"
SHOP = Key("rrset", "example.test shop A")

DOCUMENT = """
lbkit: 1
name: {name}
networks:
  front: {{cidr: 10.80.0.0/24, gateway: false}}
machines:
  web: {{networks: [front]}}
  ns:
    networks: {{front: {{addresses: 10.80.0.53}}}}
    run:
      - name: named
        command: [named, -g, -n, 1, -c, named.conf]
        reload: HUP
        files:
          named.conf: {{source: named.conf}}
          example.test.zone: {{source: example.test.zone, once: true}}
          tsig.key: {{source: tsig.key, mode: "0600", secret: true}}
        ready: {{port: 53}}
dns:
  zones:
    example.test:
      servers: [ns]
      tsig: {{name: lbkit, secret: {{file: tsig.key}}}}
      records: [{{name: shop, type: A, {record}}}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    key_file(tmp_path)
    return tmp_path


def scope_of(folder: Path, name: str, record: str = "target: machines.web") -> Scope:
    path = folder / "topology.yml"
    path.write_text(DOCUMENT.format(name=name, record=record))
    return operate.load(path)


def test_on_a_fresh_world_the_plan_says_that_the_zone_is_read_later(
    folder: Path, topology_name: str, host: Host
) -> None:
    scope = scope_of(folder, topology_name)
    plan = operate.plan(scope, host)
    waves = {change.key: change.wave for change in plan.changes}
    assert waves[SHOP] > waves[Key("service", "ns/named")]
    assert waves[SHOP] > waves[Key("machine", "web")]
    assert any("does not answer yet" in note for note in plan.notes)
    operate.apply(scope, host, promised=plan)
    again = operate.plan(scope, host)
    assert (again.changes, again.notes) == ((), ())
    with entered(host, f"{topology_name}.web"):
        found = machine(scope, host, "web").execute(["dig", "+short", "@10.80.0.53", "shop.example.test"])
    assert found.stdout.strip() == plan.changes[-1].after["values"][0]
    assert operate.destroy(scope, host).done[0].key == SHOP
    assert not operate.plan(scope, host, absent=True)


def test_a_dead_server_comes_back_and_its_records_with_it(
    folder: Path, topology_name: str, host: Host
) -> None:
    scope = scope_of(folder, topology_name)
    operate.apply(scope, host)
    kill(machine(scope, host, "ns").running()["named"].pid)
    rows = {row.key: row for row in operate.status(scope, host)}
    assert rows[Key("zone", "example.test")].health is Health.DOWN
    plan = operate.plan(scope, host)
    assert {change.key for change in plan.changes} == {SHOP, Key("service", "ns/named")}
    operate.apply(scope, host, promised=plan)
    assert not operate.plan(scope, host)
    with entered(host, f"{topology_name}.ns"):
        assert len(dig("shop", "A")) == 1
    operate.destroy(scope, host)


def test_a_changed_record_and_a_changed_server_go_in_one_plan(
    folder: Path, topology_name: str, host: Host
) -> None:
    operate.apply(scope_of(folder, topology_name), host)
    configuration = folder / "named.conf"
    configuration.write_text(configuration.read_text() + "// changed\n")
    scope = scope_of(folder, topology_name, "values: [192.0.2.1]")
    plan = operate.plan(scope, host)
    assert [change.action for change in plan.changes if change.key == SHOP] == [Action.UPDATE]
    operate.apply(scope, host, promised=plan)
    with entered(host, f"{topology_name}.ns"):
        assert dig("shop", "A") == ["192.0.2.1"]
    assert not operate.plan(scope, host)
    operate.destroy(scope, host)


@pytest.mark.parametrize("gone", ["process", "namespace"])
def test_a_destroy_finishes_where_the_server_is_gone_already(
    folder: Path, topology_name: str, host: Host, gone: str
) -> None:
    scope = scope_of(folder, topology_name)
    operate.apply(scope, host)
    running = machine(scope, host, "ns").running()["named"]
    kill(running.pid)
    if gone == "namespace":
        host.runner.run(["ip", "netns", "delete", f"{topology_name}.ns"])
    operate.destroy(scope, host)
    assert operate.observe(scope, host) == []
    assert not (host.folder(topology_name)).exists()


def test_a_server_is_reached_by_ipv6_alone(folder: Path, topology_name: str, host: Host) -> None:
    """From inside its machine, and by its address, as one elsewhere is."""
    path = folder / "topology.yml"
    text = DOCUMENT.format(name=topology_name, record="target: machines.web").replace("type: A", "type: AAAA")
    path.write_text(
        text.replace("10.80.0.0/24, gateway: false", '"fd00:80::/64"').replace("10.80.0.53", '"fd00:80::53"')
    )
    scope = operate.load(path)
    operate.apply(scope, host)
    assert not operate.plan(scope, host)
    path.write_text(path.read_text().replace("servers: [ns]", 'servers: ["fd00:80::53"]'))
    elsewhere = operate.load(path)
    assert not operate.plan(elsewhere, host)
    path.write_text(path.read_text().replace("target: machines.web", 'value: "2001:db8::7"'))
    (change,) = operate.apply(operate.load(path), host).done
    assert change.key == Key("rrset", "example.test shop AAAA")
    dug = machine(scope, host, "web").execute(["dig", "+short", "@fd00:80::53", "shop.example.test", "AAAA"])
    assert dug.stdout.strip() == "2001:db8::7"
    operate.destroy(operate.load(path), host)
    assert not operate.plan(scope, host, absent=True)
