from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.haproxy.topologies import document, refusals, refused, resolved, with_

SHOP = "load_balancers.shop"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (80, [(None, 80)]),
        ("80", [(None, 80)]),
        (":80", [(None, 80)]),
        ("*:80", [(None, 80)]),
        ("10.80.0.10:80", [("10.80.0.10", 80)]),
        ("[fd00:80::10]:443", [("fd00:80::10", 443)]),
        ({"address": "10.80.0.10", "port": 8080}, [("10.80.0.10", 8080)]),
        ({"port": 8080}, [(None, 8080)]),
        ([80, ":443"], [(None, 80), (None, 443)]),
        (0, None),
        (65536, None),
        ("10.80.0.10", None),
        ("fd00:80::10:80", None),
        ("10.80.0.10:80\n    bind :81", None),
        (True, None),
        ([], None),
    ],
)
def test_binds_as_people_write_them(written: object, meant: list[tuple[str | None, int]] | None) -> None:
    data = with_(f"{SHOP}.frontends.http.bind", written)
    if meant is None:
        assert any("bind" in said for said in refusals(data))
        return
    binds = resolved(data).frontends[0].binds
    assert [(bind.address and str(bind.address), bind.port) for bind in binds] == meant


def test_a_server_is_one_or_a_group() -> None:
    path = f"{SHOP}.backends.web.servers"
    refused(with_(path, [{"machines": "web", "name": "a", "port": 80}]), "either machines and port")
    refused(with_(path, [{"port": 80}]), "either machines and port")
    refused(with_(path, [{"machines": "web"}]), "port")
    refused(with_(path, [{"name": "a", "port": 80}]), "address")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("backends.web.balance", "roundrobin\n    server evil 192.0.2.66:80"),
        ("backends.web.balance", "hdr(a) b"),
        ("backends.web.cookie", "a b"),
        ("backends.web.cookie", "a\nb"),
        ("backends.web.health_check.path", "/a b"),
        ("backends.web.health_check.path", "/a\n    server evil 192.0.2.66:80"),
        ("backends.web.servers.1.name", "a\n    server evil"),
        ("backends.web.servers.1.name", "a b"),
        ("backends.web.servers.1.name", "A"),
        ("backends.web.servers.1.address", "evil.example"),
        ("backends.web.servers.1.address", "192.0.2.7 backup"),
        ("backends.web.servers.1.weight", 257),
        ("backends.web.timeouts", {"connect": "1s\n"}),
        ("timeouts", {"client": 0}),
        ("timeouts", {"client": "0s"}),
        ("vip.interval", "1ms"),
        ("vip.router_id", 256),
        ("log_level", "debug\n"),
        ("no_such_field", 1),
    ],
)
def test_what_would_inject_is_refused(path: str, value: object) -> None:
    assert refusals(with_(f"{SHOP}.{path}", value))


NAMES = ("frontends", "backends", "load_balancers")


@given(name=st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=70))
def test_a_name_is_a_label_or_refused(name: str) -> None:
    data = document()
    shop = data["load_balancers"]["shop"]
    shop["backends"] = {name: shop["backends"].pop("web")}
    shop["frontends"] = {"http": {"bind": 80, "backend": name}}
    legal = name.isascii() and all(c.islower() or c.isdigit() or c == "-" for c in name) and len(name) <= 63
    if legal and name[0] != "-" and name[-1] != "-":
        assert resolved(data).backends[0].name == name
    else:
        assert refusals(data)
