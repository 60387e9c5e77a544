"""What backends, servers and processes can say, by HAProxy's own eyes."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from lbkit.haproxy.config.make import config_of
from lbkit.haproxy.config.sections import Config
from lbkit.haproxy.spec.raw import (
    OF_BACKEND,
    OF_GLOBAL,
    SECTIONS,
    RawBackend,
    RawDefaults,
    RawFrontend,
    RawGlobal,
)
from lbkit.haproxy.text.render import render
from tests.haproxy.drawing import balancers
from tests.haproxy.topologies import Document, balancer, document, refused, resolved, with_
from tests.haproxy.versions import VERSIONS, program

SHOP = "load_balancers.shop"
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "30"))
"""Of each version. `make fuzz` asks for more."""
WEB = f"{SHOP}.backends.web"
SHARED = "check inter 2000 rise 2 fall 3 slowstart 10000 send-proxy-v2 observe layer7 on-error mark-down"


def text_of(data: Document, member: str = "lb-1") -> str:
    return render(
        config_of(resolved(data), mark=f"lbkit:web:haproxy/{member}/shop", user=None, member=member)
    )


def lines_of(text: str) -> dict[str, list[str]]:
    """The lines of each section, by its head."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("    "):
            found[next(reversed(found))].append(line.strip())
        elif line and not line.startswith("#"):
            found[line] = []
    return found


def web(**fields: Any) -> Document:
    data = document()
    data["load_balancers"]["shop"]["backends"]["web"] |= fields
    return data


def shop(**fields: Any) -> Document:
    return document(load_balancers={"shop": balancer(**fields)})


@pytest.mark.parametrize("version", VERSIONS)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # each example starts HAProxy: too slow to shrink
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(drawn=balancers())
def test_whatever_is_accepted_is_what_haproxy_takes(
    version: str, drawn: dict[str, Any], tmp_path: Path
) -> None:
    text = text_of(document(load_balancers={"shop": drawn}))
    assert complaints(text, version, tmp_path) == ""
    found = lines_of(text)
    for name, backend in drawn["backends"].items():
        servers = [shlex.split(line) for line in found[f"backend {name}"] if line.startswith("server ")]
        assert [words[1] for words in servers] == [server["name"] for server in backend["servers"]]
        for words, server in zip(servers, backend["servers"], strict=True):
            assert words[2].replace("[", "").replace("]", "") == f"{server['address']}:{server['port']}"
            assert ("disabled" in words) == (server.get("state") == "maintenance")
            assert ("backup" in words) == server.get("backup", False)
            assert words[words.index("weight") + 1] == str(server.get("weight", 1))
    kinds = [head.split()[0] for head in found]
    assert kinds.count("backend") == len(drawn["backends"])
    assert kinds.count("frontend") == 1 + ("metrics" in drawn)
    assert set(kinds) <= {"global", "defaults", "peers", "resolvers", "frontend", "backend"}


def complaints(text: str, version: str, folder: Path) -> str:
    (folder / "haproxy.cfg").write_text(text)
    (folder / "servers.state").write_text("1\n")
    done = subprocess.run(
        [program(version), "-c", "-f", "haproxy.cfg"], cwd=folder, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 and "[WARNING]" not in done.stderr else done.stderr + text


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        (
            {"balance": "uri", "hash": {"depth": 2, "length": 9, "whole": True}},
            ["balance uri len 9 depth 2 whole"],
        ),
        ({"balance": "url_param(id)", "hash": {"check_post": True}}, ["balance url_param id check_post"]),
        ({"balance": "hdr(Host)", "hash": {"domain_only": True}}, ["balance hdr(Host) use_domain_only"]),
        ({"balance": "source"}, ["balance source", "hash-type consistent"]),
        (
            {"balance": "source", "hash": {"type": "map-based", "avalanche": True}},
            ["hash-type map-based sdbm avalanche"],
        ),
        ({"balance": "random(3)", "hash": {"balance_factor": 150}}, ["hash-balance-factor 150"]),
        ({"cookie": "SRV"}, ["cookie SRV insert indirect nocache httponly"]),
        (
            {"cookie": {"name": "SRV", "secure": True, "same_site": "none", "max_idle": "30m"}},
            ["cookie SRV insert indirect nocache httponly secure maxidle 1800000 attr SameSite=None"],
        ),
        ({"cookie": {"name": "JSESSIONID", "method": "prefix"}}, ["cookie JSESSIONID prefix"]),
        (
            {"persist": "source"},
            ["stick-table type ipv6 size 100000 expire 1800000 srvkey name peers members", "stick on src"],
        ),
        ({"retry_on": ["conn-failure", 503]}, ["retry-on conn-failure 503"]),
        ({"redispatch": False}, ["no option redispatch"]),
        ({"http_reuse": "always", "full_connections": 9}, ["http-reuse always", "fullconn 9"]),
        ({"keepalive": {"idle": "1m"}}, ["option srvtcpka", "srvtcpka-idle 60s"]),
        ({"source": "back", "servers": [{"machines": "web", "port": 80}]}, ["source 10.80.1.11"]),
        (
            {"slow_start": "10s", "send_proxy": "v2", "observe": "layer7", "on_error": "mark-down"},
            ["default-server " + SHARED],
        ),
        ({"raw": ['http-request set-header X-A "a b"']}, ['http-request set-header X-A "a b"']),
    ],
)
def test_a_backend_says(fields: dict[str, Any], lines: list[str]) -> None:
    said = lines_of(text_of(web(**fields)))["backend web"]
    if "source" in fields:
        said = ["source 10.80.1.11" if line.startswith("source ") else line for line in said]
    assert [line for line in lines if line not in said] == []


