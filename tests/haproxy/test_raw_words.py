"""What servers and binds say beyond their keys, and sections that answer by `raw` alone."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lbkit.haproxy.config.make import config_of
from lbkit.haproxy.text.render import render
from tests.haproxy.topologies import balancer, document, refused, resolved, with_
from tests.haproxy.versions import VERSIONS

BACKEND = "load_balancers.shop.backends.web"
FRONTEND = "load_balancers.shop.frontends.http"


def server(**settings: Any) -> dict[str, Any]:
    servers = [{"name": "one", "address": "192.0.2.1", "port": 80, **settings}]
    return with_(f"{BACKEND}.servers", servers)


def text_of(data: dict[str, Any]) -> str:
    return render(config_of(resolved(data), mark="lbkit:web", user=None))


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"raw": "pool-max-conn 5 tfo"}, "server one 192.0.2.1:80 weight 1 pool-max-conn 5 tfo"),
        ({"check": False}, "server one 192.0.2.1:80 weight 1 no-check"),
        ({"state": "maintenance", "raw": "tfo"}, "server one 192.0.2.1:80 weight 1 tfo disabled"),
    ],
)
def test_more_words_of_a_server(settings: dict[str, Any], line: str) -> None:
    assert f"    {line}\n" in text_of(server(**settings))


def test_a_server_has_a_cookie_of_its_own() -> None:
    data = with_(f"{BACKEND}.cookie", "SRV", server(cookie="s1.a"))
    assert "    server one 192.0.2.1:80 weight 1 cookie s1.a\n" in text_of(data)


def test_more_words_of_a_bind() -> None:
    data = with_(f"{FRONTEND}.bind", {"port": 80, "raw": "tfo name public"})
    assert "    bind :::80 v4v6 tfo name public\n" in text_of(data)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "not nothing"),
        (" tfo", "one space between"),
        ("tfo # x", "without quotes"),
        ('sni "a"', "without quotes"),
        ("a\nserver b", "without control characters"),
        ("weight 5", "`weight` has one"),
        ("tfo disabled", "`disabled` has one"),
        ("cookie a", "`cookie` has one"),
    ],
)
def test_words_that_would_mean_something_else_are_refused(words: str, said: str) -> None:
    refused(server(raw=words), said)
    refused(with_(f"{FRONTEND}.bind", {"port": 80, "raw": words}), said)


@pytest.mark.parametrize("version", VERSIONS)
def test_raw_alone_answers(version: str, haproxy_program: Callable[[str], Path], tmp_path: Path) -> None:
    shop = balancer(
        vip=None,
        frontends={
            "stats": {"bind": 8404, "raw": ["stats enable", "stats uri /"]},
            "http": {"bind": 80, "raw": ["use_backend closed if { path /closed }"], "backend": "web"},
        },
    )
    shop["backends"]["closed"] = {
        "servers": [],
        "raw": ["stick-table type ip size 1k expire 1m", "http-request deny deny_status 410"],
    }
    (tmp_path / "haproxy.cfg").write_text(text_of(document(load_balancers={"shop": shop})))
    (tmp_path / "servers.state").touch()
    argv = [haproxy_program(version), "-c", "-f", "haproxy.cfg"]
    checked = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_one_table_for_each_backend() -> None:
    data = with_(f"{BACKEND}.persist", "source")
    refused(with_(f"{BACKEND}.raw", ["stick-table type ip size 1k"], data), "`persist`, or a `stick-table`")


def test_without_servers_and_lines_a_backend_answers_nothing() -> None:
    refused(with_(f"{BACKEND}.servers", []), "at least one server")
