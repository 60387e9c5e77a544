"""What a frontend does with requests that came by TLS."""

from __future__ import annotations

import http.client
from pathlib import Path
from typing import Any

import pytest

from tests.haproxy.tls.authority import Authority
from tests.haproxy.tls.clients import Connection, trusting
from tests.haproxy.tls.http2 import Http2
from tests.haproxy.tls.running import config_in, document, free_port, running, web_server

pytestmark = pytest.mark.sandbox

ROOT = Authority()
SHOP = ROOT.issue("shop.test", "*.shop.test")


def declared(port: int, server: int, frontend: dict[str, Any], folder: Path) -> dict[str, Any]:
    """`frontend` speaks TLS at `port`."""
    SHOP.write(folder / "shop.pem")
    bind = {"address": "127.0.0.1", "port": port, "tls": "shop"}
    data = document(port, server, "shop", certificates={"shop": {"file": "shop.pem"}})
    front = data["load_balancers"]["shop"]["frontends"]["https"]
    front |= {"bind": [bind, *frontend.pop("bind", [])]} | frontend
    return data


def asked(port: int, path: str = "/") -> http.client.HTTPResponse:
    connection = Connection(port, "shop.test", trusting(ROOT))
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def test_browsers_are_told_to_come_by_tls(tmp_path: Path) -> None:
    port, plain = free_port(), free_port()
    front = {
        "bind": [{"address": "127.0.0.1", "port": plain}],
        "https_redirect": {"port": port},
        "hsts": {"days": 2, "subdomains": True},
        "routes": [
            {"path": "/gone", "reject": 410},
            {"path": "/moved", "redirect": {"to": "/"}},
        ],
    }
    with (
        web_server() as server,
        running(tmp_path / "haproxy", config_in(declared(port, server, front, tmp_path), tmp_path)),
    ):
        for path, status in (("/", 200), ("/gone", 410), ("/moved", 302)):
            answer = asked(port, path)
            assert answer.status == status
            assert answer.headers["Strict-Transport-Security"] == "max-age=172800; includeSubDomains"
        client = http.client.HTTPConnection("127.0.0.1", plain, timeout=10)
        client.request("GET", "/x?y", headers={"Host": "shop.test"})
        answer = client.getresponse()
        assert (answer.status, answer.headers["Location"]) == (301, f"https://shop.test:{port}/x?y")
        assert answer.headers["Strict-Transport-Security"] is None
        client.close()


def test_the_authority_of_http2_is_the_host(tmp_path: Path) -> None:
    port = free_port()
    front = {
        "routes": [{"host": "*.shop.test", "reject": 410}, {"host": "shop.test", "path": "/", "reject": 404}]
    }
    with (
        web_server() as server,
        running(tmp_path / "haproxy", config_in(declared(port, server, front, tmp_path), tmp_path)),
    ):
        for name, status in (("A.shop.test", 410), ("Shop.test", 404), ("other.test", 200)):
            client = Http2(port, name)
            assert client.get(2) == [status, status]
            client.close()


def test_connections_whose_tls_ends_here_go_by_its_name_too(tmp_path: Path) -> None:
    port = free_port()
    with web_server() as one:
        front = {"mode": "tcp", "backend": None, "routes": [{"sni": "*.shop.test", "backend": "web"}]}
        data = declared(port, one, front, tmp_path)
        with running(tmp_path / "haproxy", config_in(data, tmp_path)):
            connection = Connection(port, "a.shop.test", trusting(ROOT))
            assert connection.get()[0] == 200
            connection.close()
            other = Connection(port, "shop.test", trusting(ROOT))
            with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
                other.get()
            other.close()
