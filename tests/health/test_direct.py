"""Servers asked directly: how they are named, until when they are asked, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit import checks
from lbkit.base.errors import Mistake
from lbkit.base.host import Host
from lbkit.base.problems import InvalidDocument
from lbkit.health.network import Network
from lbkit.health.outcome import NOT_ASKED, Outcome
from lbkit.health.servers import Server, servers_of
from lbkit.health.spec import HealthCheck
from tests.clocks import HandClock
from tests.health import servers

GOOD = Outcome(passed=True, code="L4OK", words="it accepts connections", seconds=0.001)
BAD = Outcome(passed=False, code="L4CON", words="Connection refused", seconds=0.001)
ADDRESSES = st.ip_addresses().map(str)
PORTS = st.integers(1, 65535)


@given(ADDRESSES | st.from_regex(r"[a-z]{1,9}(\.[a-z][a-z0-9-]{0,9}){0,3}", fullmatch=True), PORTS)
def test_what_is_written_is_what_is_read(address: str, port: int) -> None:
    server = Server(address, port)
    assert servers_of([str(server), str(server)]) == (server,)
    assert servers_of([address], port) == (server,)
    assert server.is_name == address[0].isalpha() if ":" not in address else not server.is_name


@pytest.mark.parametrize(
    "text",
    ["", ":80", "a b", "10.0.0", "10.0.0.1:x", "10.0.0.1:0", "10.0.0.1:65536", "[10.0.0.1]:80", "[fd00::1", "[fd00::1]x",
     "http://a/", "a/b:80", "a\n:80", "-a:80", "fd00::1::2"],
)  # fmt: skip
def test_what_names_no_server_is_a_mistake(text: str) -> None:
    with pytest.raises(Mistake):
        servers_of([text], 0 if ":" not in text else None)


def test_a_host_header_has_the_port_where_it_is_unusual() -> None:
    said = [
        each.authority(80)
        for each in servers_of(["a.test:80", "a.test:81", "[fd00::1]:80", "[fe80::1%lo]:81"])
    ]
    assert said == ["a.test", "a.test:81", "[fd00::1]", "[fe80::1]:81"]


class Answers:
    """A network in which each turn is as it is written, the last one for good; an answer takes `takes` seconds."""

    def __init__(self, clock: HandClock, *turns: Mapping[str, Outcome], takes: float = 0.0) -> None:
        self.clock, self.turns, self.takes, self.at = clock, turns, takes, list[float]()

    def __call__(self, asked: Sequence[Server], within: float | None) -> dict[Server, Outcome]:
        turn = self.turns[min(len(self.at), len(self.turns) - 1)]
        self.at.append(self.clock.seconds)
        if within is not None and within < self.takes:
            self.clock.sleep(within)
            return dict.fromkeys(asked, NOT_ASKED)
        self.clock.sleep(self.takes)
        return {server: turn[server.address] for server in asked}


def asked(
    *turns: Mapping[str, Outcome], wait: float = 0.0, takes: float = 0.0, **check: Any
) -> tuple[checks.Probed, list[float]]:
    clock = HandClock()
    answers = Answers(clock, *turns, takes=takes)
    probed = checks.probe([*turns[0]], check, port=80, wait=wait, clock=clock, ask=answers)
    return probed, answers.at


def test_without_waiting_one_look_is_all() -> None:
    probed, at = asked({"a": GOOD, "b": BAD})
    assert at == [0.0]
    assert [probed.is_healthy(each) for each in probed.servers] == [True, False]
    with pytest.raises(checks.Unhealthy, match="2 servers were to be healthy") as caught:
        checks.demand(probed)
    assert caught.value.found == "b:80: Connection refused"
    assert caught.value.as_data()["targets"] == probed.as_data()["targets"]


def test_waiting_ends_when_all_are_good_so_often_in_a_row() -> None:
    turns = [{"a": GOOD, "b": BAD}, {"a": BAD, "b": GOOD}, {"a": GOOD, "b": GOOD}]
    probed, at = asked(*turns, wait=60, interval=3)
    assert checks.demand(probed).healthy
    assert at == [0.0, 3.0, 6.0, 9.0], "a was bad in between"
    assert [each.good for each in probed.servers] == [2, 3]
    assert probed.seconds == 9.0


def test_waiting_ends_when_the_time_is_up() -> None:
    probed, at = asked({"a": GOOD, "b": BAD}, wait=10, interval=3)
    assert at == [0.0, 3.0, 6.0, 9.0]
    with pytest.raises(checks.Unhealthy, match=r"within 10 s\n  found: b:80: Connection refused"):
        checks.demand(probed)


def test_an_answer_that_is_cut_off_by_the_end_leaves_what_was_known() -> None:
    probed, at = asked({"a": GOOD}, wait=10, takes=4, interval=1, rise=3)
    assert (at, probed.seconds) == ([0.0, 4.0, 8.0], 10.0)
    assert probed.as_data()["targets"][0]["asked"] == 2
    assert probed.words(probed.servers[0]) == "it accepts connections, but 2 of 3 times in a row"


def test_pauses_are_those_of_the_check() -> None:
    bad, good = {"a": BAD}, {"a": GOOD}
    more = {"interval": 5, "interval_down": 1, "interval_changing": 2}
    assert asked(bad, bad, good, wait=60, rise=3, **more)[1] == [0.0, 1.0, 2.0, 4.0, 6.0]


@given(
    st.lists(st.booleans(), min_size=1, max_size=12),
    st.integers(1, 4),
    st.floats(0.1, 3),
    st.floats(0.0, 2),
    st.floats(0.1, 30),
)
def test_it_ends_in_time_and_healthy_is_what_was_seen(
    goods: list[bool], rise: int, interval: float, takes: float, wait: float
) -> None:
    turns = [{"a": GOOD if good else BAD} for good in goods]
    if wait <= (rise - 1) * interval:
        with pytest.raises(Mistake, match="long enough"):
            asked(*turns, wait=wait, rise=rise, interval=interval)
        return
    probed, at = asked(*turns, wait=wait, rise=rise, interval=interval, takes=takes)
    assert probed.seconds <= wait + 1e-6
    (health,) = probed.servers
    seen = [goods[min(number, len(goods) - 1)] for number in range(health.asked)]
    assert probed.healthy == (len(seen) >= rise and all(seen[-rise:]))
    assert len(at) - health.asked in {0, 1}


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"protocol": "htp"}, "'http'"),
        ({"protcol": "http"}, "did you mean 'protocol'"),
        ({"expect": {"state": 200}, "rise": 0}, "expect.state"),
        ({"expect": {"state": 200}, "rise": 0}, "rise"),
        ({"timeout": "5"}, "a duration such as"),
        ({"path": "/up"}, "protocol: http"),
    ],
)
def test_every_mistake_of_a_check_is_told(given_: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidDocument, match=words):
        checks.probe(["127.0.0.1:80"], given_)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: checks.probe([], port=80), "to be named"),
        (lambda: checks.probe(["10.0.0.1"]), "port from 1"),
        (lambda: checks.probe(["10.0.0.1:80"], {"port": 81}), "leave one of them out"),
        (lambda: checks.probe(["10.0.0.1"], {"port": 81}, port=80), "leave one of them out"),
        (lambda: checks.probe(["10.0.0.1:80"], {"agent": {"port": 9}}), "leave `agent` out"),
        (lambda: checks.probe(["10.0.0.1:80"], ca=Path("/etc/hostname")), "protocol: https"),
        (
            lambda: checks.probe(["10.0.0.1:80"], {"protocol": "tls"}, ca=Path("/nowhere")),
            "certificates /nowhere",
        ),
        (lambda: checks.probe(["10.0.0.1:80"], {"protocol": "tls"}, ca=Path("/etc/passwd")), "certificates"),
        (lambda: checks.probe(["10.0.0.1:80"], wait=float("nan")), "0 or more"),
        (lambda: checks.probe(["10.0.0.1:80"], wait=-1), "0 or more"),
        (lambda: checks.probe(["10.0.0.1:80"], wait=1), "rise: 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(call: Callable[[], object], words: str) -> None:
    with pytest.raises(Mistake, match=words):
        call()


@pytest.mark.sandbox
def test_real_servers_of_all_kinds(host: Host) -> None:
    seen: list[bytes] = []

    def telling(connection: Any) -> None:
        seen.append(connection.recv(4096))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup")

    with ExitStack() as stack:
        good = stack.enter_context(servers.serving(telling))
        sick = stack.enter_context(servers.serving(servers.http(503)))
        mute = stack.enter_context(servers.serving(servers.silent))
        gone = stack.enter_context(servers.refusing())
        check = {"protocol": "http", "timeout": "200ms", "expect": {"body": "up"}}
        asked_of = [
            f"127.0.0.1:{good}",
            f"localhost:{good}",
            *(f"127.0.0.1:{port}" for port in (sick, mute, gone)),
        ]
        probed = checks.probe([*asked_of, f"nowhere.invalid:{good}"], check)
        codes = [each.outcome.code for each in probed.servers]
        assert codes == ["L7OK", "L7OK", "L7STS", "L7TOUT", "L4CON", ""]
        assert "cannot be looked up" in probed.servers[-1].outcome.words
        assert sorted(each.split(b"\r\nHost: ")[1].split(b"\r\n")[0].decode() for each in seen) == sorted(
            asked_of[:2]
        )
        assert checks.probe([f"127.0.0.1:{good}"], {"protocol": "http", "interval": "50ms"}, wait=20).healthy
        late = checks.probe(
            [f"127.0.0.1:{mute}"], {"protocol": "http", "timeout": "30s", "interval": "100ms"}, wait=0.5
        )
        assert (late.healthy, late.servers[0].asked) == (False, 0)
        assert late.words(late.servers[0]) == "no answer before the time was up"


def test_nobody_is_asked_when_the_time_is_up() -> None:
    server = Server("127.0.0.1", 1)
    assert Network(HealthCheck()).ask([server], 0.0) == {server: NOT_ASKED}
