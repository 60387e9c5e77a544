"""What a haproxy.cfg becomes: nothing of it is lost without a word, and what lbkit renders means the same."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lbkit.base.errors import Mistake
from lbkit.haproxy.importing.cfg import lines
from lbkit.haproxy.importing.report import Report, Way
from lbkit.haproxy.importing.whole import imported
from tests.haproxy.importing.imports import ALL, case, differing, made, put
from tests.haproxy.versions import VERSIONS

FRAME = """
defaults
    mode http
    timeout connect 1s
    timeout client 2s
    timeout server 3s
frontend f
    bind :80
{front}
    default_backend b
backend b
{back}
    server s 10.0.0.1:80{words}
"""


def text(*, front: str = "", back: str = "", words: str = "", before: str = "") -> str:
    return before + FRAME.format(front=f"    {front}", back=f"    {back}", words=f" {words}" if words else "")


def shop(original: str) -> dict[str, Any]:
    found: dict[str, Any] = imported(original, name="shop").document["load_balancers"]["shop"]
    return found


def report(original: str) -> Report:
    return imported(original, name="shop").report


def about(original: str, way: Way) -> dict[str, str]:
    return {entry.text: entry.about for entry in report(original).of(way)}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ALL)
def test_what_is_rendered_means_the_same_and_haproxy_takes_it(
    version: str, name: str, haproxy_program: Callable[[str], Path], tmp_path: Path
) -> None:
    original = case(name)
    of = made(original)
    assert differing(original, of) == []
    put(of, tmp_path)
    (tmp_path / "original.cfg").write_text(original)
    for file in ("original.cfg", "haproxy.cfg"):
        argv = [haproxy_program(version), "-c", "-f", file]
        checked = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("name", ALL)
def test_each_line_is_told_of_once(name: str) -> None:
    entries = report(case(name)).entries
    heads = {"global", "defaults", "frontend", "backend", "listen", "userlist", "cache", "resolvers", "peers"}
    wanted = {line.number for line in lines(case(name)) if line.words[0] not in heads}
    assert set(entries) == wanted
    for entry in entries.values():
        assert entry.way is not Way.LEFT_OUT or entry.about


@pytest.mark.parametrize("name", ALL)
def test_an_import_is_always_the_same(name: str) -> None:
    assert made(case(name)).yaml == made(case(name)).yaml


def test_comments_say_where_parts_come_from() -> None:
    yaml = made(case("shop")).yaml
    assert "maxconn: 2000  # haproxy.cfg:9\n" in yaml
    assert "      web:  # haproxy.cfg:32\n" in yaml


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("balance uri whole depth 3", {"balance": "uri", "hash": {"whole": True, "depth": 3, "type": "map-based"}}),
        ("balance url_param user", {"balance": "url_param(user)", "hash": {"type": "map-based"}}),
        ("option redispatch 1", {"redispatch": None}),
        ("option srvtcpka", {"keepalive": True}),
        ("retry-on conn-failure 503", {"retry_on": ["conn-failure", 503]}),
        ("cookie A prefix", {"cookie": {"name": "A", "method": "prefix"}}),
        ("cookie A insert indirect maxidle 30m", {"cookie": {"name": "A", "nocache": False, "httponly": False, "max_idle": "30m"}}),
        ("stick-table type ip size 200 expire 5m\n stick on src", {"persist": {"by": "source", "size": 200, "expire": "5m"}}),
    ],
)  # fmt: skip
def test_lines_of_a_backend_become_keys(line: str, keys: dict[str, Any]) -> None:
    original = text(back=line)
    backend = shop(original)["backends"]["b"]
    assert {key: backend.get(key) for key in keys} == keys
    assert not report(original).count(Way.RAW)
    made(original)


@pytest.mark.parametrize(
    ("front", "keys"),
    [
        ("http-request deny if { src 10.0.0.0/8 }", {"deny": ["10.0.0.0/8"]}),
        ("acl in src 10.0.0.1 fd00::/8\n http-request deny if !in", {"allow": ["10.0.0.1", "fd00::/8"]}),
        ("http-request del-header X-A\n http-request add-header X-B 5%%", {"headers": {"request": {"remove": ["X-A"], "add": {"X-B": "5%"}}}}),
        ("option forwardfor", {"forwarded_for": None}),
        ("log-format %ci\\ %ST", {"log_format": "%ci %ST"}),
        ("compression algo gzip\n compression type text/css", {"compression": {"algorithms": ["gzip"], "types": ["text/css"]}}),
    ],
)  # fmt: skip
def test_lines_of_a_frontend_become_keys(front: str, keys: dict[str, Any]) -> None:
    original = text(front=front)
    frontend = shop(original)["frontends"]["f"]
    assert {key: frontend.get(key) for key in keys} == keys
    assert not report(original).count(Way.RAW)
    assert differing(original, made(original)) == []


@pytest.mark.parametrize(
    "front",
    [
        "http-request deny if { src 10.0.0.0/8 }\n http-request redirect location / if { path /a }",
        "http-request set-header X-A %[src]",
        "http-request set-header X-A b\n http-request del-header X-A",
        "http-request deny if { src 10.0.0.0/8 } { path /a }",
        "http-request redirect scheme https unless { ssl_fc }",
        "http-response set-header X-A b",
        "option forwardfor except 127.0.0.1",
        "acl a src 10.0.0.1\n http-request deny if a\n use_backend b if a",
    ],
)
def test_rules_that_keys_would_move_or_change_stay_as_they_are(front: str) -> None:
    original = text(front=front)
    of = made(original)
    assert differing(original, of) == []
    assert of.found.report.count(Way.RAW)


@pytest.mark.parametrize(
    ("words", "server"),
    [
        ("weight 5 backup", {"weight": 5, "backup": True}),
        ("disabled maxconn 3 minconn 2", {"state": "maintenance", "maxconn": 3, "minconn": 2}),
        ("pool-max-conn 7 tfo", {"raw": "pool-max-conn 7 tfo"}),
        ("source 10.0.0.9 usesrc clientip", {"raw": "source 10.0.0.9 usesrc clientip"}),
    ],
)
def test_words_of_a_server_become_its_keys(words: str, server: dict[str, Any]) -> None:
    original = text(words=words)
    assert shop(original)["backends"]["b"]["servers"] == [
        {"name": "s", "address": "10.0.0.1", "port": 80, **server}
    ]
    assert differing(original, made(original)) == []


@pytest.mark.parametrize(
    ("words", "backend"),
    [
        ("check", {"health_check": {"timeout": "2s"}}),
        ("check port 81 rise 1", {"health_check": {"port": 81, "rise": 1, "timeout": "2s"}}),
        ("check agent-check agent-port 9 agent-inter 5s", {"health_check": {"agent": {"port": 9, "interval": "5s"}, "timeout": "2s"}}),
        ("send-proxy-v2 slowstart 5s", {"send_proxy": "v2", "slow_start": "5s", "health_check": False}),
        ("ssl verify none", {"tls": {"verify": False}}),
        ("ssl verify required ca-file /etc/ca.pem sni str(a.test)", {"tls": {"ca": "ca", "server_name": "a.test"}}),
        ("check observe layer4 error-limit 3 on-error mark-down", {"observe": "layer4", "error_limit": 3, "on_error": "mark-down"}),
    ],
)  # fmt: skip
def test_what_all_servers_have_is_said_of_the_backend(words: str, backend: dict[str, Any]) -> None:
    found = shop(text(words=words))["backends"]["b"]
    assert {key: found.get(key) for key in backend} == backend
    assert "raw" not in found["servers"][0]


@pytest.mark.parametrize(
    ("original", "line", "why"),
    [
        (text(before="global\n chroot /var/empty\n"), "chroot /var/empty", "sees the host's files"),
        (text(before="program p\n command true\n"), "command true", "machines.NAME.run"),
        (text(before=".if defined(A)\n.endif\n"), ".if defined(A)", "reads no `.if`"),
        (text(back='log "oops'), 'log "oops', "a quote that is closed"),
        (text(back="server t /run/t.sock"), "server t /run/t.sock", "an address or a name, and a port"),
        (text(back="id 7"), "id 7", "HAProxy's own"),
        (text(front="bind unix@/run/f.sock"), "bind unix@/run/f.sock", "ports of addresses"),
    ],
)  # fmt: skip
def test_what_is_left_out_is_told_with_the_reason(original: str, line: str, why: str) -> None:
    assert why in about(original, Way.LEFT_OUT)[line]
    made(original)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('http-request set-header X-A "$PLACE"', "no environment variable PLACE"),
        ("http-request deny if { src -f bad.lst }", "the whole path of bad.lst"),
        ("use_backend %[path,map_beg(paths.map,b)]", "the whole path of paths.map"),
        ("errorfile 503 errors/503.http", "the whole path of errors/503.http"),
    ],
)
def test_what_is_not_as_before_is_told_of_a_line_that_is(line: str, said: str) -> None:
    original = text(front=line)
    assert line in shop(original)["frontends"]["f"]["raw"]
    assert said in about(original, Way.RAW)[line]


@pytest.mark.parametrize(
    "original", ["", "global\n maxconn 5\n", "backend b\n server s 10.0.0.1:80\n", "\0\\x\n'"]
)
def test_without_a_frontend_nothing_is_imported(original: str) -> None:
    with pytest.raises(Mistake, match="a frontend that listens"):
        imported(original, name="shop")


def test_addresses_of_binds_become_those_of_a_machine_and_of_the_virtual_address() -> None:
    original = text(front="bind 192.0.2.1:81\n bind 192.0.2.9:81")
    document = imported(original, name="shop", machines="edge").document
    assert document["machines"] == {"edge": {"networks": {"net1": {"addresses": "192.0.2.1"}}}}
    assert document["networks"] == {"net1": {"cidr": "192.0.2.0/24", "nat": True, "gateway": "192.0.2.254"}}
    assert document["load_balancers"]["shop"]["vip"] == {"network": "net1", "address": "192.0.2.9"}
    made(original)
