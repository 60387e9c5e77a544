"""`lbkit scale`: one word of the file and the world change together, whoever dies in between, and no client notices."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import lbkit
from lbkit import operate
from lbkit.base.errors import Mistake
from lbkit.base.host import Host
from lbkit.engine.plan import Plan
from lbkit.engine.scope import Scope
from lbkit.faces.cli import main
from lbkit.machine.handle import machine
from lbkit.scaling import MorePending, apply_scale, plan_scale
from lbkit.topology.edit import Edit
from tests.faces.conftest import Ran
from tests.faces.test_json import FILE as SCHEMA
from tests.machine.world import until

pytestmark = pytest.mark.sandbox

TOPOLOGY = """\
lbkit: 1
name: NAME
networks:
  back: {cidr: 10.96.1.0/24}
machines:
  lb: {networks: {back: {addresses: 10.96.1.5}}}
  web:
    count: 2   # until the sale
    networks: [back]
    run:
      - {name: app, command: [/usr/bin/python3, -I, app.py], files: {app.py: {source: app.py}}, ready: {port: 8080}}
load_balancers:
  shop:
    machines: lb
    frontends:
      http: {bind: 80, backend: web}
    backends:
      web:
        servers: [{machines: web, port: 8080}]
        health_check: {interval: 200ms}
"""

SERVER = """\
import os, sys, time
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer  # http.server's own asks the resolver before it listens

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = os.environ["LBKIT_SERVICE"].split("/")[1].encode() + b"\\n"
        pieces = 40 if self.path == "/slow" else 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) * pieces))
        self.end_headers()
        for _ in range(pieces):
            self.wfile.write(body)
            self.wfile.flush()
            time.sleep(0.05 if pieces > 1 else 0)
    def log_message(self, *_args):
        pass

