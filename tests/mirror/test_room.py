"""Mirrors as a topology has them: made, grown, changed, moved and taken down by applies, with all programs real."""

from __future__ import annotations

import http.client
import os
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from lbkit import operate
from lbkit.base.host import Host
from lbkit.dns.keygen import write_key
from lbkit.engine.change import Impact
from lbkit.engine.scope import Scope
from lbkit.engine.view import Health
from lbkit.machine.handle import machine
from lbkit.mirror import operations
from lbkit.mirror.answers import Synced
from lbkit.topology.load import load_data
from tests.machine.world import until
from tests.mirror.tree.trees import lay

pytestmark = pytest.mark.sandbox


class World:
    """One topology. `data` is its document; `apply` makes it so."""

    def __init__(self, name: str, folder: Path, host: Host) -> None:
        os.chmod(folder, 0o755)
        self.folder, self.host = folder, host
        self.upstream = folder / "upstream"
        lay(self.upstream, {b"index": b"1", b"pool/a": b"a"})
        for key in ("one.key", "two.key"):
            write_key(folder / key)
        self.data: dict[str, Any] = {
            "lbkit": 1,
            "name": name,
            "networks": {"back": {"cidr": "10.95.1.0/24"}},
            "machines": {
                "store": {"networks": ["back"]},
                "node": {"count": 2, "networks": ["back"]},
            },
            "mirrors": {
                "one": {
                    "upstream": str(self.upstream),
                    "master": "store",
                    "nodes": "node",
                    "freshness": {"contact": "3s"},
                }
            },
        }

    @property
    def scope(self) -> Scope:
        return load_data(self.data, self.folder)

    def apply(self) -> list[str]:
        """What was changed. A second one has nothing to do."""
        changes = [str(each) for each in operate.apply(self.scope, self.host).done]
        assert not operate.plan(self.scope, self.host)
        return changes

    def destroy(self) -> None:
        operate.apply(self.scope, self.host, absent=True)
        assert not self.host.folder(self.data["name"]).exists()

    def sync(self, mirror: str = "one") -> Synced:
        return operations.sync(self.scope, mirror, self.host)

    def got(self, node: str, path: str) -> tuple[int, bytes]:
        address = next(
            address
            for found in (self.scope.book.endpoints(f"machines.{node}") or ())[0].addresses.values()
            for address in found
        )
        with closing(http.client.HTTPConnection(str(address), 80, timeout=10)) as connection:
            connection.sock = machine(self.scope, self.host, node).dial(str(address), 80)
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def serve(self, content: bytes, *nodes: str, path: str = "/one/index") -> None:
        """Until all of them do."""
        until(
            lambda: all(self.got(node, path) == (200, content) for node in nodes),
            f"{', '.join(nodes)} serve {content!r} at {path}",
        )


@pytest.fixture
def world(topology_name: str, tmp_path: Path, host: Host) -> Iterator[World]:
    world = World(topology_name, tmp_path, host)
    try:
        yield world
    finally:
        operate.apply(world.scope, host, absent=True)


def test_nodes_come_and_go_and_serve_when_they_have_it(world: World) -> None:
    world.apply()
    assert world.sync().serial == 1
    world.serve(b"1", "node-1", "node-2")
    world.data["machines"]["node"]["count"] = 3
    plan = operate.plan(world.scope, world.host)
    assert {str(each.key) for each in plan.changes if each.impact is Impact.DISRUPTIVE} <= {
        "service store/mirror-one-keeper",
        "service node-1/mirror-one-node",
        "service node-2/mirror-one-node",
    }
    world.apply()
    world.serve(b"1", "node-1", "node-2", "node-3")
    world.data["machines"]["node"]["count"] = 1
    world.apply()
    (world.upstream / "index").write_bytes(b"22")
    assert world.sync().serving == ("node-1",)
    world.serve(b"22", "node-1")


