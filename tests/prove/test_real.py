"""Proofs of real applies: clients ask through the virtual address while HAProxy is changed, reloaded or killed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import lbkit
from lbkit.base.host import Host
from lbkit.engine.applying import Event, Result
from lbkit.engine.journal import read_journal
from lbkit.engine.proof import Proof, ProofFailed
from tests.haproxy.world import World, left_behind, until

pytestmark = pytest.mark.sandbox

BIG = (
    "import http.server, socketserver, sys\n"
    "class Handler(http.server.BaseHTTPRequestHandler):\n"
    "    protocol_version = 'HTTP/1.1'\n"
    "    def do_GET(self):\n"
    "        body = b'x' * (5_000_000 if self.path == '/big' else 5)\n"
    "        self.send_response(200)\n"
    "        self.send_header('Content-Length', str(len(body)))\n"
    "        self.end_headers()\n"
    "        self.wfile.write(body)\n"
    "    def log_message(self, *words):\n"
    "        pass\n"
    "class Server(socketserver.ThreadingTCPServer):\n"
    "    allow_reuse_address = daemon_threads = True\n"
    "    request_queue_size = 128\n"
    "Server(('', int(sys.argv[1])), Handler).serve_forever()\n"
)


@pytest.fixture
def world(host: Host, topology_name: str) -> Iterator[World]:
    made = World(topology_name, host)
    made.data["machines"]["web"]["run"][0]["files"] = {"app.py": {"content": BIG}}
    yield made
    made.destroy()
    assert left_behind(made) == []


def prove(world: World, **more: Any) -> Result:
    return lbkit.apply(world.scope, world.host, prove=True, **more)


def proof_of(result: Result) -> Proof:
    assert result.proof is not None
    return result.proof


def test_an_apply_that_changes_servers_and_reloads_loses_no_request_and_no_download(world: World) -> None:
    world.shop["frontends"]["http"]["prove"] = {"host": "shop.example.test", "download": "/big"}
    world.apply()
    world.shop["backends"]["web"]["servers"][0]["weight"] = 7
    world.shop["maxconn"] = 500
    proof = proof_of(prove(world))
    assert (proof.failed, proof.cut, proof.failures) == (0, 0, ())
    assert proof.good
    (target,) = proof.targets
    assert (target.target, target.asked_from, target.since) == ("shop/http 10.80.0.10:80", "the host", 0.0)
    assert proof.sent > 10
    assert target.downloads >= 1, proof.notes
    lines = [line for line in read_journal(world.host.folder(world.name) / "journal.jsonl")]
    assert [line["sent"] for line in lines if line["event"] == "proved"] == [proof.sent]


def test_who_kills_haproxy_during_an_apply_is_told_at_which_step_requests_were_lost(world: World) -> None:
    world.apply()
    world.shop["maxconn"] = 500

    def kill(event: Event) -> None:
        if event.kind == "carried" and str(event.change) == "update haproxy lb-1/shop":
            for member in ("web-1", "web-2", "web-3"):
                world.kill(member, "app")
            until(lambda: "app" not in world.machine("web-3").running(), "its end")
            until(lambda: seen_lost(), "a request is lost")

    def seen_lost() -> bool:
        from tests.haproxy.world import get

        try:
            get()
        except AssertionError:
            return True
        return False

    with pytest.raises((ProofFailed, lbkit.ApplyFailed, lbkit.Failure)) as caught:
        prove(world, watch=kill)
    error = caught.value
    assert error.exit_code == 1
    data = error.as_data()
    assert data["proof"]["failed"] > 0
    assert any("update haproxy lb-1/shop" in lost["step"] for lost in data["proof"]["failures"])


def test_what_did_not_answer_before_counts_from_its_first_answer_on(world: World) -> None:
    proof = proof_of(prove(world))
    (target,) = proof.targets
    print(proof)
    assert target.failed == 0
    if target.since is not None:
        assert target.since > 0
        assert any("counts from then on" in note for note in proof.notes)
    assert not world.plan()
    assert prove(world).proof is None, "nothing was done, nothing was asked"