def test_a_source_is_each_member_s_own_address() -> None:
    data = web(source="back", servers=[{"machines": "web", "port": 80}])
    ones = [text_of(data, member).split("    source ")[1].split()[0] for member in ("lb-1", "lb-2")]
    assert len(set(ones)) == 2
    assert all(address.startswith("10.80.1.") for address in ones)


def test_what_all_servers_share_is_said_once() -> None:
    servers = [{"name": f"s{n}", "address": f"192.0.2.{n}", "port": 80} for n in range(1, 4)]
    said = lines_of(text_of(web(servers=servers, slow_start="1s")))["backend web"]
    assert said[-3:] == [f"server s{n} 192.0.2.{n}:80 weight 1" for n in range(1, 4)]
    assert said[-4].startswith("default-server check ")


def test_a_server_says_what_is_its_own() -> None:
    own = {"maxconn": 9, "minconn": 2, "maxqueue": 5, "state": "maintenance", "backup": True}
    named = {"name": "db", "address": "db.example.test", "port": 5432, "state": "drain"}
    servers = [{"name": "a", "address": "192.0.2.1", "port": 80, **own}, named]
    data = with_(
        f"{SHOP}.resolvers", {"nameservers": ["192.0.2.53", "[fd00::53]:5353"]}, web(servers=servers)
    )
    found = lines_of(text_of(data))
    assert found["backend web"][-2:] == [
        "server a 192.0.2.1:80 weight 1 backup minconn 2 maxconn 9 maxqueue 5 disabled",
        "server db db.example.test:5432 weight 1 resolvers names resolve-prefer ipv4 init-addr last,none",
    ]
    assert found["resolvers names"][:2] == ["nameserver ns1 192.0.2.53:53", "nameserver ns2 [fd00::53]:5353"]


def test_tables_outlive_a_process_by_a_peer_of_its_own() -> None:
    found = lines_of(text_of(web(persist="source")))
    assert found["peers members"] == ["peer lb-1 unix@peers.sock"]
    assert "localpeer lb-1" in found["global"]
    assert "peers members" not in lines_of(text_of(document()))


def test_peers_are_the_members() -> None:
    data = with_(f"{SHOP}.peers", {"network": "back", "port": 1024})
    one, two = lines_of(text_of(data, "lb-1")), lines_of(text_of(data, "lb-2"))
    assert [line.split()[:2] for line in one["peers members"]] == [["peer", "lb-1"], ["peer", "lb-2"]]
    assert all(line.endswith(":1024") and "10.80.1." in line for line in one["peers members"])
    assert one["peers members"] == two["peers members"]
    assert "localpeer lb-2" in two["global"]


