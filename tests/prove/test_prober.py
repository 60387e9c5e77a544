"""The prober against small servers that misbehave, on loopback: each way to lose a request is seen and named."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from lbkit.base.clock import SystemClock
from lbkit.base.errors import Bug
from lbkit.engine.promise import Promise
from lbkit.prove import prober as prober_module
from lbkit.prove import target as target_module
from lbkit.prove.places import Place, from_host
from lbkit.prove.prober import Prober
from lbkit.prove.tally import Tally
from lbkit.prove.target import Target
from tests.prove.servers import WHOLE, Answer, Server, make_pem, unavailable, whole


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prober_module, "LINGERS", 0.02)
    for module in (prober_module, target_module):
        monkeypatch.setattr(module, "DOWNLOAD_SECONDS", 1.0)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@contextmanager
def probed(server: Server, **more: Any) -> Iterator[Target]:
    promise = Promise("shop/http", ip_address("127.0.0.1"), server.port, **more)
    prober = Prober([(promise, Place("the host", from_host))], SystemClock(), rate=200, slow_after=1.0)
    prober.start(settle=10)
    try:
        yield prober.targets[0]
    finally:
        prober.stop()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset_mid_body(connection: socket.socket, _number: int) -> bool:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")
    time.sleep(0.02)
    reset(connection)
    return False


def short(connection: socket.socket, _number: int) -> bool:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")
    return False


def ends(connection: socket.socket, _number: int) -> bool:
    return False


def resets(connection: socket.socket, _number: int) -> bool:
    reset(connection)
    return False


def silent(connection: socket.socket, _number: int) -> bool:
    connection.recv(1)
    return False


def garbage(connection: socket.socket, _number: int) -> bool:
    connection.sendall(b"\0\1\2 what\r\n\r\n")
    return False


@pytest.mark.parametrize(
    ("then", "words"),
    [
        (reset_mid_body, "reset after 5 of 50 bytes"),
        (short, "closed after 5 of 50 bytes"),
        (unavailable, "status 503"),
        (ends, "closed without an answer"),
        (resets, "reset without an answer"),
        (silent, "nothing more in"),
        (garbage, "no HTTP"),
    ],
)
def test_each_way_to_lose_a_request_is_seen_and_named(
    server: Server, then: Answer, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if then is silent:
        monkeypatch.setattr(prober_module, "PATIENCE", 0.5)
    with probed(server) as target:
        until(lambda: target.tally.sent > 5)
        assert target.tally.failed == 0
        server.then = then
        until(lambda: target.tally.failed > 2)
        server.then = whole
    assert {words in why for _, _, why in target.tally.lost} == {True}
    assert target.in_flight == 0


def test_a_refused_connection_is_a_failure(server: Server) -> None:
    with probed(server) as target:
        until(lambda: target.tally.sent > 5)
        server.close()
        until(lambda: target.tally.failed > 2)
    assert any("connection refused" in why for _, _, why in target.tally.lost)


def test_a_server_may_close_a_connection_that_it_announced_or_that_nothing_is_asked_of(
    server: Server,
) -> None:
    """As HAProxy does: with `Connection: close`, or in between. And it may reset it then."""

    def announced(connection: socket.socket, number: int) -> bool:
        if number % 3 == 0:
            connection.sendall(WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            return False
        connection.sendall(WHOLE)
        if number % 3 == 1:
            return True
        if number % 2:
            reset(connection)
        return False

    server.then = announced
    with probed(server) as target:
        until(lambda: target.tally.sent > 100)
    assert target.tally.lost == []
    assert target.tally.sent < server.requests + 10


def test_both_fresh_and_kept_connections_are_used(server: Server) -> None:
    with probed(server) as target:
        until(lambda: target.tally.sent > 60)
    assert 20 < server.connections < target.tally.sent
    assert target.kept == 0


def test_a_slow_answer_is_told_and_is_no_failure(server: Server) -> None:
    def late(connection: socket.socket, number: int) -> bool:
        if number == 20:
            time.sleep(1.1)
        return whole(connection, number)

    server.then = late
    with probed(server) as target:
        until(lambda: target.tally.slow)
    assert target.tally.slowest > 1.0
    assert target.tally.failed == 0


def test_what_never_answered_is_not_promised(server: Server) -> None:
    server.then = unavailable
    with probed(server) as target:
        until(lambda: server.requests > 5)
    assert (target.tally.since, target.tally.sent, target.tally.failed) == (None, 0, 0)


BIG = 3_000_000


def big(connection: socket.socket, _number: int) -> bool:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG + b"x" * BIG)
    return True


def test_downloads_span_the_time_and_come_whole(server: Server) -> None:
    server.then = big
    with probed(server, download="/big") as target:
        until(lambda: target.downloads == 2)
        assert target.tally.downloads == 0, "they are read slowly"
    assert target.tally.cut == 0
    assert target.tally.downloads >= 2, "what was left of them came at the end"
    assert target.tally.unfinished == 0


def test_a_download_that_is_cut_is_counted_so(server: Server) -> None:
    going = threading.Event()

    def cut(connection: socket.socket, _number: int) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG + b"x" * 5000)
        if going.wait(0.01):
            return False
        connection.sendall(b"x" * (BIG - 5000))
        return True

    server.then = cut
    with probed(server, download="/big") as target:
        until(lambda: target.downloads == 2)
        going.set()
        until(lambda: target.tally.cut)
        going.clear()
    assert any(
        "bytes of the body" in why for attempt, _, why in target.tally.lost if attempt.kind == "download"
    )


def test_tcp_mode_wants_a_connection_that_is_kept(server: Server) -> None:
    with probed(server, mode="tcp") as target:
        until(lambda: target.tally.sent > 5)
        assert target.tally.failed == 0
        server.before_request = lambda _connection: False  # as a proxy without a server
        until(lambda: target.tally.failed)
        server.before_request = None
    assert {why for _, _, why in target.tally.lost} <= {"accepted, then closed", "accepted, then reset"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pem(tmp_path_factory.mktemp("tls"))


def test_tls_is_spoken_with_the_servers_name_after_the_preamble(certificate: Path) -> None:
    names = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    server = Server(context)
    with probed(server, tls="shop.example.test") as target:
        until(lambda: target.tally.sent > 20)
        assert target.tally.failed == 0
        server.context = None
        server.before_request = lambda connection: connection.sendall(b"no TLS here\r\n")
        until(lambda: target.tally.failed)
    assert any("TLS failed" in why for _, _, why in target.tally.lost)
    assert set(names) == {"shop.example.test"}
    server.close()


def test_a_preamble_goes_ahead_on_each_connection(server: Server) -> None:
    def header(connection: socket.socket) -> bool:
        return connection.recv(15, socket.MSG_WAITALL) == b"PROXY UNKNOWN\r\n"

    server.before_request = header
    with probed(server, preamble=b"PROXY UNKNOWN\r\n") as target:
        until(lambda: target.tally.sent > 20)
    assert target.tally.failed == 0


def test_a_bug_of_the_prober_fails_loudly_at_the_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    promise = Promise("shop/http", ip_address("127.0.0.1"), server.port)
    prober = Prober([(promise, Place("the host", from_host))], SystemClock(), rate=50, slow_after=1.0)

    def broken(*_words: object, **_more: object) -> None:
        raise ZeroDivisionError("by a mistake")

    monkeypatch.setattr(Tally, "add", broken)
    prober.start(settle=10)
    with pytest.raises(Bug, match="ZeroDivisionError: by a mistake"):
        prober.stop()


def test_without_patience_it_ends_at_once(server: Server) -> None:
    server.then = silent
    promise = Promise("shop/http", ip_address("127.0.0.1"), server.port)
    prober = Prober([(promise, Place("the host", from_host))], SystemClock(), rate=50, slow_after=1.0)
    prober.start(settle=0.1)
    until(lambda: server.requests)
    prober.stop(wait=False)
    assert prober.targets[0].tally.sent == 0
