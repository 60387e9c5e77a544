"""Spares and the machines that are made of them. Real domains and saved memory; guests are shadows (shadows.py)."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from lbkit import operate
from lbkit.base.host import Host
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.machine.guest.port import Line
from lbkit.machine.libvirt import spares
from lbkit.machine.libvirt.observe import SeenDomain
from lbkit.machine.libvirt.reach import line_to
from lbkit.machine.resolved import Machines
from lbkit.machines import Wanted, apply_machine
from tests.machine.libvirt import shadows
from tests.machine.libvirt.emulators import kill
from tests.machine.libvirt.small import World, daemon, hypervisor, lone, world
from tests.machine.world import until

__all__ = ["daemon", "hypervisor", "lone", "world"]

pytestmark = pytest.mark.sandbox


def waiting(world: World, where: str = "disk") -> list[str]:
    state = {"disk": "shut off", "memory": "paused"}[where]
    return sorted(name for name, found in world.domains.items() if found == state)


def volumes_of(world: World, domain: str) -> list[str]:
    pool = Path(world.hypervisor.path)
    return sorted(each.name.removeprefix(domain) for each in pool.iterdir() if each.name.startswith(domain))


def test_several_are_made_at_once_and_each_keeps_its_volumes(world: World) -> None:
    world.declare(warm_pool=3)
    world.apply()
    assert world.plan() == []
    names = waiting(world)
    assert names == [f"{world.topology}.vm.spare-{number}" for number in (1, 2, 3)]
    for name in names:
        assert volumes_of(world, name) == [".disk.qcow2", ".seed.iso"]


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@pytest.fixture(params=["disk", "memory"])
def where(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def used(world: World, where: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The one spare, which a machine was made of: its name."""
    machines = world.scope.of("machine", Machines).by_name
    [interface] = machines["vm"].interfaces
    # nothing can be plugged into a shadow: that of a spare has from its start what it will be given
    start = shadows._START.replace("in $1", f"in ${{1:-{interface.mac}}}")
    monkeypatch.setattr(shadows, "_START", start)
    asked = Line.call

    def call(line: Line, method: str, params: dict[str, Any], *given: Any, **more: Any) -> Any:
        # nor may it set the kernel's clock, which is the test's too
        return asked(line, method, {} if method == "identity" else params, *given, **more)

    def patient(host: Host, at: ResolvedHost, domain: SeenDomain) -> Line:
        # and it begins to listen later than QEMU does
        until(lambda: listens(world.host.run_dir / "shadows" / domain.name / "0"), "the shadow listens")
        return line_to(host, at, domain)

    monkeypatch.setattr(Line, "call", call)
    monkeypatch.setattr(spares, "line_to", patient)
    world.declare(warm_pool=1, warm_in=where)
    world.apply()
    assert len(waiting(world, where)) == 1
    world.virsh("destroy", world.domain())
    world.apply()
    name = f"{world.topology}.vm.spare-1"
    assert world.plugged == [name]
    return name


def test_one_is_used_and_made_anew(world: World, where: str, used: str) -> None:
    assert world.plan() == []
    assert waiting(world, where) == [used.replace("spare-1", "spare-2")]


def test_a_machine_made_of_one_stays_known_when_it_is_changed(world: World, where: str, used: str) -> None:
    world.declare(
        warm_pool=1, warm_in=where, ssh_keys=["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1j0qK6 someone"]
    )
    world.apply()
    assert world.plan() == []
    assert world.plugged == [used]


def test_a_machine_made_of_one_boots_again_as_who_it_has_become(world: World, where: str, used: str) -> None:
    """Its seed says that it is nobody."""
    apply_machine(world.scope, Wanted("vm", "stopped", within=1.0), world.host)
    assert world.domains[used] == "shut off"
    apply_machine(world.scope, Wanted("vm"), world.host)
    apply_machine(world.scope, Wanted("vm", "restarted", within=1.0), world.host)
    assert world.plan() == []
    assert world.plugged == [used]


@pytest.mark.parametrize("where", ["disk"], indirect=True)
def test_one_is_of_use_after_a_boot_of_its_host(world: World, where: str, used: str) -> None:
    """The folder of its sockets was in memory."""
    world.virsh("destroy", used)
    for folder in (world.host.folder(world.topology) / "vm").iterdir():
        shutil.rmtree(folder)
    world.apply()
    assert world.plan() == []
    assert world.plugged == [used.replace("spare-1", "spare-2")]


@pytest.mark.parametrize("where", ["memory"], indirect=True)
def test_one_whose_process_was_killed_is_made_anew(world: World, where: str, used: str) -> None:
    kill(world.daemon, used.replace("spare-1", "spare-2"))
    until(lambda: used.replace("spare-1", "spare-2") not in waiting(world, where), "libvirt knows")
    world.apply()
    assert world.plan() == []
    assert waiting(world, where) == [used.replace("spare-1", "spare-3")]
    assert world.plugged == [used]


def test_where_they_are_kept_may_change(world: World) -> None:
    world.declare(warm_pool=1)
    world.apply()
    world.declare(warm_pool=1, warm_in="memory")
    [change] = operate.plan(world.scope, world.host).changes
    assert change.reason == "it is kept on disk: another one is made"
    world.apply()
    assert world.plan() == []
    assert (len(waiting(world, "disk")), len(waiting(world, "memory"))) == (0, 1)
