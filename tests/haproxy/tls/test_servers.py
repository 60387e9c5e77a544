"""TLS to servers, spoken by a real HAProxy to real servers: who is believed, and what health checks make of it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.haproxy.tls.authority import Authority
from tests.haproxy.tls.clients import get, trusting
from tests.haproxy.tls.running import Haproxy, config_in, document, free_port, running, web_server
from tests.haproxy.world import until

pytestmark = pytest.mark.sandbox

ROOT = Authority()
CLIENTS = Authority("Clients")
FRONT = ROOT.issue("a.example.org")
SERVER = ROOT.issue("web.internal")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    FRONT.write(tmp_path / "a.pem")
    SERVER.write(tmp_path / "server.pem")
    CLIENTS.issue("lb").write(tmp_path / "lb.pem")
    (tmp_path / "root.pem").write_bytes(ROOT.pem)
    return tmp_path


def speaking(folder: Path, *, asks: Authority | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    if asks is not None:
        context.load_verify_locations(cadata=asks.pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@contextmanager
def between(folder: Path, server: int, tls: Any, check: Any) -> Iterator[tuple[Haproxy, int]]:
    """An HAProxy before a server that speaks TLS, and its port."""
    port = free_port()
    servers = [{"name": "web", "address": "127.0.0.1", "port": server}]
    data = document(
        port,
        server,
        "a",
        certificates={"a": {"file": "a.pem"}, "lb": {"file": "lb.pem"}},
        authorities={"internal": {"file": "root.pem"}},
        backends={"web": {"servers": servers, "health_check": check, "retries": 0, "tls": tls}},
    )
    with running(folder / "haproxy", config_in(data, folder)) as haproxy:
        yield haproxy, port


BELIEVED: dict[str, tuple[dict[str, Any], str, int]] = {
    "its name": ({"ca": "internal", "server_name": "web.internal"}, "any.example.org", 200),
    "another name": ({"ca": "internal", "server_name": "db.internal"}, "any.example.org", 503),
    "a name that is not asked for": (
        {"ca": "internal", "verify_name": "web.internal"},
        "any.example.org",
        200,
    ),
    "another that is not asked for": (
        {"ca": "internal", "verify_name": "db.internal"},
        "any.example.org",
        503,
    ),
    "any name": ({"ca": "internal", "verify_name": False}, "any.example.org", 200),
    "the name of the request": ({"ca": "internal", "server_name_from_host": True}, "web.internal", 200),
    "not the name of the request": (
        {"ca": "internal", "server_name_from_host": True},
        "any.example.org",
        503,
    ),
    "nobody that the host trusts": ({"verify_name": False}, "any.example.org", 503),
    "whoever it is": ({"verify": False}, "any.example.org", 200),
}


@pytest.mark.parametrize("name", BELIEVED)
def test_servers_are_believed_by_authority_and_name(name: str, folder: Path) -> None:
    tls, asked, status = BELIEVED[name]
    with web_server(speaking(folder)) as server, between(folder, server, tls, False) as (_, port):
        assert get(port, asked, trusting(ROOT, check_name=False))[0] == status


def test_servers_are_shown_a_certificate_when_they_ask(folder: Path) -> None:
    tls = {"ca": "internal", "server_name": "web.internal"}
    with web_server(speaking(folder, asks=CLIENTS)) as server:
        with between(folder, server, tls, False) as (_, port):
            assert get(port, "a.example.org", trusting(ROOT))[0] in {502, 503}
        (folder / "haproxy").rename(folder / "before")
        with between(folder, server, {**tls, "certificate": "lb"}, False) as (_, port):
            assert get(port, "a.example.org", trusting(ROOT))[0] == 200


CHECK = {"protocol": "http", "interval": "50ms", "rise": 1, "fall": 1}


def state(haproxy: Haproxy) -> str:
    rows = haproxy.ask("show stat -1 4 -1").splitlines()
    names = rows[0].removeprefix("# ").split(",")
    row = dict(zip(names, next(row for row in rows if row.startswith("web,web,")).split(","), strict=True))
    return f"{row['status'].split()[0]} {row['check_status'].removeprefix('* ')}"


def test_health_checks_speak_tls_and_believe_no_more_than_requests_do(folder: Path) -> None:
    with web_server(speaking(folder)) as server:
        with between(folder, server, {"ca": "internal", "server_name": "web.internal"}, CHECK) as (
            haproxy,
            _,
        ):
            until(lambda: state(haproxy) == "UP L7OK", "checked by TLS")
        (folder / "haproxy").rename(folder / "before")
        with between(folder, server, {"ca": "internal", "server_name": "db.internal"}, CHECK) as (haproxy, _):
            until(lambda: state(haproxy) == "DOWN L6RSP", "another name")
