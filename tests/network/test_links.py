"""Namespaces with their links: made, observed, mended and removed in bulk; nothing foreign is touched."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_interface

import pytest

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.network import links, namespace, sysctl
from lbkit.network.links import SeenNamespace, WantedNamespace
from lbkit.network.netlink import read, write
from lbkit.network.netlink.channel import Netlink
from lbkit.network.netlink.read import Link
from tests.network import world

pytestmark = [pytest.mark.sandbox, pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")]

FRONT = world.network("web", "front", "10.80.0.1/24", "fd00:80::1/64")
BACK = world.network("web", "back", "10.80.1.1/24", mtu=1400)
SYSCTLS = {"net.ipv4.ip_unprivileged_port_start": "0"}


def wanted(count: int = 2) -> list[WantedNamespace]:
    found = []
    for number in range(1, count + 1):
        member = f"m-{number}"
        front = world.interface("web", member, FRONT, f"10.80.0.{number + 9}/24", f"fd00:80::{number + 9}/64")
        back = world.interface("web", member, BACK, f"10.80.1.{number + 9}/24")
        default = [("0.0.0.0/0", "10.80.0.1"), ("::/0", "fd00:80::1"), ("172.16.0.0/12", "10.80.1.1")]
        made = world.namespace("web", member, front, back, routes=default)
        found.append(replace(made, sysctls=SYSCTLS))
    return found


@pytest.fixture(autouse=True)
def bridges(host: Host) -> None:
    world.apply(world.scope("web", FRONT, BACK), host)


def ip(*argv: str, inside: str = "") -> str:
    prefix = ["ip", "-n", inside] if inside else ["ip"]
    return subprocess.run([*prefix, *argv], check=True, capture_output=True, text=True).stdout


def host_links() -> dict[str, Link]:
    """The carrier, which comes and goes by itself, left out."""
    with Netlink() as netlink:
        return {link.name: link._replace(running=False) for link in read.links(netlink)}


def assert_as_wanted(host: Host, asked: Sequence[WantedNamespace]) -> None:
    seen = links.observe(host, "web", SYSCTLS)
    assert sorted(seen) == sorted(want.name for want in asked)
    for want in asked:
        assert_one(want, seen[want.name])


def assert_one(want: WantedNamespace, have: SeenNamespace) -> None:
    assert (have.whole, have.mark, have.lo_up, have.sysctls) == (True, want.mark, True, want.sysctls)
    assert set(have.routes) == set(want.routes)
    seen = {interface.name: interface for interface in have.interfaces}
    assert sorted(seen) == sorted(interface.name for interface in want.interfaces)
    for asked in want.interfaces:
        found = seen[asked.name]
        assert (found.mac, found.mtu, found.mark, found.host_mark) == (
            asked.mac,
            asked.mtu,
            asked.mark,
            asked.mark,
        )
        assert (found.host_link, found.bridge, found.up) == (asked.host_link, asked.bridge, True)
        assert set(found.addresses) == set(asked.addresses)
        assert found.foreign == ()


def test_made_observed_and_removed_without_a_trace(host: Host) -> None:
    before = host_links()
    done: dict[str, str] = {}
    asked = wanted(3)
    links.converge(host, asked, done.__setitem__)
    assert sorted(done) == ["web.m-1", "web.m-2", "web.m-3"]
    assert_as_wanted(host, asked)
    assert "10.80.0.1" in ip("route", "get", "192.0.2.1", inside="web.m-1")
    links.remove(host, "web", [want.name for want in asked], world.silent)
    links.remove(host, "web", [want.name for want in asked], world.silent)
    assert links.observe(host, "web") == {}
    assert host_links() == before


def test_made_again_it_is_left_as_it_is(host: Host) -> None:
    asked = wanted()
    links.converge(host, asked, world.silent)
    before, seen = host_links(), links.observe(host, "web")
    links.converge(host, asked, world.silent)
    assert (host_links(), links.observe(host, "web")) == (before, seen)


def hand(*lines: str) -> None:
    for line in lines:
        subprocess.run(line.split(), check=True, capture_output=True)


@pytest.mark.parametrize(
    "damage",
    [
        "ip -n web.m-1 link set front down",
        "ip -n web.m-1 link set lo down",
        "ip -n web.m-1 link set front address 02:00:00:00:00:99",
        "ip -n web.m-1 link set front mtu 1300",
        "ip -n web.m-1 link set front alias nonsense",
        "ip -n web.m-1 link set front name other",
        "ip -n web.m-1 link delete back",
        "ip -n web.m-1 address delete 10.80.0.10/24 dev front",
        "ip -n web.m-1 route delete default",
        "ip -n web.m-1 route change default via 10.80.0.77 proto 108",
        "ip link set {link} nomaster",
        "ip link set {link} master web.back",
        "ip link set {link} down",
        "ip link delete {link}",
        "ip netns delete web.m-1",
    ],
)
def test_what_was_damaged_is_mended(host: Host, damage: str) -> None:
    asked = wanted()
    links.converge(host, asked, world.silent)
    hand(damage.format(link=asked[0].interfaces[0].host_link))
    links.converge(host, asked, world.silent)
    assert_as_wanted(host, asked)


def test_a_setting_that_was_changed_is_mended(host: Host) -> None:
    asked = wanted()
    links.converge(host, asked, world.silent)
    with namespace.entered(host, "web.m-1"):
        sysctl.put("net.ipv4.ip_unprivileged_port_start", "1024")
    links.converge(host, asked, world.silent)
    assert_as_wanted(host, asked)


def test_what_is_no_longer_wanted_goes_and_what_is_new_comes(host: Host) -> None:
    links.converge(host, wanted(1), world.silent)
    (want,) = wanted(1)
    front, _ = want.interfaces
    moved = replace(
        front, addresses=(ip_interface("10.80.0.10/24"), ip_interface("10.80.0.200/24")), mtu=1300
    )
    fewer = replace(want, interfaces=(moved,), routes=want.routes[:1])
    links.converge(host, [fewer], world.silent)
    assert_as_wanted(host, [fewer])
    assert set(host_links()) == {"lo", "web.front", "web.back", front.host_link}
    links.converge(host, [want], world.silent)
    assert_as_wanted(host, [want])


def test_addresses_and_routes_of_others_stay(host: Host) -> None:
    asked = wanted(1)
    links.converge(host, asked, world.silent)
    hand(
        "ip -n web.m-1 address add 10.80.0.250/32 dev front",
        "ip -n web.m-1 route add 198.51.100.0/24 via 10.80.0.1",
        "ip -n web.m-1 address add 10.80.1.77/24 dev back",
    )
    (want,) = wanted(1)
    changed = replace(want, routes=want.routes[:1])
    links.converge(host, [changed], world.silent)
    links.converge(host, asked, world.silent)
    seen = {interface.name: interface for interface in links.observe(host, "web")["web.m-1"].interfaces}
    assert seen["front"].foreign == (ip_interface("10.80.0.250/32"),)
    assert seen["back"].foreign == (ip_interface("10.80.1.77/24"),)
    assert "198.51.100.0/24" in ip("route", inside="web.m-1")


def test_a_wanted_address_that_somebody_added_by_hand_is_an_error_that_names_it(host: Host) -> None:
    asked = wanted(1)
    links.converge(host, asked, world.silent)
    hand(
        "ip -n web.m-1 address delete 10.80.0.10/24 dev front",
        "ip -n web.m-1 address add 10.80.0.10/24 dev front",
    )
    with pytest.raises(Failure, match=r"10\.80\.0\.10/24 was to be added to front"):
        links.converge(host, asked, world.silent)


def test_a_foreign_namespace_stays(host: Host) -> None:
    namespace.prepare(host)
    hand("ip netns add web.m-1", "ip netns add other")
    with pytest.raises(Failure, match=r"web\.m-1 was to be lbkit's"):
        links.converge(host, wanted(2), world.silent)
    with pytest.raises(Failure, match=r"web\.m-1 was to be lbkit's"):
        links.remove(host, "web", ["web.m-1"], world.silent)
    assert sorted(os.listdir(host.netns_dir)) == ["other", "web.m-1"], "not even web.m-2 was begun"
    links.converge(host, wanted(1), world.silent, adopt=["web.m-1"])
    assert_as_wanted(host, wanted(1))


@pytest.mark.parametrize("alias", ["", "lbkit:other:machine/m-1/front", "lbkit:web:\nmachine/m-1"])
def test_a_foreign_host_link_of_a_wanted_name_stays(host: Host, alias: str) -> None:
    (want,) = wanted(1)
    taken = want.interfaces[1].host_link
    hand(f"ip link add {taken} type bridge")
    subprocess.run(["ip", "link", "set", taken, "alias", alias], check=True)
    before = host_links()
    with pytest.raises(Failure, match=taken):
        links.converge(host, [want], world.silent)
    assert host_links() == before
    assert os.listdir(host.netns_dir) == [], "nothing was begun"


def test_without_its_bridge_nothing_is_begun(host: Host) -> None:
    before = host_links()
    (want,) = wanted(1)
    lost = replace(want, interfaces=(replace(want.interfaces[0], bridge="lo"),))
    with pytest.raises(Failure, match="no such bridge"):
        links.converge(host, [lost], world.silent)
    assert (host_links(), os.listdir(host.netns_dir)) == (before, [])


def test_a_group_of_links_that_is_not_ours_is_never_deleted(host: Host) -> None:
    asked = wanted()
    links.converge(host, asked, world.silent)
    hand("ip link add mine type bridge", "ip link set mine group 4711")
    with Netlink() as netlink:
        for number, interface in enumerate(host_links().values()):
            if interface.kind == "veth":  # as if a killed deletion had put them there
                netlink.carry_out([write.set_link(interface.ifindex, interface.name, group=4711 + number)])
    links.remove(host, "web", [want.name for want in asked], world.silent)
    assert set(host_links()) == {"lo", "web.front", "web.back", "mine"}


def test_killed_at_any_step_of_making_it_converges(host: Host) -> None:
    asked = wanted(2)
    before = host_links()
    step = 0
    while not world.survives(step, lambda: links.converge(host, asked, world.silent)):
        seen = links.observe(host, "web")
        assert all(have.mark == f"lbkit:web:machine/{name[4:]}" for name, have in seen.items()), (
            "owner unknown"
        )
        if step % 2:
            links.converge(host, asked, world.silent)
            assert_as_wanted(host, asked)
        links.remove(host, "web", list(links.observe(host, "web")), world.silent)
        assert host_links() == before
        assert os.listdir(host.netns_dir) == []
        step += 1
    assert step > 12
    assert_as_wanted(host, asked)


def test_killed_at_any_step_of_removing_the_rest_goes_later(host: Host) -> None:
    asked = wanted(2)
    names = [want.name for want in asked]
    before = host_links()
    step = 0
    links.converge(host, asked, world.silent)
    while not world.survives(step, lambda: links.remove(host, "web", names, world.silent)):
        links.remove(host, "web", list(links.observe(host, "web")), world.silent)
        assert host_links() == before
        assert os.listdir(host.netns_dir) == []
        links.converge(host, asked, world.silent)
        step += 1
    assert step > 8
    assert host_links() == before


def test_killed_at_any_step_of_mending_it_converges(host: Host) -> None:
    asked = wanted(1)
    (want,) = asked
    other = replace(
        want,
        interfaces=(replace(want.interfaces[0], addresses=(ip_interface("10.80.0.99/24"),), mtu=1300),),
        routes=want.routes[:1],
    )
    step = 0
    links.converge(host, asked, world.silent)
    while not world.survives(step, lambda: links.converge(host, [other], world.silent)):
        links.converge(host, [other], world.silent)
        assert_as_wanted(host, [other])
        links.converge(host, asked, world.silent)
        assert_as_wanted(host, asked)
        step += 1
    assert step > 6


def test_no_namespace_ever_has_two_sockets_and_observing_opens_one_in_each(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the namespace that a socket is opened in; the host's counts as one too."""
    opened: list[int] = []
    now: dict[Netlink, int] = {}
    begin, end = Netlink.__init__, Netlink.close

    def counted(self: Netlink, *given: object, **more: object) -> None:
        inode = os.stat("/proc/thread-self/ns/net").st_ino
        assert inode not in now.values(), "a second one beside"
        begin(self, *given, **more)  # type: ignore[arg-type]
        opened.append(inode)
        now[self] = inode

    def closed(self: Netlink) -> None:
        now.pop(self, None)
        end(self)

    monkeypatch.setattr(Netlink, "__init__", counted)
    monkeypatch.setattr(Netlink, "close", closed)
    links.converge(host, wanted(5), world.silent)
    assert len(set(opened)) == 6
    opened.clear()
    links.observe(host, "web")
    assert len(opened) == len(set(opened)) == 6
    links.converge(host, wanted(6), world.silent)  # one new, five looked at again
    links.remove(host, "web", [f"web.m-{number}" for number in range(1, 7)], world.silent)
    assert now == {}
