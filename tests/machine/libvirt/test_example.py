"""examples/web-vm.yml for real, from nothing to nothing: served by virtual machines, one of which dies, twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest

import lbkit
from lbkit.base.host import Host
from lbkit.engine.change import Action
from lbkit.engine.resource import Key
from lbkit.engine.scope import Scope
from lbkit.engine.view import Health, Status
from lbkit.faces.demo.clients import Client, resolve, unanswered
from lbkit.hypervisor.connection import connect
from lbkit.hypervisor.daemon import Daemon
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.machine.guest.session import GuestGone
from lbkit.machine.handle import machine
from tests import images
from tests.example import copied
from tests.libvirtd import daemon, hypervisor, section
from tests.machine.libvirt.emulators import emulators, kill

__all__ = ["daemon", "hypervisor"]

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("vm")]

VIP = "10.80.0.10"
PATIENCE = 300.0  # seconds: a bound, nothing that is asserted
KILLED_AT = Path(__file__).with_name("killed_at.py")
WAITS = 2.0  # seconds that a client waits for an answer


@pytest.fixture
def scope(tmp_path: Path, topology_name: str, hypervisor: ResolvedHost) -> Scope:
    """The example on a libvirt of the test's, with the image of this checkout's recipe."""
    file = copied(tmp_path, topology_name, example="web-vm")
    text = file.read_text().replace("image: debian-12-lb,", f"image: {images.built().identity[:25]},")
    assert images.built().identity[:25] in text
    file.write_text(f"{text}\nhosts: {json.dumps(section(hypervisor))}\n")
    return lbkit.load(file)


def until(condition: Callable[[], object], what: str) -> None:
    end = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < end, what
        sleep(0.1)


def all_up(scope: Scope, host: Host) -> bool:
    return all(row.present and row.health is Health.UP for row in lbkit.status(scope, host))


def row(scope: Scope, host: Host, kind: str, name: str) -> Status:
    return next(each for each in lbkit.status(scope, host) if each.key == Key(kind, name))


def holder(scope: Scope, host: Host) -> str:
    """Which load balancer has the virtual address; "" while none has."""
    return next(iter(row(scope, host, "vip", "shop").facts["holders"]), "")


def pages(count: int = 30) -> Counter[str]:
    """Pages by the server that they came from."""
    fetched = (urllib.request.urlopen(f"http://{VIP}/", timeout=10).read().decode() for _ in range(count))
    return Counter(page.split()[-1] for page in fetched)


def domains(hypervisor: ResolvedHost) -> dict[str, bool]:
    """Name to whether it runs."""
    return connect(hypervisor).read(
        "domains", lambda raw: {each.name(): bool(each.isActive()) for each in raw.listAllDomains()}
    )


def left(scope: Scope, host: Host, hypervisor: ResolvedHost, daemon: Daemon) -> list[str]:
    """All that there is on the host but for the libvirtd itself, and what came with the network namespace."""
    raw = connect(hypervisor).raw
    found = [f"domain {each.name()}" for each in raw.listAllDomains()]
    found += [f"pool {each.name()}" for each in raw.listAllStoragePools()]
    found += [f"emulator of {name}" for name in emulators(daemon)]
    links = json.loads(subprocess.run(["ip", "-j", "link"], check=True, capture_output=True).stdout)
    found += [f"link {each['ifname']}" for each in links if each["ifname"] != "lo"]
    found += [f"namespace {each.name}" for each in host.netns_dir.iterdir()]
    found += [str(path) for path in host.run_dir.rglob("*") if not path.is_relative_to(daemon.folder)]
    return [each for each in found if each != str(daemon.folder)]


def test_it_serves_outlives_its_machines_and_goes_without_a_trace(
    scope: Scope,
    host: Host,
    hypervisor: ResolvedHost,
    daemon: Daemon,
    record_property: Callable[[str, object], None],
) -> None:
    first = lbkit.plan(scope, host)
    assert [note for note in first.notes if "emulated (tcg)" in note]
    before = left(scope, host, hypervisor, daemon)
    began = monotonic()
    lbkit.apply(scope, host)
    record_property("seconds from plan to as declared", f"{monotonic() - began:.1f}")

    # it serves, and says so
    until(lambda: all_up(scope, host), "all is up")
    assert not lbkit.plan(scope, host)
    assert set(pages()) == {"web-1", "web-2", "web-3"}
    assert resolve("shop.example.test", "10.80.0.53") == VIP
    assert domains(hypervisor) == {f"{scope.name}.lb-{number}.1": True for number in (1, 2)}
    assert row(scope, host, "machine", "lb-1").facts["domain"] == f"{scope.name}.lb-1.1"
    assert not [each for each in lbkit.explain(scope, "shop/web/web-1", host) if each.good is False]

    # the guest's program dies: systemd starts it again, services live on, and there is nothing to do
    programs = machine(scope, host, "lb-1").running()
    with pytest.raises(GuestGone):
        machine(scope, host, "lb-1").execute(("sh", "-c", "kill -9 $PPID"))
    assert not lbkit.plan(scope, host)
    assert machine(scope, host, "lb-1").running() == programs

    # the active one's QEMU is killed
    active = holder(scope, host)
    other = {"lb-1": "lb-2", "lb-2": "lb-1"}[active]
    with Client(VIP, WAITS) as client:
        until(lambda: len(client.answers) > 10, "the client is served")
        kill(daemon, f"{scope.name}.{active}.1")
        killed = monotonic()
        until(lambda: holder(scope, host) == other, "the virtual address moves")
        until(lambda: client.answers[-1].began > killed + 1 and not client.answers[-1].error, "it serves")
    lost = unanswered(client.answers, killed)
    assert lost is not None
    record_property("outage after kill -9 of the active virtual machine", f"{lost:.2f} s")

    # what is said of it is true
    dead = row(scope, host, "machine", active)
    assert (dead.present, dead.health, "its QEMU died" in dead.detail) == (False, Health.DOWN, True)
    assert [each for each in lbkit.explain(scope, active, host) if each.good is False]
    plan = lbkit.plan(scope, host)
    change = next(each for each in plan.changes if each.key == Key("machine", active))
    assert (change.action, "its QEMU died" in change.reason) == (Action.REPLACE, True)
    assert not [each for each in plan.changes if other in each.key.name]

    # an apply is killed while the new one boots; the next makes the machine whole, and the one after finds nothing to do
    with Client(VIP, WAITS) as client:
        words = [
            sys.executable,
            str(KILLED_AT),
            scope.file,
            str(host.run_dir),
            "wait until its guest answers",
        ]
        assert subprocess.run(words, check=False, timeout=PATIENCE).returncode == -signal.SIGKILL
        lbkit.apply(scope, host)
    bad = [each for each in client.answers if each.error]
    record_property("of requests while a dead one was replaced", f"{len(client.answers)}, {len(bad)} failed")
    running = emulators(daemon)
    assert domains(hypervisor) == dict.fromkeys(running, True)
    (new,) = set(running) - {f"{scope.name}.{other}.1"}
    # where it booted in time, it is the killed apply's
    assert new in {f"{scope.name}.{active}.2", f"{scope.name}.{active}.3"}
    assert not lbkit.apply(scope, host).done
    assert emulators(daemon) == running
    until(lambda: all_up(scope, host), "all is up again")

    # and once more, with nobody there
    lbkit.plan(scope, host)
    kill(daemon, f"{scope.name}.{other}.1")
    watch = [sys.executable, "-m", "lbkit", "watch", "--once", "--json", "--run-dir", str(host.run_dir)]
    done = subprocess.run(
        [*watch, scope.file], capture_output=True, text=True, check=False, timeout=PATIENCE, env=os.environ
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "done" in [json.loads(line)["event"] for line in done.stdout.splitlines()]
    assert domains(hypervisor) == {new: True, f"{scope.name}.{other}.2": True}
    assert not lbkit.plan(scope, host)
    assert set(pages()) == {"web-1", "web-2", "web-3"}

    lbkit.destroy(scope, host)
    assert left(scope, host, hypervisor, daemon) == before
    assert not lbkit.plan(scope, host, absent=True)
    record_property("seconds in all", f"{monotonic() - began:.1f}")
