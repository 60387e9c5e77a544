"""Where a client would be, and what of a load balancer it may expect: pure."""

from __future__ import annotations

from pathlib import Path

import pytest

import lbkit
from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.base.problems import InvalidDocument
from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.plan import Plan
from lbkit.engine.promise import Promise
from lbkit.engine.resource import Key
from lbkit.haproxy.promises import promises
from lbkit.prove.places import member_for, place_of
from tests.haproxy.topologies import Document, document, load, with_
from tests.prove.servers import make_pem

NOTHING = Plan("web")


def promised(data: Document) -> list[Promise]:
    return list(promises(load(data)))


def places(data: Document) -> list[str]:
    return [promise.place for promise in promised(data)]


def touching(*names: str) -> Plan:
    return Plan(
        "web",
        tuple(
            Change(Key("machine", name), Action.REPLACE, Impact.DISRUPTIVE, "", None, None) for name in names
        ),
    )


def test_clients_know_the_virtual_address_and_where_there_is_none_each_machines() -> None:
    assert places(document()) == ["10.80.0.10:80", "[fd00:80::10]:80"]
    data = document()
    del data["load_balancers"]["shop"]["vip"]
    found = promised(data)
    assert {promise.network for promise in found} == {"front", "back"}
    assert {promise.machines for promise in found} == {("lb-1",), ("lb-2",)}


def test_an_address_alone_is_promised_there_alone_and_nothing_twice() -> None:
    path = "load_balancers.shop.frontends.http.bind"
    assert places(with_(path, ["10.80.0.10:80", "[fd00:80::10]:443"])) == [
        "10.80.0.10:80",
        "[fd00:80::10]:443",
    ]
    assert places(with_(path, "0.0.0.0:80")) == ["10.80.0.10:80"]
    loopback = promised(with_(path, "127.0.0.1:80"))
    assert [(promise.network, promise.machines) for promise in loopback] == [
        (None, ("lb-1",)),
        (None, ("lb-2",)),
    ]


def test_what_a_person_declares_reaches_the_prober() -> None:
    path = "load_balancers.shop.frontends.http.prove"
    (promise, _) = promised(
        with_(path, {"path": "/in", "host": "shop.example.test", "expect": "200-299", "download": "/big"})
    )
    assert (promise.path, promise.host_header, promise.expect, promise.download) == (
        "/in",
        "shop.example.test",
        (200, 299),
        "/big",
    )
    assert promised(with_(path, False)) == []
    assert promised(with_(path, {"expect": "204"}))[0].expect == (204, 204)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("www.example.test", "www.example.test"),
        ("www.example.test:8443", "www.example.test"),
        ("10.80.0.10:443", "shop.example.test"),
        ("[fd00:80::10]:443", "shop.example.test"),
        (None, "shop.example.test"),
    ],
)
def test_where_tls_is_spoken_the_host_is_the_servers_name_or_else_the_certificates(
    host: str | None, name: str, tmp_path: Path
) -> None:
    data = with_("load_balancers.shop.certificates", {"shop": {"file": str(make_pem(tmp_path))}})
    frontend = data["load_balancers"]["shop"]["frontends"]["http"]
    frontend["bind"] = [{"port": 443, "tls": {"certificates": "shop"}}, 80]
    frontend["prove"] = {"host": host} if host else {}
    assert {promise.port: promise.tls for promise in promised(data)} == {443: name, 80: None}


@pytest.mark.parametrize(
    "prove",
    [
        {"path": "no-slash"},
        {"path": "/a b"},
        {"path": "/a\r\nX: y"},
        {"host": "a b"},
        {"host": "a\r\nX: y"},
        {"expect": "299-200"},
        {"expect": "all"},
        {"download": "x"},
        True,
    ],
)
def test_what_is_no_request_is_refused(prove: object) -> None:
    with pytest.raises(InvalidDocument):
        load(with_("load_balancers.shop.frontends.http.prove", prove))


def test_the_host_asks_where_it_has_an_address_of_the_network() -> None:
    scope = load(document())
    four, six = promises(scope)
    assert place_of(four, scope, Host(), NOTHING).name == "the host"
    alone = load(with_("networks.front.gateway", ["10.80.0.1"]))
    assert place_of(four, alone, Host(), NOTHING).name == "the host"
    six_place = place_of(six, alone, Host(), NOTHING)
    assert (six_place.name, six_place.apart) == ("machine lb-1", False)


def test_else_a_machine_asks_that_is_not_asked_itself_and_that_the_plan_leaves_alone() -> None:
    data = with_("networks.front.gateway", False)
    data["machines"]["guest"] = {"count": 2, "networks": ["front"]}
    scope = load(data)
    (promise, _) = promises(scope)
    assert member_for(promise, scope, NOTHING) == "guest-1"
    assert member_for(promise, scope, touching("guest-1")) == "guest-2"
    assert member_for(promise, scope, touching("guest-1", "guest-2")) == "lb-1"


def test_nobody_to_ask_from_is_said() -> None:
    scope = lbkit.load_data({"lbkit": 1, "name": "a", "networks": {"front": {"cidr": "10.80.0.0/24"}}}, ".")
    promise = next(iter(promises(load(document()))))
    with pytest.raises(Failure, match="no machine stands on network front"):
        member_for(promise, scope, NOTHING)
