from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.dns.client import Answer
from lbkit.dns.edits import Edit, Unit
from lbkit.dns.errors import Unreachable
from lbkit.dns.resolved import ResolvedServer
from lbkit.dns.settle import Lagging, at_least, wait_until_served, wait_until_shown

SERIALS = st.integers(0, 2**32 - 1)
ONE, TWO = (
    ResolvedServer(ip_address("192.0.2.1"), 53),
    ResolvedServer(ip_address("192.0.2.2"), 53, machine="ns-2"),
)


class HandClock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time, UTC)

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@given(SERIALS, st.integers(0, 2**31 - 1))
def test_a_serial_is_at_least_every_one_up_to_half_the_circle_behind_it(serial: int, steps: int) -> None:
    later = (serial + steps) % 2**32
    assert at_least(later, serial)
    assert at_least(serial, later) == (steps == 0)


def test_the_wait_ends_once_every_server_serves_the_serial_or_a_later_one() -> None:
    clock = HandClock()
    served = {ONE: 0xFFFFFFFF, TWO: 7}

    def ask(server: ResolvedServer) -> int:
        return 3 if clock.time > 1 else served[server]

    wait_until_served("example.test", 2, [ONE, TWO], ask, clock, 10, all_stand=True)
    assert 1 < clock.time < 2


def test_a_server_that_stays_behind_is_named_when_the_time_is_over() -> None:
    clock = HandClock()
    with pytest.raises(Lagging) as caught:
        wait_until_served(
            "example.test", 5, [ONE, TWO], {ONE: 5, TWO: 4}.__getitem__, clock, 10, all_stand=True
        )
    assert caught.value.servers == (str(TWO),)
    assert "serves serial 4, not 5" in caught.value.found
    assert clock.time >= 10


def test_a_machine_of_the_topology_that_went_already_is_not_waited_for() -> None:
    def ask(server: ResolvedServer) -> int:
        raise Unreachable("example.test", str(server), "connection refused")

    wait_until_served("example.test", 5, [TWO], ask, HandClock(), 10, all_stand=False)
    with pytest.raises(Lagging):
        wait_until_served("example.test", 5, [TWO], ask, HandClock(), 10, all_stand=True)
    with pytest.raises(Lagging):
        wait_until_served("example.test", 5, [ONE], ask, HandClock(), 10, all_stand=False)


class SlowPrimary:
    """Serves an update from a while after it accepted it."""

    zone, server = "example.test", "127.0.0.1 port 53"

    def __init__(self, clock: HandClock, delay: float) -> None:
        self.clock = clock
        self.delay = delay

    def look_up(self, name: str, kind: str) -> Answer:
        assert (name, kind) == ("a.x._lbkit", "TXT")
        shown = frozenset({'"new"'}) if self.clock.time >= self.delay else frozenset({'"old"'})
        return Answer("NOERROR", authoritative=True, kind="TXT", values=shown)


MARKS = Edit("a.x._lbkit", "TXT", None, ('"old"',), ('"new"',), 300)
VALUES = Edit("x", "A", None, (), ("192.0.2.1",), 300)


def test_a_primary_that_shows_an_update_later_is_waited_for() -> None:
    clock = HandClock()
    wait_until_shown(SlowPrimary(clock, 3), Unit("x", (VALUES, MARKS), ()), clock, 10)
    assert 3 <= clock.time < 4


def test_a_primary_that_never_shows_it_is_named() -> None:
    clock = HandClock()
    with pytest.raises(Lagging, match=r"still serves a\.x\._lbkit TXT"):
        wait_until_shown(SlowPrimary(clock, 99), Unit("x", (VALUES, MARKS), ()), clock, 10)
