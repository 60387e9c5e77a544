"""What backends and processes do by what is declared of them: real HAProxys on loopback, of each version."""

from __future__ import annotations

import http.client
import http.server
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from lbkit.engine.applying import ApplyFailed
from lbkit.haproxy.config.make import config_of
from lbkit.haproxy.config.sections import Config, Peers
from lbkit.haproxy.text.render import render
from tests.haproxy.bare import Bare, eventually, standing
from tests.haproxy.topologies import balancer, document, resolved
from tests.haproxy.versions import VERSIONS, program
from tests.haproxy.world import World, until
from tests.haproxy.world import get as fetch

pytestmark = pytest.mark.sandbox

PORT = 18080


def test_a_topology_with_all_of_it_stands(world: World) -> None:
    world.shop.update(
        peers=True,
        metrics={"bind": 8405},
        tuning={"threads": 1, "spread_checks": 5},
        log="192.0.2.5",
        program="/usr/sbin/haproxy",
        raw=["tune.h2.max-concurrent-streams 50"],
    )
    backend = world.shop["backends"]["web"]
    backend.update(persist="source", source="back", raw=["option http-pretend-keepalive"])
    backend["servers"][0].update(maxconn=100, minconn=10, maxqueue=1000)
    world.apply()
    assert not world.plan()
    assert len({fetch().split("/")[1] for _ in range(6)}) == 1
    holder = world.holders()[0]
    for member in ("lb-1", "lb-2"):
        with world.haproxy(member).runtime() as runtime:
            until(lambda: "used:1" in runtime.ask("show table web"), f"{member} knows the client")
    [address] = world.scope.book.entries["machines.lb"][int(holder[-1]) - 1].addresses["front"]
    assert "haproxy_process_nbthread 1" in fetch(str(address), 8405, "/metrics")


def test_a_raw_line_that_haproxy_does_not_take_changes_nothing(world: World) -> None:
    world.apply()
    world.shop["backends"]["web"]["raw"] = ["bogus word"]
    with pytest.raises(ApplyFailed) as caught:
        world.apply()
    assert "unknown keyword 'bogus' in 'backend' section" in caught.value.found
    fetch()
    del world.shop["backends"]["web"]["raw"]
    assert not world.plan()


class Named(http.server.BaseHTTPRequestHandler):
    """Answers the name of its server, and the address that the request came from."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = f"{self.server.server_name} {self.client_address[0]}".encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        with suppress(ConnectionResetError):
            super().handle()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def servers() -> Iterator[list[dict[str, Any]]]:
    """Two web servers on loopback, `a` and `b`, as a topology declares them."""
    made = []
    for name in ("a", "b"):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Named)
        server.server_name = name
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        made.append(server)
    yield [
        {"name": each.server_name, "address": "127.0.0.1", "port": each.server_address[1]} for each in made
    ]
    for each in made:
        each.shutdown()
        each.server_close()


def configured(backend: dict[str, Any], mode: str = "http", **fields: Any) -> Config:
    front = {"bind": f"127.0.0.1:{PORT}", "mode": mode, "backend": "web"} | fields.pop("frontend", {})
    data = document(
        load_balancers={
            "shop": balancer(vip=None, frontends={"front": front}, backends={"web": backend}, **fields)
        }
    )
    return config_of(resolved(data), mark="lbkit:web:haproxy/lb-1/shop", user=None)


def get(
    path: str = "/", *, port: int = PORT, source: str = "127.0.0.1", cookie: str = ""
) -> tuple[int, str, str]:
    """The status, the body, and the cookie that is set."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=(source, 0))
    try:
        connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.getheader("Set-Cookie") or ""
    finally:
        connection.close()


def served_by(source: str = "127.0.0.1", cookie: str = "") -> str:
    status, body, _ = get(source=source, cookie=cookie)
    assert status == 200, body
    return body.split()[0]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("dynamic", [False, True])
