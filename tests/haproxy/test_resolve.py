from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from lbkit.engine.resource import Key
from tests.haproxy.topologies import balancer, document, load, refusals, refused, resolved, with_

SHOP = "load_balancers.shop"


def two(**changes: Any) -> dict[str, Any]:
    """`shop` and another load balancer `cart` on the same machines."""
    other = balancer(
        vip={"network": "front", "address": "10.80.0.11"},
        frontends={"http": {"bind": 81, "backend": "web"}},
    )
    return document(load_balancers={"shop": balancer(), "cart": other | changes})


def test_every_machine_of_a_group_is_a_server_named_as_the_machine() -> None:
    web = resolved(document()).backends[0]
    assert [(server.name, str(server.address), server.port) for server in web.servers] == [
        ("web-1", "10.80.1.21", 8080),
        ("web-2", "10.80.1.22", 8080),
        ("web-3", "10.80.1.23", 8080),
        ("old", "192.0.2.7", 80),
    ]
    assert [server.member for server in web.servers] == ["web-1", "web-2", "web-3", None]
    assert web.servers[3].backup
    assert web.servers[3].weight == 10


def test_it_requires_the_machines_and_services_behind_it() -> None:
    assert resolved(document()).requires == {
        Key(kind, name)
        for number in (1, 2, 3)
        for kind, name in (("machine", f"web-{number}"), ("service", f"web-{number}/app"))
    }


def test_servers_are_reached_on_the_first_network_of_theirs_that_is_shared() -> None:
    data = with_("machines.web.networks", ["store", "front", "back"])
    assert all(str(each.address).startswith("10.80.0.") for _, each in resolved(data).servers[:3])


def test_a_network_may_be_chosen() -> None:
    data = with_("machines.web.networks", ["store", "front", "back"])
    data = with_(f"{SHOP}.backends.web.servers.0.network", "back", data)
    assert all(str(each.address).startswith("10.80.1.") for _, each in resolved(data).servers[:3])


def test_others_find_it_by_its_virtual_address() -> None:
    (endpoint,) = load(document()).book.entries[SHOP]
    assert endpoint.addresses == {"front": (ip_address("10.80.0.10"), ip_address("fd00:80::10"))}
    assert endpoint.keys == {Key("vip", "lb-1/shop"), Key("vip", "lb-2/shop")}


def test_without_a_virtual_address_others_find_all_its_machines() -> None:
    endpoints = load(with_(f"{SHOP}.vip", None)).book.entries[SHOP]
    assert [endpoint.name for endpoint in endpoints] == ["lb-1", "lb-2"]
    assert Key("haproxy", "lb-1/shop") in endpoints[0].keys


def test_router_numbers_are_stable_and_apart() -> None:
    alone = resolved(document()).vip
    assert alone == resolved(document()).vip
    numbers = {resolved(two(), name).vip.router_id for name in ("shop", "cart")}  # type: ignore[union-attr]
    assert len(numbers) == 2
    assert all(1 <= number <= 255 for number in numbers)


def test_many_virtual_addresses_on_a_network_have_numbers_of_their_own() -> None:
    many = {
        f"b{index}": balancer(
            vip={"network": "front", "address": f"fd00:80::1:{index}"},
            frontends={"http": {"bind": 1000 + index, "backend": "web"}},
        )
        for index in range(255)
    }
    data = document(load_balancers=many)
    data = with_("machines.lb.networks", ["front", "back"], data)
    found = load(data).resolved["haproxy"].by_name.values()
    assert {each.vip.router_id for each in found} == set(range(1, 256))


def test_mode_follows_the_frontends_that_use_a_backend() -> None:
    data = with_(f"{SHOP}.frontends.http.mode", "tcp")
    assert resolved(data).backends[0].mode == "tcp"


