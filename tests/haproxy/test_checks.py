"""Every kind of check, carried out by HAProxy itself and by lbkit's own probe: one verdict."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lbkit.haproxy.runtime import Row, Runtime
from lbkit.haproxy.text.check import check as check_lines
from lbkit.haproxy.text.check import check_words, own_words
from lbkit.haproxy.text.words import Words, word
from lbkit.health.asking import Traffic, question_of
from lbkit.health.outcome import Outcome, Target
from lbkit.health.probe import probe
from lbkit.health.question import ServerTls
from lbkit.health.spec import HealthCheck
from tests.haproxy.versions import VERSIONS, program
from tests.health import servers
from tests.health.servers import Talk, answering, behind_proxy, greeting, http, replying

pytestmark = pytest.mark.sandbox

NAME = "app.example.test"


@dataclass(frozen=True)
class Case:
    """`tls`: the server speaks it. `ca`: traffic speaks it too, and trusts this certificate ("" trusts anyone)."""

    code: str
    check: dict[str, Any]
    server: Talk | Callable[[], AbstractContextManager[int]]
    tls: bool = False
    ca: str | None = None
    proxy: int = 0
    bare: bool = False  # `server` brings its own port
    later: str = ""  # what newer versions than 2.6 call it


HTTP = {"protocol": "http", "path": "/healthz"}
PING = {"send": "PING\r\n", "expect": {"answer": "+PONG"}}
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

CASES = {
    "tcp-good": Case("L4OK", {}, servers.silent),
    "tcp-refused": Case("L4CON", {}, servers.refusing, bare=True),
    "tcp-no-answer": Case("L4TOUT", {}, servers.full, bare=True),
    "banner-good": Case("L7OK", {"expect": {"answer": "220 "}}, greeting(b"220 mail ready\r\n")),
    "banner-bad": Case("L7TOUT", {"expect": {"answer": "220 "}}, greeting(b"421 full\r\n")),
    "banner-none": Case("L7TOUT", {"expect": {"answer": "220 "}}, servers.silent),
    "banner-regex": Case("L7OK", {"expect": {"answer_regex": "^2[0-9]{2} "}}, greeting(b"220 mail\r\n")),
    "banner-regex-bad": Case("L7TOUT", {"expect": {"answer_regex": "^3 "}}, greeting(b"220 mail\r\n")),
    "dialogue-good": Case("L7OK", PING, replying(b"PING\r\n", b"+PONG\r\n")),
    "dialogue-bad": Case("L7TOUT", PING, replying(b"PING\r\n", b"-LOADING\r\n")),
    "dialogue-closed": Case("L7RSP", PING, servers.closing),
    "dialogue-hex": Case(
        "L7OK",
        {"send": {"hex": "0001ff0a"}, "expect": {"answer": {"hex": "ff00fe"}}},
        replying(b"\x00\x01\xff\x0a", b"\x01\xff\x00\xfe"),
    ),
    "dialogue-send-alone": Case("L7OK", {"send": "hello"}, servers.silent),
    "http-good": Case("L7OK", HTTP, http(200)),
    "http-kept-open": Case("L7OK", HTTP, http(200, stay=True)),
    "http-redirect": Case("L7OK", HTTP, http(302)),
    "http-sick": Case("L7STS", HTTP, http(503)),
    "http-status-refused": Case("L7STS", {**HTTP, "expect": {"status": 200}}, http(204)),
    "http-status-taken": Case("L7OK", {**HTTP, "expect": {"status": [200, "204-206"]}}, http(204)),
    "http-body": Case("L7OK", {**HTTP, "expect": {"body": 'it\'s "ok" %[src] $HOME'}}, http(200, b'<it\'s "ok" %[src] $HOME>')),
    "http-body-kept-open": Case("L7OK", {**HTTP, "expect": {"body": "ok"}}, http(200, b"ok", stay=True)),
    "http-body-wrong": Case("L7RSP", {**HTTP, "expect": {"body": "ok"}}, http(200, b"maintenance", stay=True)),
    "http-body-of-sick": Case("L7STS", {**HTTP, "expect": {"body": "ok"}}, http(503, b"ok")),
    "http-body-late": Case("L7OK", {**HTTP, "expect": {"body": "ok"}}, answering(CHUNKED, b"1\r\no\r\n", b"1\r\nk\r\n0\r\n\r\n", stay=True)),
    "http-body-never": Case("L7TOUT", {**HTTP, "expect": {"body": "ok"}}, answering(CHUNKED, b"1\r\no\r\n", stay=True)),
    "http-regex": Case("L7OK", {**HTTP, "expect": {"body_regex": r"^(\d+) days\s"}}, http(200, b"12 days up")),
    "http-regex-wrong": Case("L7RSP", {**HTTP, "expect": {"body_regex": "^up"}}, http(200, b"12 days up")),
    "http-head": Case("L7OK", {**HTTP, "method": "HEAD"}, answering(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")),
    "http-silent": Case("L7TOUT", HTTP, servers.silent),
    "http-closed": Case("L7RSP", HTTP, servers.closing, later="SOCKERR"),
    "http-not-http": Case("L7RSP", HTTP, greeting(b"220 mail ready\r\n"), later="L7TOUT"),
    "http-refused": Case("L4CON", HTTP, servers.refusing, bare=True),
    "tls-good": Case("L6OK", {"protocol": "tls", "server_name": NAME}, servers.silent, tls=True),
    "tls-not-tls": Case("L6RSP", {"protocol": "tls"}, greeting(b"220 mail ready\r\n")),
    "tls-silent": Case("L6TOUT", {"protocol": "tls"}, servers.silent),
    "tls-dialogue": Case("L7OK", {"protocol": "tls", **PING}, replying(b"PING\r\n", b"+PONG\r\n"), tls=True),
    "https-good": Case("L7OK", {**HTTP, "protocol": "https"}, http(200), tls=True),
    "https-sick": Case("L7STS", {**HTTP, "protocol": "https"}, http(503), tls=True),
    "https-plain-server": Case("L6RSP", {**HTTP, "protocol": "https"}, greeting(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
    "traffic-tls-tcp": Case("L6OK", {}, servers.silent, tls=True, ca=""),
    "traffic-tls-http": Case("L7OK", HTTP, http(200), tls=True, ca=NAME),
    "traffic-tls-wrong-signer": Case("L6RSP", HTTP, http(200), tls=True, ca="other.example.test"),
    "traffic-tls-name": Case("L7OK", {**HTTP, "server_name": NAME}, http(200), tls=True, ca=NAME),
    "traffic-tls-wrong-name": Case(
        "L6RSP", {**HTTP, "server_name": "elsewhere.example.test"}, http(200), tls=True, ca=NAME
    ),
    "proxy-line": Case("L7OK", {**PING, "proxy_protocol": True}, behind_proxy(b"+PONG")),
    "proxy-line-of-traffic": Case("L7OK", PING, behind_proxy(b"+PONG"), proxy=1),
    "proxy-line-of-traffic-2": Case(
        "L7OK", PING, replying(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0PING\r\n", b"+PONG"), proxy=2
    ),
}  # fmt: skip


def traffic_words(case: Case) -> Words:
    words: list[str | int] = []
    if case.ca is not None:
        words += ["ssl", "verify", *(("required", "ca-file", f"{case.ca}.pem") if case.ca else ("none",))]
    if case.proxy:
        words += ["send-proxy" if case.proxy == 1 else "send-proxy-v2"]
    return tuple(words)


def line(*words: str | int) -> str:
    return "    " + " ".join(word(each) for each in words)


def text(cases: dict[str, tuple[Case, int]]) -> str:
    lines = [
        "global",
        "    stats socket unix@runtime.sock level admin",
        "defaults",
        "    timeout connect 5s",
        "    timeout client 5s",
        "    timeout server 5s",
    ]
    for name, (case, port) in cases.items():
        check = check_of(case)
        lines += [f"backend {name}", *(line(*words) for words in check_lines(check, "shop"))]
        words = check_words(check, verified=case.ca is not None)
        words = (*words, *own_words(check), *traffic_words(case))
        lines.append(line("server", "s", f"127.0.0.1:{port}", *words))
    return "\n".join(lines) + "\n"


def check_of(case: Case) -> HealthCheck:
    bounds = {"interval": "300ms", "timeout": "300ms", "rise": 1, "fall": 1}
    return HealthCheck.model_validate({**bounds, **case.check})


@contextmanager
def haproxy(program: Path, folder: Path) -> Iterator[Runtime]:
    """In the foreground, in `folder`, where haproxy.cfg lies."""
    with subprocess.Popen(
        [program, "-f", "haproxy.cfg"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            deadline = time.monotonic() + 20
            while not (folder / "runtime.sock").exists():
                assert process.poll() is None, process.communicate()[0]
                assert time.monotonic() < deadline
                time.sleep(0.01)
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(str(folder / "runtime.sock"))
            with Runtime(connection) as runtime:
                yield runtime
        finally:
            process.kill()
            process.communicate()


@pytest.fixture(params=VERSIONS)
def haproxy_program(request: pytest.FixtureRequest) -> Path:
    return program(request.param)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("h")


def test_haproxy_and_the_probe_come_to_the_same_verdict(haproxy_program: Path, folder: Path) -> None:
    certificates = {name: servers.certificate(folder, name) for name in (NAME, "other.example.test")}
    context = servers.tls_server(certificates[NAME])
    with ExitStack() as stack:
        cases: dict[str, tuple[Case, int]] = {}
        for name, case in CASES.items():
            made: Any = (
                case.server()
                if case.bare
                else servers.serving(case.server, tls=context if case.tls else None)
            )
            cases[name] = (case, stack.enter_context(made))
        (folder / "haproxy.cfg").write_text(text(cases))
        runtime = stack.enter_context(haproxy(haproxy_program, folder))
        rows = judged(runtime)
        asked = {name: ask(case, port, certificates) for name, (case, port) in cases.items()}
    wanted = {name: case.code for name, case in CASES.items()}
    assert {name: each.code for name, each in asked.items()} == wanted
    for name, row in rows.items():
        assert row.check in {CASES[name].code, CASES[name].later}, name
    assert {name: row.up for name, row in rows.items()} == {name: each.passed for name, each in asked.items()}
    assert all(each.words for each in asked.values())


def judged(runtime: Runtime) -> dict[str, Row]:
    """Each backend's server, once its checks are over: `rise` and `fall` are 1."""
    deadline = time.monotonic() + 30
    while True:
        rows = {row.proxy: row for row in runtime.stat() if row.server == "s"}
        open_ones = [
            name
            for name, row in rows.items()
            if row.check in {"", "INI"} or row.up != row.check.endswith("OK")
        ]
        if not open_ones:
            return rows
        assert time.monotonic() < deadline, open_ones
        time.sleep(0.05)


