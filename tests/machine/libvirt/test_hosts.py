"""A topology on two libvirts: who stands where, what moves, and what goes on where one of them cannot be reached.

Real domains and volumes on two libvirtds in one network; guests are shadows of them (shadows.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit import operate
from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.change import Action
from lbkit.engine.resource import Key
from lbkit.engine.view import Health
from lbkit.hypervisor.connection import connect
from lbkit.hypervisor.daemon import Daemon
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.image.store import Store
from lbkit.machine.libvirt import reach
from lbkit.machine.resolve_vm import spread
from tests.libvirtd import CACHE, daemon, section
from tests.machine.libvirt.emulators import kill
from tests.machine.libvirt.mute import mute_image
from tests.machine.libvirt.shadows import Shadows, answer_instead

__all__ = ["daemon"]

NAMES = st.lists(st.from_regex(r"[a-z]{1,4}-[1-9]", fullmatch=True), unique=True, min_size=1, max_size=6)


@given(NAMES, NAMES, st.data())
def test_a_host_that_goes_moves_its_own_and_few_others(
    members: list[str], hosts: list[str], data: st.DataObject
) -> None:
    hosts = [f"host-{each}" for each in hosts]
    before = spread(members, hosts)
    assert list(before) == members
    counts = [list(before.values()).count(host) for host in hosts]
    assert max(counts) - min(counts) <= 1
    assert spread(members[::-1], hosts[::-1]) == before, "the order means nothing"
    gone = data.draw(st.sampled_from(hosts))
    if gone not in before.values():
        assert spread(members, [host for host in hosts if host != gone]) == before


def test_few_move_where_one_host_of_many_goes() -> None:
    members, hosts = [f"web-{n}" for n in range(10)], [f"node-{n}" for n in range(20)]
    before = spread(members, hosts)
    moved = []
    for gone in hosts:
        after = spread(members, [host for host in hosts if host != gone])
        moved.append(sum(before[member] != after[member] for member in members))
    assert sum(moved) / len(hosts) < 1, moved


@dataclass
class Two:
    topology: str
    file: Path
    host: Host
    daemons: dict[str, Daemon]
    hosts: dict[str, ResolvedHost]

    def declare(self, **group: Any) -> None:
        document = {
            "lbkit": 1,
            "name": self.topology,
            "hosts": {name: section(at)[name] for name, at in self.hosts.items()},
            "networks": {"front": {"cidr": "10.80.0.0/24"}},
            "machines": {
                "vm": {
                    "driver": "libvirt",
                    "count": 2,
                    "networks": ["front"],
                    "gateway": False,
                    "vm": {"image": "mute", "memory": "64MiB", "accelerator": "tcg"},
                    "run": [{"name": "app", "command": ["sleep", "1000"]}],
                    **group,
                }
            },
        }
        self.file.write_text(json.dumps(document))

    def apply(self) -> None:
        operate.apply(operate.load(self.file), self.host)

    @property
    def plan(self) -> Any:
        return operate.plan(operate.load(self.file), self.host)

    def domains(self, name: str) -> list[str]:
        found = connect(self.hosts[name]).raw.listAllDomains()
        return sorted(each.name().removeprefix(f"{self.topology}.") for each in found)


@pytest.fixture
def two(
    host: Host, topology_name: str, daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Two]:
    monkeypatch.setenv("LBKIT_IMAGES", str(tmp_path / "images"))
    own = replace(host, image_dir=tmp_path / "images")
    mute_image(Store(own), tmp_path)
    monkeypatch.setattr(reach, "_port", reach._port)  # what is set there goes with the test
    folder = host.run_dir / "shadows"
    answer_instead(folder)
    with Daemon(host.run_dir / "other", cache=CACHE) as other:
        daemons = {"a": daemon, "b": other}
        hosts = {
            name: ResolvedHost(name, each.uri, "lbkit", str(host.run_dir / f"pool-{name}"))
            for name, each in daemons.items()
        }
        with Shadows(daemons["a"], hosts["a"], folder), Shadows(daemons["b"], hosts["b"], folder):
            made = Two(topology_name, tmp_path / "t.json", own, daemons, hosts)
            made.declare(spread=True)
            yield made


@pytest.mark.sandbox
def test_where_a_host_is_down_the_others_are_kept_and_nothing_is_made_twice(two: Two) -> None:
    two.apply()
    assert not two.plan
    placed = spread(["vm-1", "vm-2"], ["a", "b"])
    assert sorted(placed.values()) == ["a", "b"]
    for member, name in placed.items():
        assert two.domains(name) == [f"{member}.1"]
    down, up = placed["vm-1"], placed["vm-2"]

    two.daemons[down].kill()
    plan = two.plan
    assert not plan
    [note] = [each for each in plan.notes if "cannot be reached" in each]
    assert note.startswith(f"host {down} ")
    assert "machine vm-1 and all that needs it left alone" in note
    rows = {row.key: row for row in operate.status(operate.load(two.file), two.host)}
    assert rows[Key("machine", "vm-1")].health is Health.UNKNOWN
    assert rows[Key("service", "vm-1/app")].health is Health.UNKNOWN
    assert rows[Key("machine", "vm-2")].health is Health.UP

    # what is seen is kept
    kill(two.daemons[up], f"{two.topology}.vm-2.1")
    assert {(change.key, change.action) for change in two.plan.changes} >= {
        (Key("machine", "vm-2"), Action.REPLACE)
    }
    assert not [change for change in two.plan.changes if "vm-1" in change.key.name]
    two.apply()
    assert two.domains(up) == ["vm-2.2"]

    # what may run there is made nowhere else, though it is declared so
    two.declare(host=up)
    assert not two.plan
    two.apply()
    assert two.domains(up) == ["vm-2.2"]
    with pytest.raises(Failure, match="nothing of the topology was to be left"):
        operate.destroy(operate.load(two.file), two.host)

    two.daemons[down].start()
    assert two.domains(down) == ["vm-1.1"], "it ran on"
    [machine] = [change for change in two.plan.changes if change.key.kind == "machine"]
    assert machine.reason.startswith(f"host is {down}, declared is {up}")
    two.apply()
    assert not two.plan
    assert (two.domains(down), two.domains(up)) == ([], ["vm-1.2", "vm-2.2"])
    operate.destroy(operate.load(two.file), two.host)
    assert (two.domains(down), two.domains(up)) == ([], [])
    for at in two.hosts.values():
        assert not Path(at.path).exists()


@pytest.mark.sandbox
def test_no_host_that_answers_is_a_failure_that_names_one(two: Two) -> None:
    for each in two.daemons.values():
        each.kill()
    with pytest.raises(Failure, match=r"host [ab] "):
        two.plan  # noqa: B018
