"""Events of domains, by libvirt's test driver and by a daemon that goes and comes back."""

from __future__ import annotations

import pytest

from lbkit.hypervisor.daemon import Daemon
from lbkit.hypervisor.events import CONNECTED, DISCONNECTED, DomainEvent, Events
from lbkit.hypervisor.resolved import ResolvedHost

pytestmark = pytest.mark.sandbox

SIMULATED = ResolvedHost("sim", "test:///default", "lbkit", "/p")
GUEST = """
<domain type='qemu'><name>guest</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>
"""


def until(events: Events, wanted: str) -> list[DomainEvent]:
    """All up to the first of that kind."""
    found: list[DomainEvent] = []
    while not any(event.event == wanted for event in found):
        happened = events.wait(20)
        assert happened, f"{wanted} was to happen, found {found}"
        found += happened
    return found


def test_what_happens_is_told_as_data() -> None:
    with Events([SIMULATED]) as events:
        assert events.renew() == {}
        raw = events._connections[SIMULATED].raw
        domain = raw.lookupByName("test")
        domain.suspend()
        domain.destroy()
        told = until(events, "stopped")
        assert [(e.domain, e.event, e.detail) for e in told] == [
            ("", CONNECTED, ""),
            ("test", "suspended", "paused"),
            ("test", "stopped", "destroyed"),
        ]
        assert {(e.host, e.uri) for e in told} == {("sim", "test:///default")}
        assert events.wait(0.01) == []
        assert events.renew() == {}
        assert events.wait(0.01) == [], "it listens already"


def test_a_host_that_goes_is_told_and_listened_to_again(daemon: Daemon, hypervisor: ResolvedHost) -> None:
    gone = ResolvedHost("gone", "qemu:///system?socket=/none", "lbkit", "/p")
    with Events([hypervisor, gone]) as events:
        assert list(events.renew()) == ["gone"]
        assert [event.event for event in events.wait(0)] == [CONNECTED]
        daemon.kill()
        assert until(events, DISCONNECTED)[-1] == DomainEvent(
            "local", hypervisor.uri, "", DISCONNECTED, "eof"
        )
        assert set(events.renew()) == {"local", "gone"}
        daemon.start()
        assert set(events.renew()) == {"gone"}
        raw = events._connections[hypervisor].raw
        raw.createXML(GUEST).destroy()
        told = [(event.domain, event.event) for event in until(events, "stopped")]
        assert told[0] == ("", CONNECTED)
        assert ("guest", "started") in told
        assert told[-1] == ("guest", "stopped")
