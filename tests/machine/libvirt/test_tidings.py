"""Who watches hears at once of a topology's domains, of no others, and again once libvirtd is back. Domains without an OS."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from lbkit import operate
from lbkit.base.host import Host
from lbkit.engine.events import Bell
from lbkit.engine.scope import Scope
from lbkit.hypervisor.connection import connect
from lbkit.hypervisor.daemon import Daemon
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.watch.hearing import Hearing
from tests.libvirtd import daemon, hypervisor, section

__all__ = ["daemon", "hypervisor"]

pytestmark = pytest.mark.sandbox

GUEST = """
<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>
"""
PATIENCE = 20.0


@pytest.fixture
def scope(tmp_path: Path, topology_name: str, hypervisor: ResolvedHost) -> Scope:
    """Of a topology with a host, where machines of it may stand."""
    document = {
        "lbkit": 1,
        "name": topology_name,
        "hosts": {**section(hypervisor), "gone": {"uri": "qemu:///system?socket=/none"}},
    }
    (tmp_path / "t.json").write_text(json.dumps(document))
    return operate.load(tmp_path / "t.json")


def hears(hearing: Hearing, expected: Callable[[str], bool]) -> list[str]:
    """All that was heard up to that."""
    heard: list[str] = []
    end = monotonic() + PATIENCE
    while not any(map(expected, heard)):
        assert monotonic() < end, heard
        heard += hearing.wait(PATIENCE)
    return heard


def test_what_happens_to_a_domain_is_heard_at_once(
    scope: Scope, host: Host, hypervisor: ResolvedHost, daemon: Daemon
) -> None:
    name, other = f"{scope.name}.vm.1", f"{scope.name}x.vm.1"
    with Bell() as bell, Hearing(bell) as hearing:
        # a host that cannot be reached makes nobody deaf to the others
        assert list(hearing.listen(operate.events(scope, host))) == ["libvirt of gone"]
        raw = connect(hypervisor).raw
        foreign = raw.createXML(GUEST.format(name=other))
        domain = raw.createXML(GUEST.format(name=name))
        foreign.suspend()
        assert {told.split()[0] for told in hears(hearing, lambda told: "started" in told)} == {name}
        for act, word in (
            (domain.suspend, "suspended (paused)"),
            (domain.resume, "resumed (unpaused)"),
            (domain.destroy, "stopped (destroyed)"),
        ):
            act()
            heard = hears(hearing, lambda told, word=word: told.endswith(word))  # type: ignore[misc]
            assert {told.split()[0] for told in heard} == {name}
        foreign.destroy()

        daemon.kill()
        assert "tells no more: the connection is lost" in hears(hearing, lambda word: "lost" in word)[-1]
        assert sorted(hearing.listen(operate.events(scope, host))) == ["libvirt of gone", "libvirt of local"]
        daemon.start()
        assert list(hearing.listen(operate.events(scope, host))) == ["libvirt of gone"]
        connect(hypervisor).raw.createXML(GUEST.format(name=name)).destroy()
        hears(hearing, lambda word: word == f"{name} on local: stopped (destroyed)")


def test_nobody_listens_for_a_topology_without_virtual_machines(tmp_path: Path, host: Host) -> None:
    (tmp_path / "t.yml").write_text(
        "lbkit: 1\nname: plain\nnetworks: {front: {cidr: 10.80.0.0/24}}\nmachines: {web: {networks: [front]}}\n"
    )
    assert operate.events(operate.load(tmp_path / "t.yml"), host) == {}
