"""A libvirtd of one's own, for real: its guests reach our bridges, outlive it, and end with it when it is stopped."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lbkit.base.host import Host
from lbkit.hypervisor.connection import connect
from lbkit.hypervisor.daemon import Daemon
from lbkit.hypervisor.failures import Unreachable
from lbkit.hypervisor.resolved import ResolvedHost
from tests.libvirtd import CACHE

pytestmark = pytest.mark.sandbox

GUEST = """
<domain type='qemu'><name>guest</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><interface type='bridge'><source bridge='br9'/><model type='virtio'/><target dev='guest9'/></interface></devices>
</domain>
"""


def start_guest(hypervisor: ResolvedHost) -> None:
    subprocess.run(["ip", "link", "add", "br9", "type", "bridge"], check=True)
    with connect(hypervisor).doing("a guest was to start") as raw:
        raw.createXML(GUEST)


def guests(hypervisor: ResolvedHost) -> dict[str, bool]:
    return connect(hypervisor).read(
        "guests were to be listed", lambda raw: {d.name(): bool(d.isActive()) for d in raw.listAllDomains()}
    )


def emulators(folder: Path) -> list[int]:
    """Every QEMU of the daemon in `folder`, by what libvirt noted of it."""
    files = (folder / "run" / "qemu").glob("*.pid")
    return [int(file.read_text(encoding="ascii")) for file in files if file.name != "driver.pid"]


def test_its_guests_stand_on_our_bridges_and_end_with_it(daemon: Daemon, hypervisor: ResolvedHost) -> None:
    start_guest(hypervisor)
    shown = subprocess.run(
        ["ip", "-o", "link", "show", "master", "br9"], capture_output=True, text=True, check=True
    )
    assert "guest9" in shown.stdout
    pids = emulators(daemon.folder)
    assert len(pids) == 1
    daemon.stop()
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)
    assert daemon.pid is None
    daemon.stop()


def test_killed_and_started_again_it_has_its_guests(daemon: Daemon, hypervisor: ResolvedHost) -> None:
    start_guest(hypervisor)
    daemon.kill()
    with pytest.raises(Unreachable) as raised:
        guests(hypervisor)
    assert "Connection refused" in raised.value.found
    assert "start it" in raised.value.remedy
    daemon.start()
    assert guests(hypervisor) == {"guest": True}


def test_several_do_not_see_each_other(daemon: Daemon, hypervisor: ResolvedHost, host: Host) -> None:
    start_guest(hypervisor)
    with Daemon(host.run_dir / "other", cache=CACHE) as second:
        other = ResolvedHost("other", second.uri, "lbkit", str(host.run_dir / "pool2"))
        assert guests(other) == {}
        assert guests(hypervisor) == {"guest": True}
    assert guests(hypervisor) == {"guest": True}
    assert not os.path.exists("/run/libvirt/libvirt-sock"), "the host's place was used"