def test_a_cookie_keeps_a_browser(
    version: str, *, dynamic: bool, servers: list[dict[str, Any]], tmp_path: Path
) -> None:
    cookie = {"name": "SRV", "dynamic": dynamic, "same_site": "lax"}
    config = configured({"servers": servers, "cookie": cookie, "health_check": False})
    with standing(program(version), tmp_path, render(config)):
        _, body, said = get()
        assert "HttpOnly" in said
        assert "SameSite=Lax" in said
        value = said.partition(";")[0]
        assert (value == f"SRV={body.split()[0]}") is not dynamic
        assert {served_by(cookie=value) for _ in range(6)} == {body.split()[0]}
        assert {served_by() for _ in range(6)} == {"a", "b"}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_table_keeps_clients_and_outlives_a_reload(
    version: str, servers: list[dict[str, Any]], tmp_path: Path
) -> None:
    config = configured({"servers": servers, "persist": "source", "health_check": False})
    clients = [f"127.0.0.{number}" for number in range(2, 8)]
    with standing(program(version), tmp_path, render(config)) as haproxy:
        first = {client: served_by(client) for client in clients}
        assert set(first.values()) == {"a", "b"}
        assert {client: served_by(client) for client in clients} == first
        # 2.6 hands tables on only after it has given up asking others for theirs, 5 s after its start
        eventually(lambda: version != "2.6" or "resync_timeout=<PAST>" in haproxy.ask("show peers"))
        before = pid(haproxy)
        haproxy.master("reload")
        eventually(lambda: pid(haproxy) != before)
        eventually(lambda: f"used:{len(clients)}" in haproxy.ask("show table web"))
        assert {client: served_by(client) for client in clients} == first


def pid(haproxy: Bare) -> str | None:
    try:
        found = re.search(r"Pid: (\d+)", haproxy.ask("show info"))
    except OSError:
        return None
    return found[1] if found else None


@pytest.mark.parametrize("version", VERSIONS)
def test_members_tell_each_other_their_tables(
    version: str, servers: list[dict[str, Any]], tmp_path: Path
) -> None:
    config = configured({"servers": servers, "persist": "source", "health_check": False})
    members = {"lb-1": ip_address("127.0.0.1"), "lb-2": ip_address("127.0.0.2")}
    other = replace(config.frontends[0], binds=(replace(config.frontends[0].binds[0], port=PORT + 1),))
    one = replace(config, peers=Peers("lb-1", members, 10_240))
    two = replace(config, peers=Peers("lb-2", members, 10_240), frontends=(other,))
    folders = [tmp_path / "1", tmp_path / "2"]
    for folder in folders:
        folder.mkdir()
    with (
        standing(program(version), folders[0], render(one)),
        standing(program(version), folders[1], render(two)) as second,
    ):
        kept = served_by("127.0.0.9")
        eventually(lambda: "key=::ffff:127.0.0.9" in second.ask("show table web"))
        assert f"server_key={kept}" in second.ask("show table web")