class Server(ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 128

Server(("0.0.0.0", 8080), Handler).serve_forever()
"""

URL = "http://10.96.1.5/"
Lbkit = Callable[..., Ran]


@pytest.fixture
def file(host: Host, topology_name: str, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "lb.yml"
    path.write_text(TOPOLOGY.replace("NAME", topology_name))
    (tmp_path / "app.py").write_text(SERVER)
    yield path
    lbkit.destroy(lbkit.load(path), host)


@pytest.fixture
def cli(host: Host, capfd: pytest.CaptureFixture[str]) -> Lbkit:
    def run(*words: object) -> Ran:
        code = main([str(word) for word in (*words, "--run-dir", host.run_dir)])
        told = capfd.readouterr()
        return Ran(code, told.out, told.err)

    return run


def said(ran: Ran) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(ran.out)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    return document


@contextmanager
def asking(url: str) -> Iterator[list[str]]:
    """What the answers were, one after the other, each by a connection of its own."""
    answers: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.01):
            try:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    answers.append(answer.read().decode().strip())
            except OSError as error:
                answers.append(f"lost: {error}")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


def downloading(url: str, count: int) -> list[tuple[threading.Thread, list[str]]]:
    """Downloads that have begun; each ends by itself."""
    begun = []
    for _ in range(count):
        answer, lines = urllib.request.urlopen(f"{url}slow", timeout=10), list[str]()
        lines.append(answer.readline().decode().strip())

        def read(answer: Any = answer, lines: list[str] = lines) -> None:
            lines.extend(answer.read().decode().split())

        thread = threading.Thread(target=read)
        thread.start()
        begun.append((thread, lines))
    return begun


def test_the_file_and_the_world_change_together_and_no_client_notices(
    file: Path, host: Host, cli: Lbkit
) -> None:
    text = file.read_text()
    assert cli("apply", file, "--yes").code == 0
    shown = cli("scale", file, "web=3", "--plan", "--json")
    assert (shown.code, file.read_text()) == (2, text)
    foreseen = said(shown)
    assert foreseen["lines"] == [{"group": "web", "line": 8, "before": 2, "after": 3}]
    with asking(URL) as answers:
        ran = cli("scale", file, "web=3", "--yes", "--prove")
    assert ran.code == 0, ran.err
    assert "lb.yml:8: web: count 2 -> 3" in ran.out
    assert set(answers) == {"web-1", "web-2", "web-3"}
    assert file.read_text() == text.replace("count: 2   # until", "count: 3   # until")
    scope = lbkit.load(file)
    assert not lbkit.plan(scope, host)
    agreed = operate.agreed(scope.name, host)
    assert agreed is not None
    assert (agreed.digest, agreed.ended) == (operate.digest(scope, host), True)

    before = file.stat().st_mtime_ns
    again = said(cli("scale", file, "web=3", "--yes", "--json"))
    assert (again["lines"], again["plan"]["changes"], file.stat().st_mtime_ns) == ([], [], before)
    assert cli("scale", file, "web=3", "--plan").code == 0

    downloads = downloading(URL, 6)
    with asking(URL) as answers:
        came = said(cli("scale", file, "web=1", "lb=1", "--yes", "--json"))
    for thread, lines in downloads:
        thread.join()
        assert lines == lines[:1] * 40  # none was cut, whoever served it
    assert {lines[0] for _, lines in downloads} == {"web-1", "web-2", "web-3"}
    assert set(answers) <= {"web-1", "web-2", "web-3"}
    assert came["result"]["done"]
    assert file.read_text() == text.replace("count: 2   # until", "count: 1   # until")
    assert not lbkit.plan(lbkit.load(file), host)


def test_what_else_the_file_has_is_not_carried_out_unseen(file: Path, host: Host, cli: Lbkit) -> None:
    text = file.read_text()
    ran = cli("scale", file, "web=3", "--yes")
    assert (ran.code, file.read_text()) == (1, text)
    assert "what was not applied yet: create network" in ran.err
    lbkit.apply(lbkit.load(file), host)
    other = text.replace("interval: 200ms", "interval: 300ms")
    file.write_text(other)
    with pytest.raises(MorePending, match="update haproxy lb/shop"):
        plan_scale(file, {"web": 3}, host)
    refused = cli("scale", file, "web=3", "--yes", "--json")
    assert (refused.code, said(refused)["error"], file.read_text()) == (1, "MorePending", other)
    assert cli("scale", file, "web=3").code == 1

    # of what was not applied the count alone may be: that is what is scaled
    file.write_text(text.replace("count: 2", "count: 1"))
    back = apply_scale(file, {"web": 2}, host)
    assert (bool(back), back.plan.changes, file.read_text()) == (True, (), text)

    # and what died meanwhile is repaired on the way, as it was agreed to
    os.kill(machine(lbkit.load(file), host, "web-2").running()["app"].pid, signal.SIGKILL)
    until(lambda: bool(lbkit.plan(lbkit.load(file), host)), "it is seen to be dead")
    shown = plan_scale(file, {"web": 3}, host)
    assert {str(change.key) for change in shown.plan.changes} >= {"service web-2/app", "machine web-3"}
    nobody = cli("scale", file, "web=3")
    assert (nobody.code, file.read_text()) == (1, text)
    assert "give --yes" in nobody.err


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["web=0"], "web has count: 0"),
        (["web=5000"], "at most 4096, found 5000"),
        (["wbe=3"], "did you mean 'web'?"),
        (["lb=2"], "it is one machine, lb, and of several the first is lb-1"),
        (["web=3", "web=4"], "two"),
        (["web"], "such as web=4"),
        (["web="], "such as web=4"),
        (["web=-1"], "a whole number, 0 or more"),
        (["web=1.5"], "a whole number, 0 or more"),
        ([], "such as web=4"),
    ],
)
def test_what_cannot_be_meant_is_told_and_nothing_is_touched(
    file: Path, host: Host, cli: Lbkit, words: list[str], found: str
) -> None:
    text = file.read_text()
    ran = cli("scale", file, *words, "--yes")
    assert ran.code == Mistake.exit_code
    assert found in ran.err
    assert file.read_text() == text
    assert not host.run_dir.exists()


def test_where_somebody_edits_the_file_meanwhile_nothing_is_done_and_agreed_to(
    file: Path, host: Host, cli: Lbkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    lbkit.apply(lbkit.load(file), host)
    text, name = file.read_text(), lbkit.load(file).name
    before = operate.agreed(name, host)
    real = operate.plan

    def plan(scope: Scope, host: Host | None = None, **more: Any) -> Plan:
        file.write_text(text + "# somebody was here\n")
        return real(scope, host, **more)

    monkeypatch.setattr(operate, "plan", plan)
    ran = cli("scale", file, "web=3", "--yes")
    assert ran.code == 1
    assert "somebody else changed it meanwhile" in ran.err
    assert "says so now" not in ran.err
    assert file.read_text() == text + "# somebody was here\n"
    assert operate.agreed(name, host) == before
    assert not real(lbkit.load(file), host)


def test_of_two_at_once_one_waits_and_the_file_is_what_stands(file: Path, host: Host) -> None:
    file.write_text(file.read_text().partition("load_balancers:")[0])
    lbkit.apply(lbkit.load(file), host)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(apply_scale, file, {"web": count}, host, lock_timeout=60) for count in (3, 4)]
        last = {each.result().scaling.scope.name for each in both}
    assert last == {lbkit.load(file).name}
    assert "count: 3" in file.read_text() or "count: 4" in file.read_text()
    assert not lbkit.plan(lbkit.load(file), host)


def killed(number: int, act: Callable[[Callable[..., Any]], object]) -> bool:
    """Whether a child that calls what `act` is given for the `number`th time died of it. Before and after the file is written counts, too."""
    events = itertools.count()

    def die(_event: object = None) -> bool:
        if next(events) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return True

    child = os.fork()
    if child == 0:
        ended = 1
        try:
            with pytest.MonkeyPatch.context() as patch:
                write = Edit.write
                patch.setattr(Edit, "write", lambda edit: die() and (write(edit), die()))
                act(die)
            ended = 0
        finally:
            os._exit(ended)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, -signal.SIGKILL}
    return code != 0


def test_killed_anywhere_the_same_call_again_comes_to_its_end_and_an_apply_undoes_nothing(
    file: Path, host: Host
) -> None:
    text = file.read_text().partition("load_balancers:")[0]
    file.write_text(text)
    lbkit.apply(lbkit.load(file), host)
    for number in range(100):
        before = 2 if number % 2 == 0 else 3
        after = 5 - before
        counts = {"web": after}
        died = killed(number // 2, lambda die, counts=counts: apply_scale(file, counts, host, watch=die))  # type: ignore[misc]
        written = file.read_text()
        assert written in {text.replace("count: 2", f"count: {count}") for count in (before, after)}
        there = {
            have.key.name for have in operate.observe(lbkit.load(file), host) if have.key.kind == "machine"
        }
        left = lbkit.plan(lbkit.load(file), host)
        if f"count: {after}" not in written:  # it died before anything was touched
            assert len(there) == before + 1
            assert not left
        names = {str(change.key) for change in left.changes}
        assert all(name.split("/")[0].endswith("web-3") for name in names), names
        again = apply_scale(file, counts, host)
        assert bool(again) == (died and (bool(names) or f"count: {after}" not in written))
        assert file.read_text() == text.replace("count: 2", f"count: {after}")
        assert not lbkit.plan(lbkit.load(file), host)
        agreed = operate.agreed(lbkit.load(file).name, host)
        assert agreed is not None
        assert agreed.digest == operate.digest(lbkit.load(file), host)
        if not died and number % 2:
            break
    assert number > 8
