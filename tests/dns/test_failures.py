"""Bad days, against a real named and against servers that are none: a clear error, and nothing lost."""

from __future__ import annotations

import base64
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.message
import dns.rrset
import pytest

from lbkit.base.errors import Failure, Mistake
from lbkit.base.host import Host
from lbkit.dns import client as client_module
from lbkit.dns.errors import ServerFailure, Unreachable
from lbkit.dns.keygen import write_key
from lbkit.dns.room import ROOM
from lbkit.engine.applying import ApplyFailed
from lbkit.engine.view import Health

from .named import PRIMARY, Named, running
from .world import World, a, key_file

pytestmark = pytest.mark.sandbox


@pytest.fixture
def world(tmp_path: Path, host: Host) -> World:
    key_file(tmp_path)
    return World(tmp_path, host)


def served(world: World, **more: str) -> Named:
    return Named(world.folder / "ns", world.folder / "tsig.key", **more)


def test_another_secret_by_the_same_name_is_badsig(world: World) -> None:
    write_key(world.folder / "other.key")
    with running(served(world)), pytest.raises(ServerFailure, match=r"BADSIG.*secret is another") as caught:
        world.plan(world.scope(a("x", "192.0.2.1"), tsig={"name": "lbkit", "secret": {"file": "other.key"}}))
    assert "the same secret" in caught.value.remedy
    secret = (world.folder / "other.key").read_text().split('"')[3]
    assert secret not in str(caught.value)


@pytest.mark.parametrize(("name", "algorithm"), [("another", "hmac-sha256"), ("lbkit", "hmac-sha512")])
def test_a_key_that_the_server_does_not_know_is_badkey(world: World, name: str, algorithm: str) -> None:
    write_key(world.folder / "other.key", name, algorithm)
    tsig = {"name": name, "algorithm": algorithm, "secret": {"file": "other.key"}}
    with running(served(world)), pytest.raises(ServerFailure, match="BADKEY"):
        world.plan(world.scope(a("x", "192.0.2.1"), tsig=tsig))


