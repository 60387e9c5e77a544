"""The contract of machines, held by a virtual one: the same tests as in tests/machine/test_contract.py, in one guest."""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbkit import operate
from lbkit.base.host import Host
from lbkit.hypervisor.connection import close_all
from lbkit.hypervisor.daemon import Daemon
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.machine.contract import Machine
from lbkit.machine.handle import machine as handle
from tests import images
from tests.libvirtd import CACHE, section
from tests.machine import test_contract as contract

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("vm")]

OF_THIS_PROCESS = {"test_no_descriptor_is_left_open"}  # held by the channel, in a guest without a VM
PROMISES = {
    name: test
    for name, test in vars(contract).items()
    if name.startswith("test_")
    and list(inspect.signature(test).parameters) == ["machine"]
    and name not in OF_THIS_PROCESS
}
globals().update(PROMISES)


@pytest.fixture(scope="module")
def guest() -> Iterator[Machine]:
    """For all of them, as its start takes most of the time. In the network of the worker."""
    host = Host(run_dir=Path("/run/t", secrets.token_hex(3)), image_dir=images.folder())
    topology = f"v{secrets.token_hex(2)}"
    with Daemon(host.run_dir / "libvirt", cache=CACHE) as daemon:
        hypervisor = ResolvedHost("local", daemon.uri, "lbkit", str(host.run_dir / "pool"))
        document = {
            "lbkit": 1,
            "name": topology,
            "hosts": section(hypervisor),
            "networks": {"front": {"cidr": "10.99.0.0/24"}},
            "machines": {
                "m": {
                    "driver": "libvirt",
                    "networks": ["front"],
                    "gateway": False,
                    "vm": {"image": images.built().identity, "memory": "256MiB", "accelerator": "tcg"},
                }
            },
        }
        scope = operate.load_data(document, host.run_dir)
        operate.apply(scope, host)
        yield handle(scope, host, "m")
        operate.destroy(scope, host)
    close_all()


@pytest.fixture
def machine(guest: Machine) -> Iterator[Machine]:
    """The guest, with nothing of a test before."""
    yield guest
    guest.stop("app")
    guest.remove("app")