def test_a_process_says() -> None:
    data = shop(
        log=["10.0.0.5", {"address": "[fd00::5]:1514", "level": "err", "format": "rfc5424"}],
        log_level="info",
        metrics={"bind": 8405},
        tuning={"threads": 2, "buffer_size": 32768},
        raw=["tune.h2.max-concurrent-streams 50"],
        raw_defaults=["option http-ignore-probes"],
    )
    found = lines_of(text_of(data))
    assert "log 10.0.0.5:514 len 1024 format rfc3164 local0 info" in found["global"]
    assert "log [fd00::5]:1514 len 1024 format rfc5424 local0 err" in found["global"]
    assert found["global"][-3:] == ["nbthread 2", "tune.bufsize 32768", "tune.h2.max-concurrent-streams 50"]
    assert found["defaults"][-1] == "option http-ignore-probes"
    assert (
        "http-request use-service prometheus-exporter if { path /metrics }" in found["frontend lbkit.metrics"]
    )


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (f"{WEB}.hash", {"depth": 2}, ("without hash.depth",)),
        (f"{WEB}.balance", "fastest", ("roundrobin, static-rr",)),
        (f"{WEB}.balance", "rdp-cookie", ("algorithm that http mode has",)),
        (f"{WEB}.cookie", {"name": "a", "method": "prefix", "secure": True}, ("method: insert",)),
        (f"{WEB}.cookie", {"name": "a", "same_site": "none"}, ("secure: true",)),
        (f"{WEB}.cookie", "a; Path=/", ("cookie",)),
        (f"{WEB}.observe", "layer8", ("observe",)),
        (f"{WEB}.on_error", "mark-down", ("`observe` beside",)),
        (f"{WEB}.retry_on", ["none", 503], ("`none` alone",)),
        (f"{WEB}.retry_on", [200], ("retry_on",)),
        (f"{WEB}.source", "stroe", ("a network of the load balancer's machines",)),
        (f"{WEB}.servers.1.minconn", 5, ("`maxconn` beside `minconn`",)),
        (
            f"{WEB}.servers.1.address",
            "db.example.test",
            ("`resolvers` of the load balancer", "db.example.test"),
        ),
        (f"{WEB}.servers.1.state", "gone", ("state",)),
        (f"{SHOP}.peers", "yes", ("true, false, or its keys",)),
        (f"{WEB}.keepalive", 5, ("true, false, or its keys",)),
        (f"{SHOP}.peers", {"network": "store"}, ("all machines of the load balancer", "store")),
        (f"{SHOP}.metrics", {"bind": 80}, ("nobody else has", "frontends.http")),
        (f"{SHOP}.metrics", {"bind": 81, "path": "/m }\n"}, ("path",)),
        (f"{SHOP}.program", "haproxy -x", ("name of a program",)),
        (f"{SHOP}.log", "log.example.test", ("an address, not a name",)),
        (f"{SHOP}.log", "10.0.0.5:99999", ("at most 65535",)),
        (f"{SHOP}.frontends.http.log_format", "plain", ("standard, clf, json",)),
        (f"{SHOP}.frontends.http.log_format", "%ci\n    bind :81", ("control characters",)),
        (f"{SHOP}.resolvers", {"nameservers": []}, ("nameservers",)),
        (f"{SHOP}.tuning", {"threads": 0}, ("threads",)),
    ],
)
def test_what_cannot_be_meant_is_said(path: str, value: object, words: tuple[str, ...]) -> None:
    refused(with_(path, value), *words)


def test_a_cookie_and_a_table_are_too_many() -> None:
    refused(web(cookie="a", persist="source"), "`cookie` or `persist`")


def test_requests_of_tcp_mode_are_not_looked_into() -> None:
    data = with_(f"{SHOP}.frontends.http.mode", "tcp", web(http_reuse="safe", observe="layer7"))
    refused(data, "nothing about HTTP in tcp mode")
    refused(data, "layer4 in tcp mode")


def test_servers_in_turn_are_not_more_than_haproxy_has_room_for() -> None:
    servers = [{"name": f"s{n}", "address": "192.0.2.7", "port": 1000 + n} for n in range(4096)]
    refused(web(balance="roundrobin", servers=servers), "more than 4095 servers")
    assert resolved(web(balance="leastconn", servers=servers))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("backend evil", "would begin another one"),
        ("server evil 192.0.2.66:80", "is its own"),
        ("no server", "is its own"),
        ('"server" evil 192.0.2.66:80', "begins with a keyword"),
        ("ser\\ver evil 192.0.2.66:80", "begins with a keyword"),
        ("s$EMPTY evil", "begins with a keyword"),
        ("no 'option' x", "after `no`"),
        (".if 0", "begins with a keyword"),
        ("  option x", "begins with a keyword"),
        ("# hidden", "begins with a keyword"),
        ("option x\n    server evil 192.0.2.66:80", "control characters"),
        ("option x \\", "backslash"),
        ("", "raw"),
    ],
)
def test_raw_lines_stay_in_their_place(line: str, words: str) -> None:
    refused(web(raw=[line]), words)


