"""Many servers at once, within the open files and the time that there are."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from contextlib import ExitStack

import pytest

from lbkit.base.host import Host
from lbkit.health.asking import question_of
from lbkit.health.outcome import Target
from lbkit.health.probe import probe
from lbkit.health.question import Question
from lbkit.health.spec import HealthCheck
from tests.health import servers

pytestmark = pytest.mark.sandbox


class Sockets:
    """Counts those that are open at a time."""

    def __init__(self) -> None:
        self.made: list[socket.socket] = []
        self.most = 0

    def __call__(self, family: socket.AddressFamily, count: int) -> Sequence[socket.socket]:
        self.made = [each for each in self.made if each.fileno() >= 0]
        new = [socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) for _ in range(count)]
        self.made += new
        self.most = max(self.most, len(self.made))
        return new


def test_ten_thousand_servers_with_two_hundred_sockets(host: Host) -> None:
    sockets = Sockets()
    with servers.serving(servers.closing) as good, servers.refusing() as bad:
        targets = [
            Target(f"127.{n >> 16}.{n >> 8 & 255}.{n & 255}", good if n == 1 else bad)
            for n in range(1, 10_001)
        ]
        targets[0] = Target("127.0.0.1", good)
        before = len(os.listdir("/proc/self/fd"))
        found = probe(Question(), targets, sockets, at_once=200)
        assert len(os.listdir("/proc/self/fd")) == before
    assert list(found) == targets
    assert [outcome.code for outcome in found.values()] == ["L4OK"] + ["L4CON"] * 9_999
    assert sockets.most <= 200


def test_who_is_slow_keeps_nobody_waiting(host: Host) -> None:
    check = HealthCheck.model_validate({"protocol": "http", "timeout": 30, "interval": 30})
    with ExitStack() as stack:
        slow = [Target("127.0.0.1", stack.enter_context(servers.serving(servers.silent))) for _ in range(20)]
        good = Target("127.0.0.1", stack.enter_context(servers.serving(servers.http(200))))
        found = probe(question_of(check), [*slow, good], Sockets(), within=1.0)
        assert found[good].code == "L7OK"
        assert not any(found[target].passed for target in slow)
        assert all(found[target].words for target in slow)


def test_who_is_not_asked_in_time_is_told_apart(host: Host) -> None:
    with servers.serving(servers.silent) as port:
        target = Target("127.0.0.1", port)
        found = probe(Question(), [target], Sockets(), within=0.0)
    assert (found[target].passed, found[target].code) == (False, "")
    assert "the time was up" in found[target].words


def test_nobody_to_ask(host: Host) -> None:
    assert probe(Question(), [], Sockets()) == {}


def test_both_families(host: Host) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as six:
        targets = [Target("::1", six.getsockname()[1]), Target("127.0.0.1", six.getsockname()[1])]
        assert [each.code for each in probe(Question(), targets, Sockets()).values()] == ["L4OK", "L4CON"]