def ask(case: Case, port: int, certificates: dict[str, Path]) -> Outcome:
    tls = None
    if case.ca is not None:
        tls = ServerTls(ca=certificates[case.ca].read_text() if case.ca else None)
    target = Target("127.0.0.1", port)
    traffic = Traffic(tls, proxy_protocol=case.proxy)  # type: ignore[arg-type]
    return probe(question_of(check_of(case), traffic, host="shop"), [target], sockets)[target]


def sockets(family: socket.AddressFamily, count: int) -> list[socket.socket]:
    return [socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) for _ in range(count)]


def test_an_agent_takes_its_server_out_and_back(haproxy_program: Path, folder: Path) -> None:
    """It gets its line, and what it answers is done."""
    heard: list[bytes] = []
    answers = ["drain", "up ready"]

    def agent(connection: socket.socket) -> None:
        heard.append(connection.makefile("rb").readline())
        connection.sendall(answers[0].encode() + b"\n")

    with servers.serving(servers.silent) as port, servers.serving(agent) as agent_port:
        asked = {"port": agent_port, "interval": "100ms", "send": "how are you, 's'?"}
        case = Case("L4OK", {"agent": asked}, servers.silent)
        (folder / "haproxy.cfg").write_text(text({"web": (case, port)}))
        with haproxy(haproxy_program, folder) as runtime:
            for wanted in ("DRAIN", "UP"):
                deadline = time.monotonic() + 20
                while not {row.server: row.status for row in runtime.stat()}["s"].startswith(wanted):
                    assert time.monotonic() < deadline, wanted
                    time.sleep(0.02)
                answers[:] = answers[1:] or answers
    assert set(heard) == {b"how are you, 's'?\n"}
