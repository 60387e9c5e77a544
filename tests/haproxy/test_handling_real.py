"""What a frontend does with requests and connections, against HAProxy itself."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.haproxy.serving import frontend_config, serving
from tests.haproxy.versions import VERSIONS, program

pytestmark = pytest.mark.sandbox


@pytest.fixture(params=VERSIONS)
def haproxy(request: pytest.FixtureRequest) -> str:
    return str(program(request.param))


def proxy(source: str) -> bytes:
    family = "TCP6" if ":" in source else "TCP4"
    return f"PROXY {family} {source} {'::1' if ':' in source else '192.0.2.1'} 1000 80\r\n".encode()


def test_sources_that_are_not_allowed_or_denied_get_403(haproxy: str, tmp_path: Path) -> None:
    lists = {"allow": ["127.0.0.0/28", "fd00::/8"], "deny": "127.0.0.2"}
    config = frontend_config({"backend": "web", **lists})
    with serving(config, tmp_path, haproxy) as served:
        for source, goes in (("127.0.0.1", "web"), ("127.0.0.2", "403"), ("127.0.0.16", "403")):
            assert served.ask(source=source).short == goes


def test_a_proxy_says_who_comes_and_what_comes_without_one_is_cut_off(haproxy: str, tmp_path: Path) -> None:
    config = frontend_config({"backend": "web", "allow": ["198.51.100.0/24", "fd00::1"]})
    port = config.frontends[0].binds[0].port
    bind = {"address": "127.0.0.1", "port": port, "accept_proxy": True}
    config = frontend_config(
        {
            "backend": "web",
            "bind": bind,
            "allow": ["198.51.100.0/24", "fd00::1"],
            "connections_per_source": {"connections": 5},
        }
    )
    with serving(config, tmp_path, haproxy) as served:
        heard = served.ask(before=proxy("198.51.100.7"))
        assert dict(heard.said["headers"])["x-forwarded-for"] == "198.51.100.7"
        assert served.ask(before=proxy("fd00::1")).short == "web"
        assert served.ask(before=proxy("fd00::2")).short == "403"
        assert served.raw_or_cut(b"GET / HTTP/1.0\r\n\r\n") == b""


@pytest.mark.parametrize("lists", [{"deny": ["127.0.0.2"]}, {"allow": "127.0.0.1"}])
def test_in_tcp_mode_sources_are_cut_off(haproxy: str, tmp_path: Path, lists: dict[str, Any]) -> None:
    config = frontend_config({"backend": "web", **lists}, mode="tcp")
    with serving(config, tmp_path, haproxy) as served:
        assert served.ask(source="127.0.0.1").short == "web"
        assert served.raw_or_cut(b"GET / HTTP/1.0\r\n\r\n", source="127.0.0.2") == b""


def test_a_client_gets_so_many_requests_and_others_theirs(haproxy: str, tmp_path: Path) -> None:
    limits = [
        {"requests": 3, "per": "1h"},
        {"requests": 2, "per": "1h", "by": {"header": "X-Key"}, "status": 503},
    ]
    config = frontend_config({"backend": "web", "rate_limit": limits})
    with serving(config, tmp_path, haproxy) as served:
        assert [served.ask(source="127.0.0.2").short for _ in range(5)] == ["web", "web", "web", "429", "429"]
        answer = served.ask(source="127.0.0.2")
        assert answer.headers["retry-after"] == "3600"
        assert answer.body == b"Too many requests"
        assert served.ask(source="127.0.0.3").short == "web"
        keyed = [served.ask(source=f"127.0.1.{n}", headers={"X-Key": "one"}).short for n in range(1, 5)]
        assert keyed == ["web", "web", "503", "503"]
        assert served.ask(source="127.0.1.9", headers={"X-Key": "other"}).short == "web"


def test_an_ipv6_client_is_its_network(haproxy: str, tmp_path: Path) -> None:
    config = frontend_config(
        {
            "backend": "web",
            "bind": {"address": "127.0.0.1", "port": 9000, "accept_proxy": True},
            "rate_limit": {"requests": 1, "per": "1h"},
        }
    )
    with serving(config, tmp_path, haproxy) as served:
        said = [served.ask(before=proxy(who)).short for who in ("fd00::1", "fd00::2", "fd00:0:0:1::1")]
        assert said == ["web", "429", "web"]


def test_one_source_has_so_many_connections(haproxy: str, tmp_path: Path) -> None:
    config = frontend_config({"backend": "web", "connections_per_source": {"connections": 2}})
    with serving(config, tmp_path, haproxy) as served, ExitStack() as stack:
        for _ in range(2):
            client = stack.enter_context(
                socket.create_connection(("127.0.0.1", served.port), 10, ("127.0.0.2", 0))
            )
            client.sendall(b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
            assert client.recv(9) == b"HTTP/1.1 "
        assert served.raw_or_cut(b"GET / HTTP/1.0\r\n\r\n", source="127.0.0.2") == b""
        assert served.ask(source="127.0.0.3").short == "web"


def test_headers_are_removed_set_and_added(haproxy: str, tmp_path: Path) -> None:
    text = "50%{+Q}[src] \"x\" 'y' $HOME \\ # %[src] caf\u00e9"
    headers = {
        "request": {"remove": ["X-Forwarded-For", "Cookie"], "set": {"X-Text": text}, "add": {"X-Two": "2"}},
        "response": {"remove": "Server", "set": {"X-Frame-Options": "DENY"}, "add": {"X-Text": text}},
    }
    routes = [{"path": "/old", "redirect": {"to": "/new"}}, {"path": "/no", "reject": 403}]
    config = frontend_config(
        {"backend": "web", "headers": headers, "forwarded_proto": True, "routes": routes}
    )
    with serving(config, tmp_path, haproxy) as served:
        sent = {"X-Forwarded-For": "6.6.6.6", "X-Text": "theirs", "X-Two": "1", "x-forwarded-proto": "https"}
        answer = served.ask(headers=sent)
        heard = [(name.lower(), value) for name, value in answer.said["headers"]]
        as_sent = text.encode().decode("latin-1")
        assert [value for name, value in heard if name == "x-text"] == [as_sent]
        assert [value for name, value in heard if name == "x-two"] == ["1", "2"]
        assert [value for name, value in heard if name == "x-forwarded-for"] == ["127.0.0.1"]
        assert [value for name, value in heard if name == "x-forwarded-proto"] == ["http"]
        assert "server" not in answer.headers
        assert answer.headers["x-text"] == as_sent
        for path in ("/old", "/no"):  # HAProxy's own answers have them too
            assert served.ask(path=path).headers["x-frame-options"] == "DENY"


def test_requests_without_tls_are_sent_to_it(haproxy: str, tmp_path: Path) -> None:
    with serving(frontend_config({"backend": "web", "https_redirect": True}), tmp_path, haproxy) as served:
        assert served.ask("shop.test:8080", "/a?b=%20").short == "301 https://shop.test/a?b=%20"
        assert served.ask("[fd00::1]:80", "/").short == "301 https://[fd00::1]/"
        assert served.ask("", "/").status == 400
        assert served.raw(b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_requests_are_sent_to_a_port_of_ones_own(haproxy: str, tmp_path: Path) -> None:
    redirect = {"code": 308, "port": 8443}
    with serving(
        frontend_config({"backend": "web", "https_redirect": redirect}), tmp_path, haproxy
    ) as served:
        assert served.ask(path="//other.test/").short == "308 https://shop.test:8443//other.test/"


def test_answers_are_compressed_for_who_asks_for_it(haproxy: str, tmp_path: Path) -> None:
    config = frontend_config({"backend": "web", "compression": True, "connections_per_second": 1000})
    with serving(config, tmp_path, haproxy) as served:
        assert served.ask(headers={"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"
        assert "content-encoding" not in served.ask().headers
