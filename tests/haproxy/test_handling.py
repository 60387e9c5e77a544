"""What a frontend does with what comes in, as it stands in HAProxy's configuration and in the files beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lbkit.haproxy.config.files import FileKind
from lbkit.haproxy.config.sections import Config
from lbkit.haproxy.text.render import render
from tests.haproxy.serving import check, frontend_config, put
from tests.haproxy.topologies import refused, with_

GOLDEN = Path(__file__).with_name("golden")
FRONTEND = "load_balancers.shop.frontends.http"

CASES: dict[str, tuple[dict[str, Any], str]] = {
    "handling-http": (
        {
            "bind": {"port": 8000, "accept_proxy": True},
            "backend": "web",
            "allow": ["10.0.0.0/8", "192.0.2.7", "fd00::/8"],
            "deny": [],
            "connections_per_source": {"connections": 20, "clients": 1000},
            "connections_per_second": 500,
            "rate_limit": [
                {"requests": 100},
                {"requests": 5, "per": "1m", "by": {"header": "X-Key"}, "status": 503},
            ],
            "https_redirect": {"port": 8443},
            "routes": [
                {"host": "shop.test", "path_prefix": "/api", "backend": "api"},
                {"host": "*.shop.test", "redirect": {"to": "https://shop.test", "keep_path": True}},
                {"path_regex": "/x[0-9]+", "reject": 403},
                {"path": "/old", "headers": {"X-A": "a b", "X-B": "1"}, "redirect": {"to": "/new"}},
            ],
            "headers": {
                "request": {"remove": "Cookie", "set": {"X-A": "50%"}, "add": {"X-B": "it's"}},
                "response": {"remove": ["Server"], "set": {"X-Frame-Options": "DENY"}},
            },
            "forwarded_proto": True,
            "compression": True,
        },
        "http",
    ),
    "handling-hosts": ({"bind": 8000, "routes": [{"host": "shop.test", "backend": "web"}]}, "http"),
    "handling-tcp": (
        {
            "bind": 8000,
            "deny": "192.0.2.0/24",
            "connections_per_source": {"connections": 20},
            "routes": [{"sni": ["shop.test", "*.shop.test"], "backend": "web"}],
        },
        "tcp",
    ),
}


def of_frontend(config: Config) -> str:
    """The frontend, the tables that it counts in, and its files."""
    found = [each for each in render(config).split("\n\n") if each.startswith(("frontend ", "peers "))]
    files = [f"# {file.path} {file.kind}\n{file.content.decode()}".strip() for file in config.files]
    return "\n\n".join(each.strip() for each in [*found, *files]) + "\n"


@pytest.mark.parametrize("name", CASES)
def test_the_text_is_as_agreed_and_haproxy_accepts_it(name: str, tmp_path: Path) -> None:
    frontend, mode = CASES[name]
    config = frontend_config(frontend, ("web", "api"), mode)
    assert of_frontend(config) == (GOLDEN / f"{name}.cfg").read_text()
    put(config, tmp_path)
    assert check(tmp_path) == ""


def test_lists_of_sources_change_without_the_text() -> None:
    one = frontend_config({"bind": "127.0.0.1:80", "backend": "web", "allow": "10.0.0.0/8", "deny": []})
    other = frontend_config(
        {"bind": "127.0.0.1:80", "backend": "web", "allow": ["::1", "10.0.0.1"], "deny": ["10.0.0.2"]}
    )
    assert of_frontend(one).partition("# lists")[0] == of_frontend(other).partition("# lists")[0]
    assert [(file.path, file.kind, file.content) for file in other.files] == [
        ("lists/http.allow.list", FileKind.LIST, b"10.0.0.1/32\n::1/128\n"),
        ("lists/http.deny.list", FileKind.LIST, b"10.0.0.2/32\n"),
    ]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("hsts", True, "a bind with tls"),
        ("allow", [], "at least 1"),
        ("allow", "10.0.0.1/8", "10.0.0.0/8"),
        ("rate_limit", {"requests": 0}, "at least 1"),
        ("rate_limit", [{"requests": 1}] * 3, "at most 2"),
        ("headers", {"request": {"set": {"Content-Length": "1"}}}, "where a message ends"),
        ("headers", {"response": {"add": {"X": "a\r\nb"}}}, "one line"),
        ("compression", {"types": "text/*"}, "a media type"),
    ],
)
def test_what_cannot_be_meant_is_said(key: str, value: object, words: str) -> None:
    refused(with_(f"{FRONTEND}.{key}", value), words)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rate_limit", {"requests": 1}),
        ("https_redirect", True),
        ("hsts", True),
        ("headers", {"request": {"remove": "X"}}),
        ("forwarded_proto", True),
        ("compression", True),
    ],
)
def test_tcp_mode_knows_nothing_of_requests(key: str, value: object) -> None:
    frontend = {"bind": 80, "mode": "tcp", "backend": "web", key: value}
    refused(with_(FRONTEND, frontend), f"'{key}'", "nothing about HTTP in tcp mode")