def test_a_clock_far_off_is_badtime(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    with running(served(world)):
        monkeypatch.setattr(time, "time", lambda: now + 3600)
        with pytest.raises(ServerFailure, match=r"BADTIME.*clocks"):
            world.plan(world.scope(a("x", "192.0.2.1")))


def test_without_permission_to_transfer_the_remedy_says_allow_transfer(world: World) -> None:
    clause = PRIMARY.format(allow="allow-update { key lbkit; }; allow-transfer { none; };")
    with running(served(world, zone_clause=clause)), pytest.raises(ServerFailure, match="allow-transfer"):
        world.plan(world.scope(a("x", "192.0.2.1")))


def test_without_permission_to_update_nothing_is_done(world: World) -> None:
    clause = PRIMARY.format(allow="allow-transfer { key lbkit; };")
    with running(served(world, zone_clause=clause)):
        scope = world.scope(a("x", "192.0.2.1"))
        with pytest.raises(ApplyFailed, match="update-policy") as caught:
            world.apply(scope)
        assert caught.value.result.done == ()
        assert len(world.plan(scope).changes) == 1


def test_an_update_policy_that_is_narrow_is_enough(world: World) -> None:
    policy = "grant lbkit name shop.example.test. A; grant lbkit subdomain _lbkit.example.test. TXT;"
    clause = PRIMARY.format(allow=f"update-policy {{ {policy} }}; allow-transfer {{ key lbkit; }};")
    with running(served(world, zone_clause=clause)):
        scope = world.scope(a("shop", "192.0.2.1"))
        world.apply(scope)
        assert not world.plan(scope)
        with pytest.raises(ApplyFailed, match="REFUSED"):
            world.apply(world.scope(a("shop", "192.0.2.1"), a("other", "192.0.2.1")))
        assert not world.plan(scope)


def test_a_zone_that_the_server_does_not_have_is_notauth(world: World) -> None:
    with (
        running(served(world, zone="other.test")),
        pytest.raises(ServerFailure, match=r"(?s)NOTAUTH.*server of example\.test"),
    ):
        world.plan(world.scope(a("x", "192.0.2.1")))


def test_more_values_than_the_server_allows_is_said(world: World) -> None:
    with running(served(world)), pytest.raises(ApplyFailed, match=r"SERVFAIL|REFUSED"):
        world.apply(world.scope(a("x", *(f"192.0.2.{number}" for number in range(150)))))


def test_a_dead_server_elsewhere_is_a_failure_and_not_an_empty_zone(world: World) -> None:
    with pytest.raises(Unreachable, match="refused"):
        world.plan(world.scope(a("x", "192.0.2.1")))
    with pytest.raises(Unreachable):
        world.plan(world.scope(a("x", "192.0.2.1")), absent=True)
    (row,) = ROOM.status(world.scope(a("x", "192.0.2.1")), world.host)
    assert (row.present, row.health) == (False, Health.DOWN)


def test_a_key_that_others_can_read_is_found_before_anything_is_asked(world: World) -> None:
    scope = world.scope(a("x", "192.0.2.1"))
    (world.folder / "tsig.key").chmod(0o644)
    with pytest.raises(Mistake, match="chmod 600"):
        world.plan(scope)


def test_a_server_that_dies_during_an_apply_fails_it_and_the_next_one_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(served(world)) as server:
        scope = world.scope(a("x", "192.0.2.1"))
        receive = client_module.Client.update

        def die(self: client_module.Client, units: object) -> object:
            server.stop()
            return receive(self, units)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(client_module.Client, "update", die)
            with pytest.raises(ApplyFailed):
                world.apply(scope)
        server.start()
        world.apply(scope)
        assert not world.plan(scope)


Reply = Callable[[bytes], bytes | None]


@pytest.fixture
def stranger(host: Host) -> Iterator[Callable[[Reply], None]]:
    """Something on port 53 that answers each message by a function; None: it hangs up."""
    listener = socket.create_server(("127.0.0.1", 53))
    threads = []

    def serve(reply: Reply) -> None:
        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    length = struct.unpack("!H", connection.recv(2, socket.MSG_WAITALL))[0]
                    answer = reply(connection.recv(length, socket.MSG_WAITALL))
                    if answer is not None:
                        connection.sendall(struct.pack("!H", len(answer)) + answer)
                    if answer == b"":
                        connection.recv(1)

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()

    yield serve
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for thread in threads:
        thread.join(5)


def test_an_answer_without_a_signature_is_not_believed(
    world: World, stranger: Callable[[Reply], None]
) -> None:
    def unsigned(wire: bytes) -> bytes:
        response = dns.message.make_response(dns.message.from_wire(wire, keyring=False))
        soa = "ns.example.test. host.example.test. 1 2 3 4 5"
        for record in (soa, soa):
            response.answer.append(dns.rrset.from_text("example.test.", 60, "IN", "SOA", record))
        return response.to_wire()

    stranger(unsigned)
    with pytest.raises(ServerFailure, match="UNSIGNED"):
        world.plan(world.scope(a("x", "192.0.2.1")))


@pytest.mark.parametrize("reply", [lambda wire: b"\x00" * 5, lambda wire: os.urandom(40), lambda wire: None])
def test_what_is_no_dns_server_is_a_failure(
    world: World, stranger: Callable[[Reply], None], reply: Reply
) -> None:
    stranger(reply)
    with pytest.raises(Failure) as caught:
        world.plan(world.scope(a("x", "192.0.2.1")))
    assert "example.test" in str(caught.value)


def test_a_server_that_says_nothing_is_given_up(
    world: World, stranger: Callable[[Reply], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "TIMEOUT", 0.2)
    release = threading.Event()
    stranger(lambda wire: b"x" if release.wait(10) else None)
    with pytest.raises(ServerFailure, match=r"no answer within 0\.2 s"):
        world.plan(world.scope(a("x", "192.0.2.1")))
    release.set()


def test_no_secret_is_in_a_plan_a_journal_or_an_error(world: World) -> None:
    secret = (world.folder / "tsig.key").read_text().split('"')[3]
    raw = base64.b64decode(secret)
    with running(served(world)):
        scope = world.scope(a("x", "192.0.2.1"))
        plan = world.plan(scope)
        world.apply(scope)
    for text in (str(plan.as_data()), repr(plan), repr(scope), (world.folder / "journal.jsonl").read_text()):
        assert secret not in text
        assert repr(raw)[2:-1] not in text