@pytest.mark.parametrize("version", VERSIONS)
def test_prometheus_gets_its_numbers(version: str, servers: list[dict[str, Any]], tmp_path: Path) -> None:
    config = configured({"servers": servers}, metrics={"bind": f"127.0.0.1:{PORT + 1}"})
    with standing(program(version), tmp_path, render(config)):
        status, body, _ = get("/metrics", port=PORT + 1)
        assert status == 200
        assert 'haproxy_server_status{proxy="web",server="a"' in body
        assert get("/", port=PORT + 1)[0] == 404


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", ["http", "tcp"])
def test_the_log_arrives_and_is_json(
    version: str, mode: str, servers: list[dict[str, Any]], tmp_path: Path
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as syslog:
        syslog.bind(("127.0.0.1", 0))
        syslog.settimeout(20)
        config = configured(
            {"servers": servers, "health_check": False},
            mode,
            frontend={"log_format": "json"},
            log={"address": f"127.0.0.1:{syslog.getsockname()[1]}", "format": "raw", "level": "info"},
        )
        with standing(program(version), tmp_path, render(config)):
            get('/a"b\\c')
            line = next(text for text in iter(lambda: syslog.recv(65536), b"") if text.startswith(b"{"))
    said = json.loads(line)
    assert (said["client"], said["frontend"], said["backend"]) == ("127.0.0.1", "front", "web")
    assert said["server"] in {"a", "b"}
    if mode == "http":
        assert (said["status"], said["method"], said["uri"]) == (200, "GET", '/a"b\\c')


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_by_name_comes_up(version: str, servers: list[dict[str, Any]], tmp_path: Path) -> None:
    with nameserver({"db.example.test.": "127.0.0.1"}) as asked:
        named = {"name": "db", "address": "db.example.test", "port": servers[0]["port"]}
        config = configured(
            {"servers": [named], "health_check": {"interval": "50ms", "rise": 1}},
            resolvers={"nameservers": [f"127.0.0.1:{asked}"], "interval": "50ms"},
        )
        with standing(program(version), tmp_path, render(config)) as haproxy:
            eventually(lambda: (haproxy.state("web", "db") or {})["srv_addr"] == "127.0.0.1")
            eventually(lambda: get()[0] == 200)
            assert (haproxy.state("web", "db") or {})["srv_fqdn"] == "db.example.test"


@contextmanager
def nameserver(addresses: dict[str, str]) -> Iterator[int]:
    """Answers for A records, on a port of loopback."""
    import dns.message  # noqa: PLC0415
    import dns.rrset  # noqa: PLC0415

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(0.05)
        over = threading.Event()

        def answer() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    wire, client = listener.recvfrom(65536)
                    query = dns.message.from_wire(wire)
                    reply = dns.message.make_response(query)
                    asked = query.question[0]
                    if asked.rdtype == 1:
                        name = asked.name.to_text()
                        reply.answer.append(dns.rrset.from_text(name, 30, "IN", "A", addresses[name]))
                    listener.sendto(reply.to_wire(), client)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            thread.join()


@dataclass
class Heard:
    port: int
    first: list[bytes]


@pytest.fixture
def listener() -> Iterator[Heard]:
    """A server that keeps what each connection says first."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard = Heard(server.getsockname()[1], [])

        def listen() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    heard.first.append(connection.recv(4096))

        thread = threading.Thread(target=listen)
        thread.start()
        yield heard
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("proxy", "begin"), [("v1", b"PROXY TCP4 127.0.0.7 127.0.0.1 "), ("v2", b"\r\n\r\n\0\r\nQUIT\n")]
)
def test_servers_learn_the_client_s_address(
    version: str, proxy: str, begin: bytes, listener: Heard, tmp_path: Path
) -> None:
    server = {"name": "a", "address": "127.0.0.1", "port": listener.port}
    config = configured({"servers": [server], "send_proxy": proxy, "health_check": False}, "tcp")
    with standing(program(version), tmp_path, render(config)):
        with socket.create_connection(("127.0.0.1", PORT), 10, ("127.0.0.7", 0)) as client:
            client.sendall(b"hello")
        eventually(lambda: listener.first)
    assert listener.first[0].startswith(begin)


def test_connections_to_servers_come_from_where_it_is_said(
    servers: list[dict[str, Any]], tmp_path: Path
) -> None:
    config = configured({"servers": servers, "health_check": False})
    backend = replace(config.backends[0], source=ip_address("127.0.0.77"))
    with standing(program("2.6"), tmp_path, render(replace(config, backends=(backend,)))):
        assert get()[1].endswith(" 127.0.0.77")


@pytest.mark.parametrize("version", VERSIONS)
def test_servers_are_what_is_declared_of_them(
    version: str, servers: list[dict[str, Any]], tmp_path: Path
) -> None:
    servers[0] |= {"weight": 200}
    servers[1] |= {"state": "maintenance", "weight": 7}
    check = {"interval": "50ms", "rise": 1}
    config = configured({"servers": servers, "slow_start": "10h", "health_check": check})
    with standing(program(version), tmp_path, render(config)) as haproxy:
        one, two = haproxy.state("web", "a"), haproxy.state("web", "b")
        assert one is not None
        assert two is not None
        assert (one["srv_uweight"], one["srv_admin_state"]) == ("200", "0")
        assert (two["srv_uweight"], two["srv_op_state"]) == ("7", "0")
        assert two["srv_admin_state"] != "0"
        assert {served_by() for _ in range(4)} == {"a"}
        haproxy.tell("set server web/a state maint", "set server web/a state ready")
        eventually(lambda: "web,a," in haproxy.ask("show stat"))
        assert int(effective_weight(haproxy, "a")) < 200


def effective_weight(haproxy: Bare, server: str) -> str:
    head, *rows = haproxy.ask("show stat").splitlines()
    column = head.removeprefix("# ").split(",").index("weight")
    return next(row.split(",")[column] for row in rows if row.startswith(f"web,{server},"))
