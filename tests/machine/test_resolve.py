"""Machines resolved: members, addresses, routes, services with their files; and what of it cannot be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from ipaddress import IPv4Address, ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.names import link_name
from lbkit.base.problems import InvalidDocument, dotted
from lbkit.base.secrets import Secret
from lbkit.engine.resource import Key
from lbkit.engine.scope import Scope
from lbkit.machine.resolve import Machines, ResolvedFile, ResolvedMachine, Route
from lbkit.topology.load import load_data
from tests.topology.rooms import MachineLanguage, NetworkLanguage, registered

NETWORKS = {
    "front": {"cidr": "10.80.0.0/24"},
    "back": {"cidr": ["10.80.1.0/24", "fd00:80::/64"], "mtu": 1400},
    "quiet": {"cidr": "10.80.2.0/24", "gateway": False},
    "tiny": {"cidr": "10.80.3.0/29"},
}
V4, V6 = ip_network("0.0.0.0/0"), ip_network("::/0")


@pytest.fixture(autouse=True, scope="module")
def two_rooms() -> Iterator[None]:
    with registered(NetworkLanguage(), MachineLanguage()):
        yield


def load(machines: dict[str, Any], folder: Path = Path("/nowhere"), **networks: Any) -> Scope:
    document = {"lbkit": 1, "name": "web", "networks": NETWORKS | networks, "machines": machines}
    return load_data(document, folder)


def machines(declared: dict[str, Any], folder: Path = Path("/nowhere")) -> dict[str, ResolvedMachine]:
    return dict(load(declared, folder).of("machine", Machines).by_name)


def addresses(scope: Scope) -> dict[str, list[str]]:
    return {
        name: [str(address.ip) for interface in machine.interfaces for address in interface.addresses]
        for name, machine in scope.of("machine", Machines).by_name.items()
    }


def test_members_and_their_interfaces() -> None:
    scope = load(
        {
            "lb": {"networks": ["front", "back"], "count": 2},
            "ns": {"networks": "front"},
            "no": {"networks": "front", "count": 0},
        }
    )
    resolved = scope.of("machine", Machines)
    assert resolved.groups == {"lb": ("lb-1", "lb-2"), "ns": ("ns",), "no": ()}
    assert list(resolved.by_name) == ["lb-1", "lb-2", "ns"]
    machine = resolved.by_name["lb-1"]
    assert (machine.name, machine.group, machine.driver) == ("lb-1", "lb", "netns")
    front, back = machine.interfaces
    assert (front.network, front.bridge, front.mtu) == ("front", "web.front", 1500)
    assert (back.network, back.bridge, back.mtu) == ("back", "web.back", 1400)
    assert front.link == link_name("web", "lb-1", "front") != back.link
    assert front.mac != back.mac
    assert [address.version for address in back.addresses] == [4, 6]
    assert all(
        address.network in map(ip_network, ("10.80.1.0/24", "fd00:80::/64")) for address in back.addresses
    )


def test_others_find_them_in_the_book() -> None:
    scope = load({"lb": {"networks": ["front", "back"], "count": 2}, "ns": {"networks": "front"}})
    both = scope.book.endpoints("machines.lb")
    assert both is not None
    assert [endpoint.name for endpoint in both] == ["lb-1", "lb-2"]
    assert both[0].keys == {Key("machine", "lb-1")}
    assert set(both[0].addresses) == {"front", "back"}
    assert len(both[0].addresses["back"]) == 2
    assert scope.book.endpoints("machines.lb-2") == (both[1],)
    (address,) = both[0].addresses["front"]
    assert scope.book.claims[f"address front {address}"] == "machines.lb-1"


def test_pinned_addresses_are_kept_and_not_given_to_others() -> None:
    scope = load(
        {
            "a": {"networks": {"tiny": {"addresses": ["10.80.3.2", "10.80.3.4"]}}, "count": 2},
            "b": {"networks": "tiny", "count": 3},
            "c": {"networks": {"back": {"addresses": "fd00:80::c"}}},
        }
    )
    found = addresses(scope)
    assert found["a-1"] == ["10.80.3.2"]
    assert found["a-2"] == ["10.80.3.4"]
    assert {found[f"b-{n}"][0] for n in (1, 2, 3)} == {"10.80.3.3", "10.80.3.5", "10.80.3.6"}
    assert found["c"][1] == "fd00:80::c"
    assert IPv4Address(found["c"][0]) in ip_network("10.80.1.0/24")


def test_default_routes() -> None:
    v4, v6 = ip_address("10.80.1.1"), ip_address("fd00:80::1")
    front = ip_address("10.80.0.1")
    found = machines(
        {
            "both": {"networks": ["front", "back"]},
            "later": {"networks": ["quiet", "back"]},
            "named": {"networks": ["front", "back"], "gateway": "back"},
            "none": {"networks": ["front", "back"], "gateway": False},
            "quiet": {"networks": "quiet"},
            "own": {"networks": "front", "routes": [{"to": "0.0.0.0/0", "via": "10.80.0.9"}]},
            "more": {"networks": "front", "routes": [{"to": "10.99.0.0/16", "via": "10.80.0.9"}]},
        }
    )
    routes = {name: set(machine.routes) for name, machine in found.items()}
    assert routes == {
        "both": {Route(V4, front), Route(V6, v6)},
        "later": {Route(V4, v4), Route(V6, v6)},
        "named": {Route(V4, v4), Route(V6, v6)},
        "none": set(),
        "quiet": set(),
        "own": {Route(V4, ip_address("10.80.0.9"))},
        "more": {Route(V4, front), Route(ip_network("10.99.0.0/16"), ip_address("10.80.0.9"))},
    }


def test_services_with_their_files(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_bytes(b"\xff raw")
    key = tmp_path / "key"
    key.write_text("hush")
    key.chmod(0o600)
    service = {
        "name": "app",
        "command": ["python3", "app.py", 8080, 1.5],
        "files": {
            "app.py": {"source": "app.py", "mode": "0755"},
            "etc/key": {"source": "key", "secret": True, "mode": "600"},
            "inline": {"content": "é", "once": True},
            "hidden": {"content": "hush", "secret": True},
        },
        "ready": {"port": 8080},
    }
    (found,) = machines({"web": {"networks": "front", "run": [service]}}, tmp_path)["web"].services
    assert found.command == ("python3", "app.py", "8080", "1.5")
    assert found.files == {
        "app.py": ResolvedFile(b"\xff raw", 0o755),
        "etc/key": ResolvedFile(Secret(b"hush"), 0o600),
        "inline": ResolvedFile("é".encode(), 0o644, once=True),
        "hidden": ResolvedFile(Secret(b"hush"), 0o644),
    }
    assert found.ready is not None
    assert found.ready.port == 8080
    assert "hush" not in repr(found)


GROUP = {"networks": "front"}
APP = {"name": "app", "command": ["app"]}


@pytest.mark.parametrize(
    ("declared", "path", "wanted", "found", "remedy"),
    [
        ({"web": {"networks": "fornt"}}, "machines.web.networks.fornt", "a network of this document", "fornt", "did you mean 'front'?"),
        ({"web": {"networks": ["front", "bakc"]}}, "machines.web.networks.bakc", "a network of this document", "bakc", "did you mean 'back'?"),
        ({"web": {**GROUP, "count": 2}, "web-1": GROUP}, "machines.web-1", "names of their own", "web-1 is one of machines.web as well", "rename"),
        ({"web-1": GROUP, "web": {**GROUP, "count": 2}}, "machines.web", "names of their own", "web-1 is one of machines.web-1 as well", "rename"),
        ({"w" * 62: {**GROUP, "count": 1}}, f"machines.{'w' * 62}", "at most 63 bytes", f"{'w' * 62}-1 (64 bytes)", ""),
        ({"web": {"networks": "tiny", "count": 6}}, "networks.tiny.cidr", "6 are needed", "5 of 10.80.3.0/29 are free", "a larger prefix"),
        ({"web": {"networks": "tiny", "count": 4}, "db": {"networks": {"tiny": {"addresses": ["10.80.3.2", "10.80.3.3"]}}, "count": 2}}, "networks.tiny.cidr", "4 are needed", "3 of 10.80.3.0/29 are free", "a larger prefix"),
        ({f"g{n}": {"networks": "wide", "count": 342} for n in range(3)}, "networks.wide", "at most 1023 machines", "1026 machines", "several networks"),
        ({"web": {"networks": {"front": {"addresses": ["10.80.0.9", "10.80.0.10"]}}}}, "machines.web.networks.front.addresses", "one IPv4 address for each of 1 machines", "2", ""),
        ({"web": {"networks": {"front": {"addresses": "10.80.0.9"}}, "count": 2}}, "machines.web.networks.front.addresses", "one IPv4 address for each of 2 machines", "1", ""),
        ({"web": {"networks": {"front": {"addresses": "10.80.1.9"}}}}, "machines.web.networks.front.addresses", "in 10.80.0.0/24", "10.80.1.9", ""),
        ({"web": {"networks": {"front": {"addresses": "fd00::9"}}}}, "machines.web.networks.front.addresses", "in 10.80.0.0/24", "fd00::9", ""),
        ({"web": {"networks": {"front": {"addresses": "10.80.0.0"}}}}, "machines.web.networks.front.addresses", "may have", "10.80.0.0 is the network itself", ""),
        ({"web": {"networks": {"front": {"addresses": "10.80.0.255"}}}}, "machines.web.networks.front.addresses", "may have", "10.80.0.255 is the broadcast address", ""),
        ({"web": {"networks": {"front": {"addresses": "10.80.0.1"}}}}, "machines.web.networks.front.addresses", "nobody else has", "10.80.0.1 is that of networks.front (its gateway)", ""),
        ({"a": {"networks": {"front": {"addresses": "10.80.0.9"}}}, "b": {"networks": {"front": {"addresses": "10.80.0.9"}}}}, "machines.b.networks.front.addresses", "nobody else has", "10.80.0.9 is that of machines.a", ""),
        ({"web": {"networks": {"front": {"addresses": ["10.80.0.9", "10.80.0.9"]}}, "count": 2}}, "machines.web.networks.front.addresses[1]", "nobody else has", "10.80.0.9 is that of machines.web-1", ""),
        ({"web": {**GROUP, "gateway": "back"}}, "machines.web.gateway", "a network of this group, or false", "back", "known here: front"),
        ({"web": {**GROUP, "gateway": "no"}}, "machines.web.gateway", "or false", "no", "write `gateway: false`"),
        ({"web": {"networks": "quiet", "gateway": "quiet"}}, "machines.web.gateway", "where the host has an address", "networks.quiet has no gateway", "give networks.quiet a gateway"),
        ({"web": {**GROUP, "gateway": "front", "routes": [{"to": "0.0.0.0/0", "via": "10.80.0.9"}]}}, "machines.web.gateway", "one default route", "via 10.80.0.9", "leave one of them out"),
        ({"web": {**GROUP, "routes": [{"to": "0.0.0.0/0", "via": "10.80.0.9"}, {"to": "0.0.0.0/0", "via": "10.80.0.8"}]}}, "machines.web.routes[1]", "one route to each destination", "two default routes", ""),
        ({"web": {**GROUP, "routes": [{"to": "10.9.0.0/24", "via": "10.80.0.9"}, {"to": "10.9.0.0/24", "via": "10.80.0.9"}]}}, "machines.web.routes[1]", "one route to each destination", "two routes to 10.9.0.0/24", ""),
        ({"web": {**GROUP, "routes": [{"to": "10.9.0.0/24", "via": "10.80.1.9"}]}}, "machines.web.routes[0].via", "in 10.80.0.0/24", "10.80.1.9", ""),
        ({"web": {**GROUP, "routes": [{"to": "10.9.0.0/24", "via": "10.80.0.255"}]}}, "machines.web.routes[0].via", "in 10.80.0.0/24", "10.80.0.255", ""),
        ({"web": {**GROUP, "routes": [{"to": "10.9.0.0/24", "via": "fd00::1"}]}}, "machines.web.routes[0].via", "an IPv4 address", "fd00::1", ""),
        ({"web": {**GROUP, "routes": [{"to": "10.80.0.0/24", "via": "10.80.0.9"}]}}, "machines.web.routes[0].to", "beyond the machine's own networks", "10.80.0.0/24", ""),
        ({"web": {**GROUP, "run": [APP, APP]}}, "machines.web.run[1].name", "a name of its own", "two app", ""),
        ({"web": {**GROUP, "run": [{**APP, "name": "haproxy-shop"}]}}, "machines.web.run[0].name", "haproxy- or vip-", "haproxy-shop", ""),
        ({"web": {**GROUP, "run": [{**APP, "name": "vip-x"}]}}, "machines.web.run[0].name", "haproxy- or vip-", "vip-x", ""),
        ({"web": {**GROUP, "run": [{**APP, "files": {"log": {"content": ""}}}]}}, "machines.web.run[0].files.log", "that is the service's log", "log", ""),
        ({"web": {**GROUP, "run": [{**APP, "files": {"a": {"content": ""}, "a-b": {"content": ""}, "a/b": {"content": ""}}}]}}, "machines.web.run[0].files.a/b", "beside the other files", "a is a file, no folder", ""),
        ({"web": {**GROUP, "run": [{**APP, "files": {"a": {"source": "none"}}}]}}, "machines.web.run[0].files.a.source", "the source file /nowhere/none was to be read", "No such file or directory", ""),
    ],
)  # fmt: skip
def test_what_cannot_be(declared: dict[str, Any], path: str, wanted: str, found: str, remedy: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        load(declared, wide={"cidr": "10.99.0.0/16"})
    (problem,) = caught.value.problems
    assert dotted(problem.path) == path
    assert wanted in problem.wanted
    assert found in problem.found
    assert remedy in problem.remedy


def test_more_machines_than_a_kernel_holds() -> None:
    with pytest.raises(InvalidDocument) as caught:
        load({f"g{n}": {"networks": "wide", "count": 4096} for n in range(5)}, wide={"cidr": "10.99.0.0/16"})
    assert [problem.wanted.split(":")[0] for problem in caught.value.problems] == [
        "at most 16384 machines in all",
        "a network of at most 1023 machines",
    ]


def test_source_files_that_cannot_be(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    with (tmp_path / "large").open("wb") as stream:
        stream.truncate((4 << 20) + 1)
    (tmp_path / "open").write_text("hush")
    (tmp_path / "open").chmod(0o644)
    files = {
        "1": {"source": "fifo"},
        "2": {"source": "folder"},
        "3": {"source": "large"},
        "4": {"source": "open", "secret": True},
        "5": {"source": "fifo", "secret": True},
        "6": {"source": "open"},
    }
    with pytest.raises(InvalidDocument) as caught:
        load({"web": {"networks": "front", "run": [{**APP, "files": files}]}}, tmp_path)
    assert [(problem.path[-2], problem.found) for problem in caught.value.problems] == [
        ("1", "a named pipe"),
        ("2", "a folder"),
        ("3", "4.0 MiB or more"),
        ("4", "mode 0644"),
        ("5", "a named pipe"),
    ]
    assert f"chmod 600 {tmp_path}/open" in str(caught.value)


counts = st.dictionaries(st.sampled_from(["lb", "web", "db", "ns", "cache"]), st.integers(0, 12), min_size=1)


@given(counts, st.integers(1, 8))
def test_adding_machines_renumbers_nobody(counts: dict[str, int], added: int) -> None:
    """A group at the end of the file, and a count that grows: the promise as a person sees it, links and all."""
    declared = {name: {"networks": ["front", "back"], "count": count} for name, count in counts.items()}
    before = machines(declared)
    after = machines({**declared, "new": {"networks": ["front", "back"], "count": added}})
    assert {name: after[name] for name in before} == before
    last = list(declared)[-1]
    grown = {**declared, last: {**declared[last], "count": counts[last] + added}}
    after = machines(grown)
    assert {name: after[name] for name in before} == before


@given(counts)
def test_no_two_machines_share_anything_that_must_be_theirs(counts: dict[str, int]) -> None:
    scope = load({name: {"networks": ["front", "back"], "count": count} for name, count in counts.items()})
    interfaces = [
        interface
        for machine in scope.of("machine", Machines).by_name.values()
        for interface in machine.interfaces
    ]
    everything = [address for interface in interfaces for address in interface.addresses]
    gateways = [ip_interface(text) for text in ("10.80.0.1/24", "10.80.1.1/24", "fd00:80::1/64")]
    assert len({*everything, *gateways}) == len(everything) + len(gateways)
    assert len({interface.link for interface in interfaces}) == len(interfaces)
    assert len({interface.mac for interface in interfaces}) == len(interfaces)


@given(st.dictionaries(st.sampled_from(["lb", "web", "db"]), st.integers(1, 8), min_size=1), st.data())
def test_to_pin_what_is_allocated_changes_nothing(counts: dict[str, int], data: st.DataObject) -> None:
    declared: dict[str, Any] = {
        name: {"networks": ["front", "back"], "count": count} for name, count in counts.items()
    }
    before = load(declared)
    group = data.draw(st.sampled_from(sorted(counts)))
    endpoints = before.book.endpoints(f"machines.{group}") or ()
    pinned = {
        network: {
            "addresses": [str(address) for endpoint in endpoints for address in endpoint.addresses[network]]
        }
        for network in ("front", "back")
    }
    after = load({**declared, group: {**declared[group], "networks": pinned}})
    assert addresses(after) == addresses(before)
