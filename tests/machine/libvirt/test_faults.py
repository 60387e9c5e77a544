"""What breaks beneath a virtual machine: told plainly, in bounded time, nothing half left; the next apply goes on.

Real libvirt and QEMU; guests are shadows of theirs (shadows.py), but for one that never says anything.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lbkit import operate
from lbkit.base import syscalls
from lbkit.base.clock import SystemClock
from lbkit.base.errors import Failure, LbkitError
from lbkit.base.host import Host
from lbkit.engine.applying import Event
from lbkit.engine.change import Action, Impact
from lbkit.image.store import Store
from lbkit.machine.guest.port import Line
from tests.machine.libvirt.emulators import kill
from tests.machine.libvirt.mute import LAST_WORDS
from tests.machine.libvirt.small import NOTHING, World, daemon, gone, hypervisor, lone, world
from tests.machine.world import until

__all__ = ["daemon", "hypervisor", "lone", "world"]

pytestmark = pytest.mark.sandbox

MS_REMOUNT = 32  # linux/mount.h


class Hasty(SystemClock):
    """A hundred seconds of it are one."""

    def __init__(self) -> None:
        self.began = super().now()

    def now(self) -> datetime:
        return self.began + 100 * (super().now() - self.began)

    def monotonic(self) -> float:
        return super().monotonic() * 100


class Later(SystemClock):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.seconds)


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(LbkitError) as raised:
        act()
    return str(raised.value)


def test_a_guest_that_never_answers(lone: World) -> None:
    """The real port of a real guest: QEMU takes what is said to it, and nobody ever answers."""
    said = refused(lambda: operate.apply(lone.scope, replace(lone.host, clock=Hasty())))
    assert "the guest of" in said
    assert f"its console ends: {LAST_WORDS}" in said
    assert "the next apply makes another one" in said
    assert lone.standing() == lone.one(1), "it stays, to be looked at"
    lone.destroy()
    assert gone(lone.standing) == NOTHING


def test_after_one_that_never_answered_comes_another_and_there_are_never_more(world: World) -> None:
    hasty = replace(world.host, clock=Hasty())
    world.mute |= {world.domain(number) for number in (1, 2, 3)}
    for number, stand in ((1, [1]), (2, [1, 2]), (3, [1, 3])):
        assert "was to answer" in refused(lambda: operate.apply(world.scope, hasty)), number
        assert sorted(world.domains) == [world.domain(each) for each in stand]
        assert len(world.plugged) == 1
    world.apply()
    assert world.standing() == world.one(4)
    assert world.plan() == []


def killed_while_it_boots(world: World) -> None:
    def watch(event: Event) -> None:
        if event.detail.startswith("wait until"):
            raise Failure("the apply was to go on", found="it was ended")

    world.mute.add(world.domain(1))
    assert "it was ended" in refused(lambda: operate.apply(world.scope, world.host, watch=watch))


def test_one_that_boots_is_waited_for_and_not_replaced(world: World) -> None:
    killed_while_it_boots(world)
    before = world.pids()
    [machine] = [
        change for change in operate.plan(world.scope, world.host).changes if change.key.kind == "machine"
    ]
    assert (machine.action, machine.impact) == (Action.UPDATE, Impact.NONE)
    assert machine.reason.startswith("it boots, started at ")
    assert machine.steps[0] == "wait until its guest answers"
    assert [f for f in operate.explain(world.scope, "vm", world.host) if f.what.startswith("its guest boots")]
    with ThreadPoolExecutor() as pool:
        applying = pool.submit(world.apply)
        world.mute.clear()
        applying.result()
    assert world.pids() == before
    assert world.standing() == world.one(1)
    assert world.plan() == []


def test_how_long_it_may_boot_is_declared(world: World) -> None:
    world.declare(boot_timeout="20s")
    killed_while_it_boots(world)
    for seconds, word in ((10, "it boots"), (30, "its guest does not answer")):
        plan = operate.plan(world.scope, replace(world.host, clock=Later(seconds)))
        assert [change for change in plan.changes if word in change.reason], seconds
    world.destroy()
    assert "after 20 s" in refused(lambda: operate.apply(world.scope, replace(world.host, clock=Hasty())))


def test_one_that_boots_for_too_long_is_dead(world: World) -> None:
    killed_while_it_boots(world)
    for seconds, word in ((200, "it boots"), (400, "its guest does not answer"), (-200, "does not answer")):
        plan = operate.plan(world.scope, replace(world.host, clock=Later(seconds)))
        assert [change for change in plan.changes if word in change.reason], seconds
    operate.apply(world.scope, replace(world.host, clock=Later(400)))
    assert world.standing() == world.one(2)


def test_one_that_has_answered_does_not_boot(world: World) -> None:
    """When it falls silent soon after, it is dead at once."""
    world.apply()
    assert "started=" not in world.virsh("dumpxml", world.domain(1))


def break_its_word(world: World, monkeypatch: pytest.MonkeyPatch, method: str, told: object) -> None:
    """From now on the guest of the first one answers so."""
    asked = Line.call
    first = f"domain {world.domain(1)}"

    def call(line: Line, name: str, *given: Any, **more: Any) -> tuple[Any, bytes]:
        if (line.where, name) != (first, method):
            return asked(line, name, *given, **more)
        if told is None:
            raise Failure(f"{name} was to be done", found="the guest is broken")
        found, content = asked(line, name, *given, **more)
        return [{**each, **told} for each in found] if isinstance(told, dict) else told, content

    monkeypatch.setattr(Line, "call", call)


@pytest.mark.parametrize(
    ("method", "told"),
    [("files", None), ("files", [["app", "x"]]), ("fetch", None), ("processes", {"kind": "haproxy"})],
)
def test_a_guest_that_breaks_its_word_is_replaced(
    world: World, monkeypatch: pytest.MonkeyPatch, method: str, told: object
) -> None:
    world.apply()
    break_its_word(world, monkeypatch, method, told)
    for _ in range(2):
        reasons = [change.reason for change in operate.plan(world.scope, world.host).changes]
        assert [reason for reason in reasons if "its guest does not answer" in reason]
    assert {row.key.kind for row in operate.status(world.scope, world.host)} == {
        "network",
        "machine",
        "service",
    }
    world.apply()
    assert world.standing() == world.one(2)
    assert world.plan() == []


@pytest.mark.parametrize("method", ["files", "stop", "remove"])
def test_a_guest_that_breaks_its_word_goes_with_the_topology(
    world: World, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    world.apply()
    break_its_word(world, monkeypatch, method, None)
    world.destroy()
    assert gone(world.standing) == NOTHING


@pytest.fixture
def small_pool(host: Host) -> Iterator[Path]:
    """Room for a disk, and not for a seed. It is there before libvirtd, whose mounts are its own."""
    place = host.run_dir / "pool"
    place.mkdir(parents=True)
    syscalls.mount("tmpfs", str(place), "tmpfs", 0, "size=256k")
    yield place
    syscalls.unmount(str(place))


def test_a_full_pool(small_pool: Path, world: World) -> None:
    said = refused(world.apply)
    assert f"the pool lbkit ({small_pool})" in said
    assert "are free" in said
    assert f"{world.domain()}.seed.iso" in said
    assert world.standing() == NOTHING
    assert list(small_pool.iterdir()) == []
    syscalls.mount("none", str(small_pool), "none", MS_REMOUNT, "size=16m")
    world.apply()
    assert world.standing() == world.one(1)
    assert world.plan() == []


def test_a_pool_that_is_full_when_a_machine_is_to_be_replaced(small_pool: Path, world: World) -> None:
    syscalls.mount("none", str(small_pool), "none", MS_REMOUNT, "size=16m")
    world.apply()
    before = world.pids()
    (small_pool / "foreign").write_bytes(bytes(os.statvfs(small_pool).f_bavail * 4096 - (300 << 10)))
    world.declare(cpus=2)
    assert "are free" in refused(world.apply)
    assert world.pids() == before, "what serves goes on"
    stands = world.one(1)
    assert world.standing() == {**stands, "volumes": ["foreign", *stands["volumes"]]}
    (small_pool / "foreign").unlink()
    world.apply()
    assert world.standing() == world.one(2)


@pytest.mark.parametrize("how", ["rotten", "cut", "gone"])
def test_a_corrupt_image(world: World, how: str) -> None:
    image = Store(world.host).find("mute").disk_path
    kept = shutil.copy2(image, world.file.with_name("kept"))
    before = os.stat(image)
    if how == "gone":
        image.unlink()
    else:
        with open(image, "r+b") as stream:
            stream.seek(-100, os.SEEK_END)
            stream.truncate() if how == "cut" else stream.write(b"rotten")
        os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    said = refused(world.apply)
    assert str(image) in said
    assert {"rotten": "SHA-256", "cut": "bytes, not", "gone": "not there"}[how] in said
    assert "to do:" in said
    assert world.standing() == NOTHING
    shutil.copy2(kept, image)
    world.apply()
    assert world.standing() == world.one(1)


STEPS = ["make a disk", "start ", "wait until", "let app of", "links of", "look at", "remove "]


@pytest.mark.parametrize("step", STEPS)
def test_libvirtd_dies_in_the_middle_of_an_apply(world: World, step: str) -> None:
    world.apply()
    serving = world.pids()
    world.declare(cpus=2)

    def watch(event: Event) -> None:
        if event.kind == "step" and event.detail.startswith(step):
            world.daemon.kill()

    said = refused(lambda: operate.apply(world.scope, world.host, watch=watch))
    assert "libvirt" in said
    assert "apply again" in said
    assert world.pids().items() >= serving.items(), "guests run on"
    assert "start it" in refused(world.plan)
    world.daemon.start()
    assert len(world.plugged) <= 1
    world.apply()
    assert world.standing() == world.one(world.generation())
    assert world.plugged == [world.domain(world.generation())]
    assert world.plan() == []


def test_libvirtd_that_was_restarted_is_found_again(world: World) -> None:
    world.apply()
    serving = world.pids()
    world.daemon.kill()
    assert world.pids() == serving
    world.daemon.start()
    assert world.plan() == []
    assert world.pids() == serving


def foreign(name: str) -> str:
    return (
        f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>"
        "<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"
    )


def test_a_domain_of_the_wanted_name_that_is_not_ours(world: World, tmp_path: Path) -> None:
    file = tmp_path / "foreign.xml"
    file.write_text(foreign(world.domain(1)))
    world.virsh("define", str(file))
    before = world.virsh("dumpxml", world.domain(1))
    for act in (world.apply, world.plan):
        assert world.domain(1) in refused(act)
    world.destroy()
    assert world.virsh("dumpxml", world.domain(1)) == before
    assert world.standing() == {**NOTHING, "domains": [world.domain(1)]}
    world.virsh("undefine", world.domain(1))
    world.apply()
    assert world.standing() == world.one(1)


def test_a_foreign_domain_beside_a_machine_of_ours_stays(world: World, tmp_path: Path) -> None:
    world.apply()
    file = tmp_path / "foreign.xml"
    file.write_text(foreign(world.domain(2)))
    world.virsh("define", str(file))
    before = world.virsh("dumpxml", world.domain(2))
    assert world.plan() == []
    world.declare(cpus=2)
    world.apply()
    assert world.domains == {world.domain(2): "shut off", world.domain(3): "running"}
    world.destroy()
    assert world.virsh("dumpxml", world.domain(2)) == before
    world.virsh("undefine", world.domain(2))


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("suspend", "paused: by somebody"),
        ("destroy", "shut off: somebody ended it"),
        ("kill", "shut off: its QEMU died"),
    ],
)
def test_a_machine_that_does_not_run_is_replaced(world: World, how: str, why: str) -> None:
    world.apply()
    if how == "kill":
        kill(world.daemon, world.domain(1))
        until(lambda: world.domains[world.domain(1)] == "shut off", "libvirt notices")
    else:
        world.virsh(how, world.domain(1))
    reasons = [change.reason for change in operate.plan(world.scope, world.host).changes]
    assert [reason for reason in reasons if why in reason]
    world.apply()
    assert world.standing() == world.one(2)
    assert world.plan() == []


def test_one_whose_domain_somebody_undefined_comes_again_and_leaves_nothing(world: World) -> None:
    world.apply()
    world.virsh("destroy", world.domain(1))
    world.virsh("undefine", world.domain(1))
    assert world.standing()["volumes"] == world.one(1)["volumes"]
    world.apply()
    assert world.standing() == world.one(1)


def test_what_another_host_has_in_a_shared_pool_stays(world: World) -> None:
    """One folder, two libvirts, the same names: only what this lbkit made goes."""
    world.apply()
    pool = Path(world.hypervisor.path)
    theirs = [f"{world.domain(7)}.disk.qcow2", f"{world.topology}.vm.spare-9.disk.qcow2"]
    for name in theirs:  # libvirt here does not know of it
        (pool / name).write_bytes(b"data")
    images = {each.name for each in pool.glob("_image.*")}
    world.declare(cpus=2)
    world.apply()
    stands = world.one(8)
    assert world.standing() == {**stands, "volumes": sorted([*stands["volumes"], *theirs])}
    world.destroy()
    assert all((pool / name).read_bytes() == b"data" for name in theirs)
    assert {each.name for each in pool.glob("_image.*")} == images, "theirs may stand on these"
    for name in theirs:
        (pool / name).unlink()


def test_an_old_one_that_is_back_is_drained_and_removed_and_the_newer_stays(
    world: World, tmp_path: Path
) -> None:
    world.apply()
    pool = Path(world.hypervisor.path)
    old = tmp_path / "old"
    shutil.copytree(pool, old, symlinks=True)
    (tmp_path / "old.xml").write_text(world.virsh("dumpxml", "--inactive", world.domain(1)))
    world.declare(cpus=2)
    world.apply()
    newest = world.pids()
    assert list(newest) == [world.domain(2)]

    folder = world.host.folder(world.topology) / "vm"
    for name in world.one(1)["volumes"]:
        shutil.copy2(old / name, pool / name)
    text = (tmp_path / "old.xml").read_text()
    for path in {word for word in text.split("'") if word.startswith(str(folder))}:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    world.virsh("pool-refresh", "lbkit")
    world.virsh("define", str(tmp_path / "old.xml"))
    world.virsh("start", world.domain(1))
    assert world.plugged == [world.domain(1), world.domain(2)]

    (change,) = operate.plan(world.scope, world.host).changes
    assert world.domain(1) in change.reason
    world.apply()
    assert world.standing() == world.one(2)
    assert world.pids() == newest
    assert world.plan() == []
