from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lbkit.faces.demo import leftovers
from lbkit.faces.demo.leftovers import things
from lbkit.hypervisor import storage
from lbkit.hypervisor.connection import connect
from lbkit.hypervisor.resolved import ResolvedHost
from tests.libvirtd import daemon, hypervisor

__all__ = ["daemon", "hypervisor"]

pytestmark = pytest.mark.sandbox


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("ip link add left type bridge", "link left"),
        ("ip netns add left", "namespace left"),
        ("nft add table inet left", "nftables table inet left"),
        ("mkdir -p {run}/web && touch {run}/web/left", "file {run}/web/left"),
        ("mount -t tmpfs left {run}", "mount {run}"),
    ],
)
def test_what_is_left_is_found(
    netns: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, found: str
) -> None:
    monkeypatch.setattr(leftovers, "RUN_DIR", tmp_path)
    before = things()
    subprocess.run(["sh", "-ec", command.format(run=tmp_path)], check=True)
    try:
        assert found.format(run=tmp_path) in things() - before
    finally:
        subprocess.run(["umount", "-q", str(tmp_path)], check=False)


def test_what_virtual_machines_leave_is_found(hypervisor: ResolvedHost, netns: None) -> None:
    before = things(hypervisor)
    connection = connect(hypervisor)
    storage.put(connection, "left.iso", b"x")
    with connection.doing("a domain is left") as raw:
        raw.defineXML(
            "<domain type='qemu'><name>left</name><memory>32768</memory><os><type>hvm</type></os></domain>"
        )
    left = things(hypervisor) - before
    assert {"domain left", "pool lbkit", "volume left.iso", f"file {hypervisor.path}/left.iso"} <= left


def test_a_process_is_found() -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        try:
            assert f"process {process.pid} sleep 1000" in things()
        finally:
            process.kill()
