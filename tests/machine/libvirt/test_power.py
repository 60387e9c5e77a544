"""A virtual machine that a person stops is started again with the disk that it has; one that is replaced is another one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import lbkit
from lbkit import operate
from lbkit.base.host import Host
from lbkit.engine.applying import ApplyFailed
from lbkit.engine.change import Action, Impact
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.machine.handle import machine
from lbkit.machines import Wanted, apply_machine, plan_machine
from tests import images
from tests.libvirtd import section
from tests.machine.libvirt.small import World, daemon, hypervisor, lone, world

__all__ = ["daemon", "hypervisor", "lone", "world"]

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("vm")]


def test_it_is_stopped_started_and_replaced(world: World) -> None:
    world.apply()
    scope, host, first = world.scope, world.host, world.domain()
    before = world.pids()

    # its guest has nothing that could shut it down: it is switched off
    stop = Wanted("vm", "stopped", within=5.0)
    planned = plan_machine(scope, stop, host)
    assert world.pids() == before
    assert planned.impact is Impact.DISRUPTIVE
    assert apply_machine(scope, stop, host, promised=planned).plan.changes == planned.changes
    assert world.domains == {first: "shut off"}
    assert not apply_machine(scope, stop, host).plan

    # what is declared is that it runs: the same one, by its disk; after a boot of its host, too
    for folder in (host.folder(scope.name) / "vm").iterdir():
        shutil.rmtree(folder)
    assert world.plan() == ["restart machine vm", "create service vm/app"]
    started = plan_machine(scope, Wanted("vm"), host)
    assert apply_machine(scope, Wanted("vm"), host).plan.changes == started.changes
    assert not world.plan()
    assert world.domains == {first: "running"}
    assert world.pids() != before

    restart = Wanted("vm", "restarted", within=5.0)
    planned = plan_machine(scope, restart, host)
    assert [str(change) for change in planned.changes] == ["restart machine vm", "restart service vm/app"]
    before = world.pids()
    assert apply_machine(scope, restart, host, promised=planned).plan.changes == planned.changes
    assert not world.plan()
    assert (set(world.domains), world.pids() != before) == ({first}, True)

    replaced = plan_machine(scope, Wanted("vm", "replaced"), host)
    assert {str(change.action) for change in replaced.changes if change.key.kind == "machine"} == {"replace"}
    assert apply_machine(scope, Wanted("vm", "replaced"), host).plan.changes == replaced.changes
    assert not world.plan()
    assert world.standing() == world.one(2)

    # one that is stopped can be replaced too; and one that somebody else switched off is made anew
    apply_machine(scope, Wanted("vm", "stopped", at_once=True), host)
    assert operate.plan(scope, host, anew=["machine/vm"]).changes[0].action is Action.REPLACE
    world.apply()
    assert world.standing() == world.one(2)
    world.virsh("destroy", world.domain(2))
    assert world.plan()[0] == "replace machine vm"
    assert not plan_machine(scope, Wanted("vm", "stopped"), host)


def test_a_guest_shuts_itself_down_and_boots_again_with_its_disk(
    host: Host, topology_name: str, hypervisor: ResolvedHost, tmp_path: Path
) -> None:
    """A real one: lbkit's image, which boots twice."""
    vm = {"image": images.built().identity, "memory": "256MiB", "accelerator": "tcg"}
    document = {
        "lbkit": 1,
        "name": topology_name,
        "hosts": section(hypervisor),
        "networks": {"front": {"cidr": "10.80.0.0/24"}},
        "machines": {
            "vm": {
                "driver": "libvirt",
                "networks": ["front"],
                "vm": vm,
                "run": [{"name": "app", "command": ["sleep", "1000"]}],
            }
        },
    }
    scope = lbkit.load_data(document, tmp_path)
    operate.apply(scope, host)
    machine(scope, host, "vm").execute(["sh", "-c", "echo kept >/var/lib/kept; sync"])

    done = apply_machine(scope, Wanted("vm", "stopped"), host)
    assert done.notes == ()
    assert "it shut itself down" in next(
        str(have.state["reason"]) for have in operate.observe(scope, host) if have.key.kind == "machine"
    )
    started = apply_machine(scope, Wanted("vm"), host)
    assert [str(change) for change in started.plan.changes] == ["restart machine vm", "create service vm/app"]
    assert not operate.plan(scope, host)
    assert machine(scope, host, "vm").execute(["cat", "/var/lib/kept"]).stdout == "kept\n"
    operate.destroy(scope, host)


def test_one_that_could_not_be_started_keeps_its_disk(world: World) -> None:
    world.apply()
    first = world.domain()
    apply_machine(world.scope, Wanted("vm", "stopped", within=0.0), world.host)
    pool = Path(world.hypervisor.path)
    seed, aside = pool / f"{first}.seed.iso", pool / "aside"
    seed.rename(aside)
    with pytest.raises(ApplyFailed):
        world.apply()
    aside.rename(seed)
    assert world.plan()[0] == "restart machine vm"
    world.apply()
    assert world.domains == {first: "running"}