def test_a_backend_that_nobody_uses_is_allowed() -> None:
    data = with_(f"{SHOP}.backends.spare", {"servers": [{"machines": "web", "port": 9000}]})
    assert resolved(data).backends[1].mode == "http"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("machines", "lbb", ("a group of machines", "'lb'")),
        ("machines", "none", ("at least one machine", "count: 0")),
        ("vip.network", "frnt", ("a network of this document", "'front'")),
        ("vip.address", "10.80.1.10", ("an address of the network front",)),
        ("vip.address", "10.80.0.0", ("network itself",)),
        ("vip.address", "10.80.0.255", ("broadcast",)),
        ("vip.address", "10.80.0.1", ("gateway",)),
        ("vip.address", ["10.80.0.10", "10.80.0.11"], ("not two of IPv4",)),
        ("vip.network", "store", ("an address of the network store",)),
        ("frontends.http.backend", "wev", ("a backend of this load balancer", "'web'")),
        ("frontends.http.bind", "10.80.9.9:80", ("the virtual address",)),
        ("frontends.http.bind", [80, "10.80.0.10:80"], ("10.80.0.10:80 meets *:80",)),
        ("frontends.more", {"bind": 80, "backend": "web"}, ("*:80 meets *:80", "frontends.http")),
        ("frontends.tcp", {"bind": 81, "mode": "tcp", "backend": "web"}, ("one mode",)),
        ("backends.web.mode", "tcp", ("mode http",)),
        ("backends.web.servers", [], ("at least one server",)),
        ("backends.web.servers", [{"machines": "none", "port": 80}], ("at least one server", "count: 0")),
        ("backends.web.servers.0.machines", "wbe", ("a group of machines", "'web'")),
        ("backends.web.servers.0.machines", "db", ("share", "front, back", "store")),
        ("backends.web.servers.0.network", "front", ("a network of machines.web",)),
        ("backends.web.servers.1.name", "web-2", ("two servers web-2",)),
    ],
)
def test_what_cannot_be_meant_is_said(path: str, value: object, words: tuple[str, ...]) -> None:
    refused(with_(f"{SHOP}.{path}", value), *words)


def test_a_virtual_address_needs_machines_on_its_network() -> None:
    data = with_(f"{SHOP}.vip", {"network": "store", "address": "10.80.2.10"})
    refused(data, "store", "to speak VRRP", "lb-1")


def test_ports_belong_to_one_load_balancer_of_a_machine() -> None:
    refused(two(frontends={"http": {"bind": 80, "backend": "web"}}), "on lb-1", "load_balancers.shop")
    refused(two(frontends={"http": {"bind": "10.80.0.11:80", "backend": "web"}}), "meets *:80")


def test_virtual_addresses_belong_to_one_load_balancer() -> None:
    refused(two(vip={"network": "front", "address": "10.80.0.10"}), "nobody else has", "shop")


def test_a_written_router_number_is_taken() -> None:
    written = {"network": "front", "address": "10.80.0.11", "router_id": 7}
    data = with_(f"{SHOP}.vip.router_id", 7, two(vip=written))
    refused(data, "router number", "7 is that of")


@pytest.mark.parametrize("balance", ["uri", "hdr(Host)", "url_param(id)"])
def test_tcp_mode_reads_no_request(balance: str) -> None:
    data = with_(f"{SHOP}.frontends.http.mode", "tcp")
    refused(with_(f"{SHOP}.backends.web.balance", balance, data), "tcp mode", balance)


def test_an_http_health_check_is_fine_in_tcp_mode() -> None:
    assert resolved(with_(f"{SHOP}.frontends.http.mode", "tcp")).backends[0].health_check is not None


def test_a_service_must_leave_the_name_of_haproxy() -> None:
    data = with_("machines.lb.run", [{"name": "haproxy-shop", "command": ["/bin/true"]}])
    refused(data, "leave the name haproxy-shop")


def test_a_name_leaves_room_for_its_service() -> None:
    name = "s" * 56
    refused(document(load_balancers={name: balancer()}), "at most 55 bytes")


def test_what_refers_to_a_broken_part_is_not_said_to_be_unknown() -> None:
    said = refusals(with_("machines.web.count", "three"))
    assert len(said) == 1, said