def test_sections_that_have_no_key_stand_as_they_are(tmp_path: Path) -> None:
    sections = {
        "userlist people": ["user anna insecure-password a#b"],
        "cache pages": ["total-max-size 4", "max-age 60"],
        "ring events": ["size 32768"],
    }
    raw = ["http-request auth realm shop unless { http_auth(people) }", "http-request cache-use pages"]
    data = with_(f"{SHOP}.raw_sections", sections, web(raw=raw))
    found = lines_of(text_of(data))
    assert {head: found[head] for head in sections} == sections
    assert (
        complaints(
            text_of(with_(f"{SHOP}.raw_sections.userlist people", ["user anna password x"], data)),
            "2.6",
            tmp_path,
        )
        == ""
    )


@pytest.mark.parametrize(
    ("head", "lines", "words"),
    [
        ("backend evil", [], "a kind of section"),
        ("userlist a\nbackend b", [], "a kind of section"),
        ("userlist", [], "a kind of section"),
        ("peers members", [], "lbkit's own section"),
        ("userlist people", ["backend evil"], "would begin another one"),
    ],
)
def test_such_sections_are_of_other_kinds(head: str, lines: list[str], words: str) -> None:
    refused(shop(raw_sections={head: lines}), words)


RAW = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["", "no ", "default ", " ", '"', "\\", "."]),
        st.sampled_from(sorted(SECTIONS | OF_BACKEND | OF_GLOBAL | {"option", "acl", "tune.bufsize"})),
        st.text("ab \t\n\\'\"$#{}", max_size=8),
    ),
)


RAW_OF = {"global": RawGlobal, "defaults": RawDefaults, "frontend": RawFrontend, "backend": RawBackend}


@cache
def plain() -> Config:
    return config_of(resolved(document()), mark="lbkit:web:haproxy/lb-1/shop", user=None)


def with_raw(section: str, raw: tuple[str, ...]) -> Config:
    config = plain()
    match section:
        case "global":
            return replace(config, global_=replace(config.global_, raw=raw))
        case "defaults":
            return replace(config, defaults=replace(config.defaults, raw=raw))
        case "frontend":
            return replace(config, frontends=(replace(config.frontends[0], raw=raw),))
        case _:
            backend = config.backends[0]
            traffic = backend.traffic.model_copy(update={"raw": raw})
            return replace(config, backends=(replace(backend, traffic=traffic),))


@settings(max_examples=20 * EXAMPLES, deadline=None)
@given(line=RAW, section=st.sampled_from(sorted(RAW_OF)))
def test_a_raw_line_is_one_line_of_its_section_or_refused(line: str, section: str) -> None:
    try:
        raw = TypeAdapter(RAW_OF[section]).validate_python([line])
    except ValidationError:
        return
    before, after = lines_of(render(plain())), lines_of(render(with_raw(section, raw)))
    assert list(after) == list(before)
    added = [
        (head.split()[0], each)
        for head, lines in after.items()
        for each in lines
        if each not in before[head] and not each.startswith("description ")
    ]
    assert added in ([], [(section, line.strip())])
    assert line.split(maxsplit=1)[0] not in SECTIONS


def test_ten_thousand_servers_are_as_many_lines() -> None:
    servers = [{"name": f"s{n}", "address": f"10.1.{n >> 8}.{n & 255}", "port": 80} for n in range(1, 10_001)]
    text = text_of(web(servers=servers, cookie="SRV"))
    assert text.count("\n    server ") == 10_000


def test_servers_that_are_placed_by_hash_have_numbers_of_their_names_alone() -> None:
    """Else a server that comes at run time would be placed otherwise on each member, and after a restart."""
    data = with_("load_balancers.shop.backends.web.balance", "source")
    numbers = _numbers_in(data)
    assert len(set(numbers.values())) == len(numbers) == 4
    assert all(0 < number < 2**31 for number in numbers.values())
    fewer = with_("load_balancers.shop.backends.web.servers.0.port", 81, data)
    assert _numbers_in(fewer) == numbers
    assert _numbers_in(document()) == {}


def _numbers_in(data: Document) -> dict[str, int]:
    text = render(config_of(resolved(data), mark="lbkit:web:haproxy/lb-1/shop", user=None))
    words = [line.split() for line in text.splitlines() if line.strip().startswith("server ")]
    return {line[1]: int(line[line.index("id") + 1]) for line in words if "id" in line}