def test_data_in_a_folder_of_ones_own_outlives_the_topology(world: World) -> None:
    # not below pytest's folder, which lets no other user through
    world.data["mirrors"]["one"]["path"] = f"/run/{world.data['name']}-data"
    plan = operate.plan(world.scope, world.host)
    assert any("stays when it is destroyed" in note for note in plan.notes)
    world.apply()
    world.sync()
    (world.upstream / "index").write_bytes(b"22")
    assert world.sync().serial == 2
    world.serve(b"22", "node-1", "node-2")
    world.destroy()
    world.apply()
    world.serve(b"22", "node-1", "node-2")
    again = world.sync()
    assert (again.run.came, again.serial) == ("nothing", 2)
    (world.upstream / "index").write_bytes(b"333")
    assert world.sync().serial == 3
    world.serve(b"333", "node-1", "node-2")


def test_two_mirrors_by_ipv6_with_a_master_that_is_a_node(world: World) -> None:
    world.data["networks"]["back"]["cidr"] = "fd00:95::/64"
    other = world.folder / "other"
    lay(other, {b"index": b"other"})
    one = world.data["mirrors"]["one"]
    world.data["mirrors"]["two"] = {**deepcopy(one), "upstream": str(other), "master": "node-1"}
    world.apply()
    assert world.sync("one").committed
    assert world.sync("two").committed
    for node in ("node-1", "node-2"):
        world.serve(b"1", node)
        world.serve(b"other", node, path="/two/index")
    del world.data["mirrors"]["two"]
    changed = world.apply()
    assert "update service node-1/mirror-http" in changed
    world.serve(b"1", "node-1", "node-2")
    assert world.got("node-2", "/two/index")[0] == 404


def test_another_master_goes_on_from_what_its_node_has(world: World) -> None:
    world.apply()
    world.sync()
    (world.upstream / "index").write_bytes(b"22")
    world.sync()
    world.serve(b"22", "node-1", "node-2")
    world.data["mirrors"]["one"]["master"] = "node-2"
    world.apply()
    until(
        lambda: (
            {each.serving for each in operations.status(world.scope, "one", world.host).nodes.values()}
            == {1002}
        ),
        "both serve what the new master took over",
    )
    world.serve(b"22", "node-1", "node-2")
    (world.upstream / "index").write_bytes(b"333")
    assert world.sync().serial == 1003
    world.serve(b"333", "node-1", "node-2")


def test_what_stands_is_told_and_a_dead_keeper_is_seen(world: World) -> None:
    world.apply()
    world.sync()

    def row() -> Any:
        return next(each for each in operate.status(world.scope, world.host) if each.key.kind == "mirror")

    until(lambda: row().health is Health.UP, "all is well")
    machine(world.scope, world.host, "store").stop("mirror-one-keeper")
    assert row().health in {Health.DOWN, Health.DEGRADED, Health.UNKNOWN}
    world.serve(b"1", "node-1", "node-2")
    assert [str(each) for each in operate.plan(world.scope, world.host).changes] == [
        "update service store/mirror-one-keeper"
    ]
    world.apply()
    until(lambda: row().health is Health.UP, "all is well again")


def test_a_configuration_that_changes_restarts_who_reads_it_alone(world: World) -> None:
    world.apply()
    world.sync()
    before = {
        name: {
            each: running.pid for each, running in machine(world.scope, world.host, name).running().items()
        }
        for name in ("store", "node-1")
    }
    world.data["mirrors"]["one"]["guard"] = {"delete": "5%"}
    assert world.apply() == ["update service store/mirror-one-keeper"]
    after = machine(world.scope, world.host, "store").running()
    assert after["mirror-rsync"].pid == before["store"]["mirror-rsync"]
    assert after["mirror-one-keeper"].pid != before["store"]["mirror-one-keeper"]
    for number in range(20):
        (world.upstream / f"pool/{number}").write_bytes(b"x")
    world.sync()
    for number in range(20):
        (world.upstream / f"pool/{number}").unlink()
    with pytest.raises(operations.SyncFailed, match=r"guard\.delete"):
        world.sync()
    assert operations.sync(world.scope, "one", world.host, anyway=True).committed
