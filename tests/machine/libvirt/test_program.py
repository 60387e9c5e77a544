"""lbkit was upgraded since its guests were booted: the plan says that theirs is another program, and an apply gives them this one."""

from __future__ import annotations

import contextlib
import io
import socket
import zipfile
from pathlib import Path

import pytest

from lbkit import operate
from lbkit.engine.change import Impact
from lbkit.engine.resource import Key
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.machine.guest.pack import Packed, packed, program_digest
from lbkit.machine.guest.port import Port
from lbkit.machine.handle import machine
from lbkit.machine.libvirt import fleet, reach
from lbkit.machine.libvirt.observe import SeenDomain
from tests.machine.libvirt.small import World, daemon, hypervisor, lone, world
from tests.machine.world import until

__all__ = ["daemon", "hypervisor", "lone", "world"]

pytestmark = pytest.mark.sandbox

OLD = "0" * 32


def of_another_lbkit() -> Packed:
    """This one's, under another digest."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed().content)) as whole, zipfile.ZipFile(made, "w") as other:
        for entry in whole.infolist():
            content = whole.read(entry)
            if entry.filename == "__main__.py":
                assert program_digest().encode() in content
                content = content.replace(program_digest().encode(), OLD.encode())
            other.writestr(entry, content)
    return Packed(made.getvalue(), OLD)


@pytest.fixture
def patient(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Where QEMU listens, somebody always does; a shadow does not while its program starts anew."""
    port = reach._port

    def steady(at: ResolvedHost, domain: SeenDomain, name: str, locks: Path) -> Port:
        plain = port(at, domain, name, locks)

        def connect() -> socket.socket:
            found: list[socket.socket] = []

            def tried() -> bool:
                with contextlib.suppress(OSError):
                    found.append(plain.connect())
                return bool(found)

            until(tried, "the program listens again")
            return found[0]

        return Port(plain.name, connect)

    monkeypatch.setattr(reach, "_port", steady)
    return world


def test_an_upgrade_reaches_a_guest_and_its_services_run_on(patient: World) -> None:
    world = patient
    world.apply()
    scope = world.scope
    before = machine(scope, world.host, "vm").running()["app"]
    newest = fleet.look(scope, world.host).newest("vm")
    assert newest is not None
    assert newest.hello is not None
    assert newest.hello.program == program_digest()
    newest.line(world.host).renew(of_another_lbkit())

    plan = operate.plan(scope, world.host)
    [change] = plan.changes
    assert (change.key, change.impact) == (Key("machine", "vm"), Impact.NONE)
    assert change.reason == "its guest has the program of another lbkit"
    assert change.steps == ("give its guest this lbkit's program", "note it on the domain")

    world.apply()
    assert world.plan() == []
    assert newest.line(world.host).guest().program == program_digest()
    assert machine(scope, world.host, "vm").running()["app"] == before
    assert world.standing() == world.one(1)
