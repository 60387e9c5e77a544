"""A topology on two libvirts: who stands where, what moves, and what goes on where one of them cannot be reached.

Real domains and volumes on two libvirtds in one network; guests are shadows of them (shadows.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit import operate
from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.base.names import link_name
from lbkit.engine.change import Action
from lbkit.engine.resource import Key
from lbkit.engine.view import Health
from lbkit.hypervisor.connection import connect
from lbkit.hypervisor.daemon import Daemon
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.image.store import Store
from lbkit.machine.guest.port import unix_port
from lbkit.machine.libvirt import design, reach
from lbkit.machine.libvirt.names import channel_folder
from lbkit.machine.resolve_vm import spread
from tests.libvirtd import CACHE, daemon, section
from tests.machine.libvirt.emulators import kill
from tests.machine.libvirt.mute import mute_image
from tests.machine.libvirt.shadows import Shadows
from tests.machine.world import until

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

    def declare(self, *, among: Sequence[str] = ("a", "b"), **group: Any) -> None:
        document = {
            "lbkit": 1,
            "name": self.topology,
            "hosts": {name: section(at)[name] for name, at in self.hosts.items() if name in among},
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

    def plugged(self) -> list[str]:
        """Hosts of domains that run and have a link up."""
        found = [
            name
            for name, at in self.hosts.items()
            for each in connect(at).raw.listAllDomains()
            if each.isActive() and "link state='up'" in each.XMLDesc()
        ]
        return sorted(found)

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
    folder = host.run_dir / "shadows"
    monkeypatch.setattr(
        reach,
        "_port",
        lambda at, domain, name, _: unix_port(folder / at.name / domain.name / name.rpartition(".")[2]),
    )
    with Daemon(host.run_dir / "other", cache=CACHE) as other:
        daemons = {"a": daemon, "b": other}
        hosts = {
            name: ResolvedHost(name, each.uri, "lbkit", str(host.run_dir / f"pool-{name}"))
            for name, each in daemons.items()
        }
        with Shadows(daemons["a"], hosts["a"], folder / "a"), Shadows(daemons["b"], hosts["b"], folder / "b"):
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
    assert channel_folder(two.host, two.hosts[down].uri, f"{two.topology}.vm-1.1").is_dir(), "its sockets too"
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
@pytest.mark.parametrize("declared", ["a", "b"])
@pytest.mark.parametrize("dead", ["", "a"])
def test_of_two_that_are_the_same_generation_one_stays(
    two: Two, monkeypatch: pytest.MonkeyPatch, declared: str, dead: str
) -> None:
    """A person took a host that was down out of the file: what stands there comes back with it."""
    made = {}
    for name, other in (("a", "b"), ("b", "a")):
        # two hosts have a kernel each: here one has the TAPs of both
        monkeypatch.setattr(design, "link_name", lambda *parts, on=name: link_name(*parts, on))
        two.daemons[other].kill()
        two.declare(among=[name], host=name, count=1)
        two.apply()
        two.daemons[other].start()
        made[name] = connect(two.hosts[name]).raw.lookupByName(f"{two.topology}.vm-1.1").UUIDString()
    two.declare(host=declared, count=1)
    if dead:
        kill(two.daemons[dead], f"{two.topology}.vm-1.1")
        until(lambda: two.plugged() == [each for each in "ab" if each != dead], "libvirt notices")
    plans = [two.plan.as_data() for _ in range(2)]
    assert plans[0] == plans[1]
    two.apply()
    assert not two.plan
    stays = {name: two.domains(name) for name in two.hosts}
    other = "b" if declared == "a" else "a"
    assert stays[other] == []
    assert stays[declared] == (["vm-1.1"] if dead != declared else ["vm-1.2"])
    assert two.plugged() == [declared]
    if dead != declared:
        found = connect(two.hosts[declared]).raw.lookupByName(f"{two.topology}.vm-1.1")
        assert found.UUIDString() == made[declared], "it was not made anew"
    operate.destroy(operate.load(two.file), two.host)


@pytest.mark.sandbox
def test_no_host_that_answers_is_a_failure_that_names_one(two: Two) -> None:
    for each in two.daemons.values():
        each.kill()
    with pytest.raises(Failure, match=r"host [ab] "):
        two.plan  # noqa: B018
