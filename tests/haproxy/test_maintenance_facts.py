"""What HAProxy says of servers that come out of maintenance: lbkit leans on it, at every version."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.haproxy.bare import Bare, eventually, running
from tests.haproxy.versions import VERSIONS, program

pytestmark = pytest.mark.sandbox

CONFIG = """
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 1s
frontend app
    bind 127.0.0.1:9001
    http-request return status 200
backend be
    default-server check inter 50ms rise 2 fall 2
    server file 127.0.0.1:9001 disabled
    server s 127.0.0.1:9001
"""
ENABLED, PAUSED = 4, 8


@pytest.fixture(params=VERSIONS)
def haproxy(request: pytest.FixtureRequest, netns: None) -> Iterator[Bare]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp")))
        yield stack.enter_context(running(program(request.param), folder, CONFIG))


def said(haproxy: Bare, server: str, column: str) -> int:
    row = haproxy.state("be", server)
    assert row is not None
    return int(row[column])


def test_that_the_file_once_said_disabled_is_no_state(haproxy: Bare) -> None:
    assert said(haproxy, "file", "srv_admin_state") == 1 | 4
    haproxy.tell("set server be/file state ready")
    assert said(haproxy, "file", "srv_admin_state") == 4
    assert said(haproxy, "file", "srv_op_state") == 2


@pytest.mark.parametrize("enabled", ["within", "after"])
def test_a_check_that_was_disabled_in_maintenance_rests_for_ever_unless_it_is_enabled_there(
    haproxy: Bare, enabled: str
) -> None:
    haproxy.tell("set server be/s state maint", "disable health be/s")
    if enabled == "within":
        haproxy.tell("enable health be/s", "set server be/s state drain")
    else:
        haproxy.tell("set server be/s state drain", "enable health be/s")
    state = said(haproxy, "s", "srv_check_state")
    assert state & ENABLED
    assert bool(state & PAUSED) is (enabled == "after")


def test_a_count_above_rise_tells_of_a_check_that_passed_since_maintenance(haproxy: Bare) -> None:
    eventually(lambda: said(haproxy, "s", "srv_check_health") == 3)
    haproxy.tell("set server be/s state maint")
    eventually(lambda: not said(haproxy, "s", "srv_check_state") & 1)
    line = haproxy.ask("set server be/s state drain", "show servers state be")
    row = next(each.split() for each in line.splitlines() if " s " in each)
    assert (row[5], row[12]) == ("2", "2"), "up, and no check has passed"
    eventually(lambda: said(haproxy, "s", "srv_check_health") == 3)
