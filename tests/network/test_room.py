"""The room against the real kernel: as declared, again with nothing to do, gone without a trace."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from dataclasses import replace

import pytest

from lbkit.base.host import Host
from lbkit.engine.applying import ApplyFailed
from lbkit.engine.change import Action
from lbkit.engine.diff import ForeignObject
from lbkit.engine.resource import Key
from lbkit.engine.scope import Scope
from lbkit.engine.view import Health
from lbkit.network import links, namespace, sysctl
from lbkit.network.netlink import read
from lbkit.network.netlink.channel import Netlink
from lbkit.network.room import ROOM
from tests.network import world

pytestmark = [pytest.mark.sandbox, pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")]

FRONT = world.network("web", "front", "10.80.0.1/24", "fd00:80::1/64", nat=True)
BACK = world.network("web", "back", "10.80.1.1/24", mtu=1400)
WEB = world.scope("web", FRONT, BACK)


def run(line: str) -> str:
    return subprocess.run(line.split(), check=True, capture_output=True, text=True).stdout


def trace() -> tuple[str, str, str]:
    """All there is. Of a link's state only what somebody set: carrier and its kin follow in the kernel's own time."""
    links = re.sub(r"NO-CARRIER,|,LOWER_UP|state \w+ ", "", run("ip -o link"))
    return links, run("ip -o address"), run("nft list ruleset")


def test_made_then_nothing_to_do_then_gone(host: Host) -> None:
    before = trace()
    assert [change.action for change in world.apply(WEB, host).done] == [Action.CREATE] * 2
    assert not world.plan(WEB, host)
    shown = run("ip -d link show web.back")
    assert "mtu 1400" in shown
    assert "alias lbkit:web:network/back" in shown
    assert "10.80.0.1/24" in run("ip -4 address show web.front")
    assert "fd00:80::1/64" in run("ip -6 address show web.front")
    assert "lbkit.web.front" in run("nft list tables")
    assert sysctl.get("net.ipv4.ip_forward") == "1"
    assert sysctl.get("net.ipv6.conf.all.forwarding") == "1"
    world.apply(WEB, host, absent=True)
    assert trace() == before
    assert not world.plan(WEB, host, absent=True)
    assert sysctl.get("net.ipv4.ip_forward") == "1", "others may rely on it by now"


@pytest.mark.parametrize(
    "damage",
    [
        "ip link delete web.front",
        "ip link set web.front down",
        "ip link set web.front mtu 1300",
        "ip link set web.front address 02:00:00:00:00:01",
        "ip address flush dev web.front",
        "ip address delete 10.80.0.1/24 dev web.front",
        "ip link set web.front name other",
        "nft delete table inet lbkit.web.front",
        "nft flush table inet lbkit.web.front",
        "nft insert rule inet lbkit.web.front postrouting return",
    ],
)
def test_what_was_damaged_is_mended(host: Host, damage: str) -> None:
    world.apply(WEB, host)
    run(damage)
    (change,) = world.plan(WEB, host).changes
    assert change.key.name == "front"
    world.apply(WEB, host)
    assert not world.plan(WEB, host)


def test_changes_of_the_file(host: Host) -> None:
    world.apply(WEB, host)
    run("ip address add 10.80.0.200/24 dev web.front")
    moved = world.network("web", "front", "10.80.0.254/24", mtu=1400)
    added = world.network("web", "third", "10.80.2.1/24", nat=True)
    changed = world.scope("web", moved, added)
    result = world.apply(changed, host)
    assert {change.key.name: str(change.action) for change in result.done} == {
        "front": "update",
        "back": "delete",
        "third": "create",
    }
    assert not world.plan(changed, host)
    addresses = run("ip -o address show web.front")
    assert "10.80.0.254/24" in addresses
    assert "10.80.0.1/24" not in addresses
    assert "10.80.0.200/24" in addresses, "one that somebody else added stays"
    assert run("nft list tables").split() == ["table", "inet", "lbkit.web.third"]


def test_a_bridge_declared_under_another_name_is_replaced(host: Host) -> None:
    world.apply(WEB, host)
    renamed = world.scope("web", replace(FRONT, bridge="br-front"), BACK)
    world.apply(renamed, host)
    assert not world.plan(renamed, host)
    assert "web.front" not in run("ip -o link")
    assert 'oifname != "br-front"' in run("nft list ruleset")


def test_two_networks_swap_their_bridges_names(host: Host) -> None:
    world.apply(WEB, host)
    front, back = replace(FRONT, bridge="web.back"), replace(BACK, bridge="web.front")
    swapped = world.scope("web", front, back)
    world.apply(swapped, host)
    assert not world.plan(swapped, host)
    assert "alias lbkit:web:network/front" in run("ip link show web.back")


@pytest.mark.parametrize("alias", ["", "mine", "lbkit:other:network/front", "lbkit:web:network/front\n"])
def test_a_foreign_bridge_stays_as_it_is(host: Host, alias: str) -> None:
    run("ip link add web.front type bridge")
    subprocess.run(["ip", "link", "set", "web.front", "alias", alias], check=True)
    before = trace()
    with pytest.raises(ForeignObject, match="network front"):
        world.apply(WEB, host)
    assert not world.plan(WEB, host, absent=True)
    assert trace() == before


def test_a_foreign_bridge_is_taken_over_at_a_persons_word(host: Host) -> None:
    run("ip link add web.front type bridge")
    run("ip address add 10.80.0.1/24 dev web.front")
    world.apply(WEB, host, adopt=[Key("network", "front")])
    assert not world.plan(WEB, host)
    world.apply(WEB, host, absent=True)
    assert "web.front" not in run("ip -o link")


def test_an_alias_copied_to_another_link_makes_it_not_ours(host: Host) -> None:
    world.apply(WEB, host)
    run("ip link add eth7 type veth peer name eth8")
    run("ip link set eth7 alias lbkit:web:network/front")
    run("ip link set eth8 alias lbkit:web:network/gone")
    assert not world.plan(WEB, host)
    world.apply(WEB, host, absent=True)
    left = run("ip -o link")
    assert "eth7" in left
    assert "eth8" in left


def test_what_another_topology_made_stays(host: Host) -> None:
    other = world.scope("web2", world.network("web2", "front", "10.81.0.1/24", nat=True))
    world.apply(other, host)
    before = trace()
    world.apply(WEB, host)
    world.apply(WEB, host, absent=True)
    assert trace() == before
    assert not world.plan(other, host)


def test_an_address_that_cannot_be_fails_alone(host: Host) -> None:
    bad = world.network("web", "bad", "ff02::1/64")
    with pytest.raises(ApplyFailed, match=r"ff02::1/64 was to be added to web\.bad") as caught:
        world.apply(world.scope("web", FRONT, bad), host)
    assert [change.key.name for change in caught.value.result.done] == ["front"]
    world.apply(WEB, host)
    assert not world.plan(WEB, host)


def test_every_refusal_of_the_kernel_is_told(host: Host) -> None:
    bad = [world.network("web", name, f"ff02::{name}/64") for name in ("1", "2")]
    with pytest.raises(ApplyFailed) as caught:
        world.apply(world.scope("web", *bad), host)
    assert all(f"ff02::{name}/64 was to be added to web.{name}" in str(caught.value) for name in ("1", "2"))
    world.apply(world.scope("web", *bad), host, absent=True)


def test_the_hosts_own_way_by_router_advertisement_is_not_cut(host: Host) -> None:
    run("ip link add up0 type bridge")
    run("ip link set up0 up")
    run("ip -6 address add 2001:db8::2/64 dev up0 nodad")
    run("ip -6 route add default via 2001:db8::1 dev up0 proto ra")
    assert any("up0" in note for note in world.plan(WEB, host).notes)
    with pytest.raises(ApplyFailed, match="accept_ra=2"):
        world.apply(WEB, host)
    assert sysctl.get("net.ipv6.conf.all.forwarding") == "0"
    sysctl.put("net/ipv6/conf/up0/accept_ra", "2")
    world.apply(WEB, host)
    assert "default" in run("ip -6 route show default")


@pytest.mark.parametrize(("version", "target"), [(4, "192.0.2.9"), (6, "2001:db8::9")], ids=["IPv4", "IPv6"])
def test_nat_hides_machines_behind_the_host(host: Host, version: int, target: str) -> None:
    outside = world.network("out", "wan", "192.0.2.1/24", "2001:db8::1/64")
    for scope in (WEB, world.scope("out", outside)):
        world.apply(scope, host)
    links.converge(
        host,
        [
            world.namespace(
                "web",
                "in",
                world.interface("web", "in", FRONT, "10.80.0.7/24", "fd00:80::7/64"),
                routes=[("0.0.0.0/0", "10.80.0.1"), ("::/0", "fd00:80::1")],
            ),
            world.namespace(
                "out", "there", world.interface("out", "there", outside, "192.0.2.9/24", "2001:db8::9/64")
            ),
        ],
        world.silent,
    )
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with namespace.entered(host, "out.there"):
        server = socket.create_server((target, 8080), family=family)
    with namespace.entered(host, "web.in"):
        client = socket.socket(family, socket.SOCK_STREAM)
    with server, client:
        server.settimeout(10)
        client.settimeout(10)
        client.connect((target, 8080))
        accepted, peer = server.accept()
        accepted.close()
    assert peer[0] == {4: "192.0.2.1", 6: "2001:db8::1"}[version], "the host's address, not the machine's"


def killed(scope: Scope, host: Host, *, absent: bool, least: int) -> None:
    """Kill an apply before each of its effects in turn; each time the next one converges."""
    step = 0
    while not world.survives(step, lambda: world.apply(scope, host, absent=absent)):
        world.plan(scope, host, absent=absent)  # raises where something stands whose owner is not known
        world.apply(scope, host, absent=absent)
        assert not world.plan(scope, host, absent=absent)
        world.apply(scope, host, absent=not absent)
        step += 1
    assert step >= least


def test_killed_at_any_step_of_making_it_converges(host: Host) -> None:
    killed(WEB, host, absent=False, least=8)
    assert not world.plan(WEB, host)


def test_killed_at_any_step_of_removing_it_converges(host: Host) -> None:
    before = trace()
    world.apply(WEB, host)
    killed(WEB, host, absent=True, least=8)
    assert trace() == before


def test_status_picture_and_evidence(host: Host) -> None:
    assert {row.health for row in ROOM.status(WEB, host)} == {Health.DOWN}
    assert not any(row.present for row in ROOM.status(WEB, host))
    (missing,) = ROOM.explain(WEB, host, ["front"]) or ()
    assert missing.good is False
    world.apply(WEB, host)
    rows = {str(row.key): row for row in ROOM.status(WEB, host)}
    assert rows["network front"].health is Health.UP
    assert "10.80.0.1/24, fd00:80::1/64, 0 ports, nat" in rows["network front"].detail
    assert all(finding.good is not False for finding in ROOM.explain(WEB, host, ["front"]) or ())
    assert ROOM.explain(WEB, host, ["nonsense"]) is None
    assert {node.id for node in ROOM.picture(WEB).nodes} == set(rows)
    run("nft flush table inet lbkit.web.front")
    run("ip link set web.back down")
    rows = {str(row.key): row for row in ROOM.status(WEB, host)}
    assert rows["network front"].health is Health.DEGRADED
    assert rows["network back"].health is Health.DOWN
    assert any(finding.good is False for finding in ROOM.explain(WEB, host, ["front"]) or ())


def test_doctor_finds_this_host_able(host: Host) -> None:
    checks = {check.name: check for check in ROOM.doctor(host)}
    assert [check.name for check in checks.values() if not check.good] == []
    with Netlink() as netlink:
        assert [link.name for link in read.links(netlink)] == ["lo"]


def test_looking_leaves_no_descriptor_open(host: Host) -> None:
    world.apply(WEB, host)
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(1000):
        ROOM.observe(WEB, host)
    for _ in range(20):
        world.apply(WEB, host, absent=True)
        world.apply(WEB, host)
    assert sorted(os.listdir("/proc/self/fd")) == before
