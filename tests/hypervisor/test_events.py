"""Events of domains, by libvirt's test driver and by a daemon that goes and comes back."""

from __future__ import annotations

import os
import queue

import libvirt
import pytest

from lbkit.hypervisor import loop
from lbkit.hypervisor.connection import Connection, connect
from lbkit.hypervisor.daemon import Daemon
from lbkit.hypervisor.events import DISCONNECTED, DomainEvent, listening
from lbkit.hypervisor.failures import Unreachable
from lbkit.hypervisor.resolved import ResolvedHost
from tests.machine.world import until

pytestmark = pytest.mark.sandbox

SIMULATED = ResolvedHost("sim", "test:///default", "lbkit", "/p")
GUEST = """
<domain type='qemu'><name>guest</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>
"""


class Heard(queue.SimpleQueue[DomainEvent]):
    def until(self, wanted: str) -> list[DomainEvent]:
        """All up to the first of that kind."""
        found = [self.get(timeout=20)]
        while found[-1].event != wanted:
            found.append(self.get(timeout=20))
        return found


def test_what_happens_is_told_as_data(monkeypatch: pytest.MonkeyPatch) -> None:
    heard, made = Heard(), list[Connection]()
    opened = Connection._opened

    def noted(connection: Connection) -> libvirt.virConnect:
        made.append(connection)
        return opened(connection)

    monkeypatch.setattr(Connection, "_opened", noted)
    with listening(SIMULATED, heard.put):
        domain = made[0].raw.lookupByName("test")
        domain.suspend()
        domain.destroy()
        told = heard.until("stopped")
    assert [(e.domain, e.event, e.detail) for e in told] == [
        ("test", "suspended", "paused"),
        ("test", "stopped", "destroyed"),
    ]
    assert {(e.host, e.uri) for e in told} == {("sim", "test:///default")}


def test_a_host_that_goes_is_told_and_can_be_listened_to_again(
    daemon: Daemon, hypervisor: ResolvedHost
) -> None:
    heard = Heard()
    with listening(hypervisor, heard.put):
        daemon.kill()
        assert heard.until(DISCONNECTED) == [DomainEvent("local", hypervisor.uri, "", DISCONNECTED, "eof")]
    with pytest.raises(Unreachable), listening(hypervisor, heard.put):
        pass
    daemon.start()
    with listening(hypervisor, heard.put):
        connect(hypervisor).raw.createXML(GUEST).destroy()
        told = heard.until("stopped")
    assert {event.domain for event in told} == {"guest"}
    assert "started" in [event.event for event in told]


def test_who_listens_no_more_has_no_connection_left(daemon: Daemon, hypervisor: ResolvedHost) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    loop.run()
    before = descriptors()
    for _ in range(5):
        with listening(hypervisor, Heard().put):
            pass
    until(lambda: descriptors() <= before, "libvirt's thread has closed them")
