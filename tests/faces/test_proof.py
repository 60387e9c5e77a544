"""`lbkit apply --prove`: what the command says of requests that were kept and of those that were lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from lbkit.engine.change import Change
from lbkit.engine.promise import Promise
from lbkit.prove import prober, proving
from lbkit.prove.places import Place, from_host
from tests.faces.conftest import Lbkit
from tests.faces.toy import ToyRoom
from tests.prove.servers import Server, unavailable, whole


@pytest.fixture
def server(room: ToyRoom, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """What the toy room promises: a server on loopback."""
    made = Server()
    promise = Promise("shop/http", ip_address("127.0.0.1"), made.port)
    monkeypatch.setattr(ToyRoom, "promises", lambda _room, _scope, _host: [promise])
    monkeypatch.setattr(proving, "place_of", lambda *_words: Place("the host", from_host))
    monkeypatch.setattr(prober, "LINGERS", 0.02)
    yield made
    made.close()


def asked(server: Server, more: int) -> None:
    """Returns when so many requests more have come."""
    last = server.requests + more
    while server.requests < last:
        server.asked.wait(5)
        server.asked.clear()


def test_it_tells_how_many_were_sent_and_that_none_was_lost(
    lbkit: Lbkit, room: ToyRoom, server: Server
) -> None:
    room.at = lambda _change: asked(server, 10)
    told = lbkit("apply", "--yes", "--prove", "--prove-rate", "300")
    assert told.code == 0, told.err
    assert f"shop/http 127.0.0.1:{server.port}  the host" in told.out
    assert "0 failed, 0 cut, 0 slower than 1 s" in told.out
    assert "note: no downloads were tried" in told.out


def lose(room: ToyRoom, server: Server) -> None:
    def at(change: Change) -> None:
        asked(server, 5)
        if str(change.key) == "thing wall":
            server.then = unavailable
            asked(server, 5)
            server.then = whole

    room.at = at


def test_a_lost_request_fails_the_apply_with_the_step(lbkit: Lbkit, room: ToyRoom, server: Server) -> None:
    lose(room, server)
    told = lbkit("apply", "--yes", "--prove-rate", "300")
    assert told.code == 1
    assert "no client was to lose a request during the apply" in told.err
    assert "status 503" in told.err
    assert "failed at step: " in told.err
    assert "`create thing wall`" in told.err
    assert f"shop/http 127.0.0.1:{server.port}, " in told.out
    assert not room.fail_on
    assert lbkit("plan").code == 0, "what was to be done is done"


def test_as_json_the_error_has_the_whole_proof(lbkit: Lbkit, room: ToyRoom, server: Server) -> None:
    lose(room, server)
    told = lbkit("apply", "--yes", "--prove", "--prove-rate", "300", "--json")
    assert told.code == 1
    data = json.loads(told.out)
    assert (data["error"], data["not_done"]) == ("ProofFailed", [])
    proof = data["proof"]
    assert proof["sent"] > proof["failed"] >= 1
    assert proof["failures"][0]["why"] == "status 503"
    assert "create thing wall" in proof["failures"][0]["step"]


def test_as_json_the_result_has_the_proof_and_without_prove_none(
    lbkit: Lbkit, room: ToyRoom, server: Server
) -> None:
    room.at = lambda _change: asked(server, 3)
    data = json.loads(lbkit("apply", "--yes", "--prove", "--json").out)
    assert data["proof"]["failed"] == 0
    assert data["proof"]["targets"][0]["since"] == 0
    room.at = None
    assert "proof" not in json.loads(lbkit("apply", "--yes", "--prove", "--json").out), "nothing was done"
    before = server.requests
    room.world.clear()
    assert "proof" not in json.loads(lbkit("apply", "--yes", "--json").out)
    assert server.requests == before


def test_nothing_to_prove_is_said(lbkit: Lbkit, room: ToyRoom) -> None:
    told = lbkit("apply", "--yes", "--prove")
    assert told.code == 0
    assert "not proved: no request was answered" in told.out
    assert "nothing is declared that a client could ask" in told.out


@pytest.mark.parametrize("rate", ["0", "-1", "1001", "many", "nan"])
def test_a_rate_is_a_number(lbkit: Lbkit, rate: str) -> None:
    told = lbkit("apply", "--yes", f"--prove-rate={rate}")
    assert told.code == 64
    assert "from 1 to 1000" in told.err
