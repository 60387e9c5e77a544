"""Waiting for a guest that gives memory back, and lets go of interfaces, in its own time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import libvirt
import pytest

from lbkit.base.errors import Failure
from lbkit.hypervisor.connection import Connection
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.machine.libvirt.settling import WITHIN, has_memory, let_go
from tests.machine.libvirt.domains import a_domain, for_test_driver


@dataclass
class Balloon:
    """A clock, at each of whose sleeps the guest gives or takes a step."""

    domain: libvirt.virDomain
    steps: list[int]
    slept: float = field(default=0.0)

    def now(self) -> float:
        return self.slept

    def monotonic(self) -> float:
        return self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        if self.steps:
            self.domain.setMemoryFlags(self.steps.pop(0) << 10, libvirt.VIR_DOMAIN_AFFECT_LIVE)


@pytest.fixture
def model() -> Iterator[Connection]:
    connection = Connection(ResolvedHost("model", "test:///default", "default-pool", "/default-pool"))
    yield connection
    connection.close()


@pytest.fixture
def domain(model: Connection) -> Iterator[libvirt.virDomain]:
    made = model.raw.createXML(for_test_driver(a_domain()))
    yield made
    with suppress(libvirt.libvirtError):
        made.destroy()


def test_it_waits_for_as_long_as_the_guest_gets_nearer(model: Connection, domain: libvirt.virDomain) -> None:
    way = [300, 300, 400, 450, 511, 512]
    clock = Balloon(domain, list(way))
    has_memory(model, domain.name(), domain.UUIDString(), 512, clock)
    assert clock.slept == pytest.approx(len(way) / 10)
    has_memory(model, domain.name(), domain.UUIDString(), 512, Balloon(domain, [1]))


def test_a_guest_that_gives_nothing_back_is_told(model: Connection, domain: libvirt.virDomain) -> None:
    clock = Balloon(domain, [200, 210])
    with pytest.raises(Failure) as told:
        has_memory(model, domain.name(), domain.UUIDString(), 128, clock)
    assert "it has 210 MiB" in told.value.found
    assert clock.slept < WITHIN + 1


def test_one_that_goes_meanwhile_is_a_failure(model: Connection, domain: libvirt.virDomain) -> None:
    uuid = domain.UUIDString()
    domain.destroy()
    with pytest.raises(Failure):
        has_memory(model, "web.lb-1.1", uuid, 128, Balloon(domain, []))


def test_an_interface_that_the_guest_keeps_is_told(model: Connection, domain: libvirt.virDomain) -> None:
    clock = Balloon(domain, [])
    let_go(model, domain.name(), domain.UUIDString(), "02:00:00:00:00:99", clock)
    assert clock.slept == 0
    with pytest.raises(Failure, match="02:00:00:00:00:01"):
        let_go(model, domain.name(), domain.UUIDString(), "02:00:00:00:00:01", clock)
    assert WITHIN <= clock.slept < WITHIN + 1
