"""A libvirtd for a test, in the test's own network. What QEMU can do is asked once for all tests of a sandbox.

The fixtures are for a folder to take in, in its conftest.py: `from tests.libvirtd import daemon, hypervisor`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lbkit.base.host import Host
from lbkit.hypervisor.connection import close_all
from lbkit.hypervisor.daemon import Daemon
from lbkit.hypervisor.resolved import ResolvedHost

CACHE = Path("/run/libvirt-cache")


@pytest.fixture
def daemon(host: Host) -> Iterator[Daemon]:
    """In the network of `host`: TAPs of its guests go to bridges there. It and its guests end with the test."""
    with Daemon(host.run_dir / "libvirt", cache=CACHE) as started:
        yield started
    close_all()


@pytest.fixture
def hypervisor(daemon: Daemon, host: Host) -> ResolvedHost:
    """That daemon as a host of a topology; its pool is not made yet."""
    return ResolvedHost("local", daemon.uri, "lbkit", str(host.run_dir / "pool"))


def section(hypervisor: ResolvedHost) -> dict[str, dict[str, str]]:
    """The section `hosts` of a topology's document that means it."""
    return {hypervisor.name: {"uri": hypervisor.uri, "pool": hypervisor.pool, "path": hypervisor.path}}
