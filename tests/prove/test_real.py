"""Proofs of real applies: clients ask through the virtual address while HAProxy is changed, reloaded or killed."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lbkit
from lbkit.base.host import Host
from lbkit.engine.applying import Event, NotAsDeclared, Result
from lbkit.engine.journal import read_journal
from lbkit.engine.proof import Proof, ProofFailed
from lbkit.haproxy.config.paths import RUNTIME_SOCKET
from tests.haproxy.world import World, left_behind, until
from tests.prove.servers import make_pem

pytestmark = pytest.mark.sandbox

LARGE = """
import http.server, socketserver, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b"x" * (5_000_000 if self.path == "/large" else 5)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 128
Server(("", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def world(host: Host, topology_name: str) -> Iterator[World]:
    made = World(topology_name, host)
    made.data["machines"]["web"]["run"][0]["files"] = {"app.py": {"content": LARGE}}
    yield made
    made.destroy()
    assert left_behind(made) == []


def prove(world: World, **more: Any) -> Result:
    return lbkit.apply(world.scope, world.host, prove=True, **more)


def proof_of(result: Result) -> Proof:
    assert result.proof is not None
    return result.proof


def say(world: World, member: str, command: str) -> str:
    """What HAProxy answers at its runtime socket."""
    instance = world.haproxy(member)
    with world.machine(member).connect(instance.path(RUNTIME_SOCKET)) as connection:
        connection.sendall(f"{command}\n".encode())
        with connection.makefile("r") as answer:
            return answer.read()


def errors_of(world: World, member: str) -> int:
    """Responses of status 5xx that the frontend gave."""
    rows = csv.DictReader(say(world, member, "show stat").removeprefix("# ").splitlines())
    return sum(int(row["hrsp_5xx"]) for row in rows if row["svname"] == "FRONTEND")


def test_an_apply_that_changes_servers_and_reloads_loses_no_request_and_no_download(world: World) -> None:
    world.shop["frontends"]["http"]["prove"] = {"host": "shop.example.test", "download": "/large"}
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
    lines = list(read_journal(world.host.folder(world.name) / "journal.jsonl"))
    assert [line["sent"] for line in lines if line["event"] == "proved"] == [proof.sent]


def test_requests_lost_on_the_way_fail_the_apply_at_the_step_at_which_they_were(world: World) -> None:
    """Somebody takes all servers away for a moment. Afterwards all is as declared, and yet it was no good apply."""
    world.apply()
    world.shop["maxconn"] = 500
    (holder,) = world.holders()

    def outage(event: Event) -> None:
        if event.kind == "carried" and str(event.change) == f"update haproxy {holder}/shop":
            for state in ("maint", "ready"):
                for number in (1, 2, 3):
                    say(world, holder, f"set server web/web-{number} state {state}")
                if state == "maint":
                    until(lambda: errors_of(world, holder) >= 3, "requests are lost")

    with pytest.raises(ProofFailed) as caught:
        prove(world, watch=outage)
    error = caught.value
    assert error.exit_code == 1
    assert error.result.not_done == ()
    data = error.as_data()
    assert data["proof"]["failed"] >= 3
    assert {lost["why"] for lost in data["proof"]["failures"]} == {"status 503"}
    assert all(f"update haproxy {holder}/shop" in lost["step"] for lost in data["proof"]["failures"])
    assert f"of `update haproxy {holder}/shop`" in str(error)
    lines = list(read_journal(world.host.folder(world.name) / "journal.jsonl"))
    (proved,) = [line for line in lines if line["event"] == "proved"]
    assert proved["failed"] == data["proof"]["failed"]
    assert proved["first"][0]["why"] == "status 503"


def test_an_apply_that_fails_otherwise_tells_of_its_requests_too(world: World) -> None:
    """All web servers are killed on the way: the apply ends with something left to do."""
    world.apply()
    world.shop["maxconn"] = 500
    (holder,) = world.holders()

    def kill(event: Event) -> None:
        if event.kind == "carried" and str(event.change) == f"update haproxy {holder}/shop":
            for member in ("web-1", "web-2", "web-3"):
                world.kill(member, "app")
            until(lambda: errors_of(world, holder) >= 3, "requests are lost")

    with pytest.raises(NotAsDeclared) as caught:
        prove(world, watch=kill)
    data = caught.value.as_data()
    assert data["proof"]["failed"] >= 3
    assert f"update haproxy {holder}/shop" in data["proof"]["failures"][0]["step"]


def test_what_did_not_answer_before_counts_from_its_first_answer_on(world: World) -> None:
    proof = proof_of(prove(world))
    (target,) = proof.targets
    assert target.failed == 0
    assert target.since is None or target.since > 0
    assert not world.plan()
    assert prove(world).proof is None, "nothing was done, nothing was asked"


def test_without_an_address_of_the_host_a_machine_asks(world: World) -> None:
    """One that is a client alone; where there is none, a load balancer's own, and that is said."""
    world.data["networks"]["front"]["gateway"] = False
    world.apply()
    world.shop["maxconn"] = 500
    proof = proof_of(prove(world))
    assert proof.targets[0].asked_from.startswith("machine lb-")
    assert any("no other client stands there" in note for note in proof.notes)
    assert proof.good
    assert proof.sent > 10
    world.data["machines"]["guest"] = {"networks": ["front"]}
    world.apply()
    world.shop["maxconn"] = 600
    proof = proof_of(prove(world))
    assert proof.targets[0].asked_from == "machine guest"
    assert proof.good
    assert proof.sent > 10


def test_nothing_to_ask_is_said(world: World) -> None:
    world.shop["frontends"]["http"]["prove"] = False
    proof = proof_of(prove(world))
    assert (proof.sent, proof.targets) == (0, ())
    assert "nothing could be proved" in proof.notes[0]


def test_by_the_command_line_as_a_person_does(world: World, tmp_path: Path) -> None:
    file = tmp_path / "topology.yml"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        file.write_text(json.dumps(world.data))
        argv = [sys.executable, "-m", "lbkit", "apply", "--yes", *words, "--run-dir", str(world.host.run_dir)]
        return subprocess.run([*argv, str(file)], capture_output=True, text=True, check=False)

    assert run().returncode == 0
    world.shop["backends"]["web"]["servers"][0]["weight"] = 7
    told = run("--prove", "--prove-rate", "200")
    assert told.returncode == 0, told.stderr
    assert "shop/http 10.80.0.10:80  the host" in told.stdout
    assert "0 failed, 0 cut" in told.stdout
    world.shop["maxconn"] = 500
    told = run("--prove", "--json")
    assert told.returncode == 0, told.stdout
    proof = json.loads(told.stdout)["proof"]
    assert (proof["failed"], proof["cut"]) == (0, 0)
    assert proof["sent"] > 10


def test_tcp_mode_and_the_proxy_protocol_are_spoken_as_declared(world: World) -> None:
    world.shop["frontends"]["raw"] = {"bind": 7000, "mode": "tcp", "backend": "plain"}
    world.shop["frontends"]["behind"] = {"bind": {"port": 81, "accept_proxy": True}, "backend": "web"}
    world.shop["backends"]["plain"] = {"servers": [{"machines": "web", "port": 8080}]}
    world.apply()
    world.shop["maxconn"] = 500
    proof = proof_of(prove(world))
    assert proof.failures == ()
    assert {target.target: target.since for target in proof.targets} == {
        "shop/http 10.80.0.10:80": 0.0,
        "shop/raw 10.80.0.10:7000": 0.0,
        "shop/behind 10.80.0.10:81": 0.0,
    }
    assert all(target.sent > 5 for target in proof.targets)


def test_tls_is_spoken_by_the_certificates_name(world: World, tmp_path: Path) -> None:
    world.shop["certificates"] = {"shop": {"file": str(make_pem(tmp_path))}}
    tls = {"certificates": "shop", "strict_sni": True}
    world.shop["frontends"] = {"https": {"bind": {"port": 443, "tls": tls}, "backend": "web"}}
    world.apply()
    world.shop["maxconn"] = 500
    proof = proof_of(prove(world))
    assert proof.failures == ()
    (target,) = proof.targets
    assert (target.target, target.since) == ("shop/https 10.80.0.10:443", 0.0)
    assert target.sent > 10
