"""A guest is who it is told to be: each part set, what was set before and is not wanted any more gone, foreign things kept."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.errors import Failure
from lbkit.machine.guest import announce
from lbkit.machine.guest.identity import Identity, Interface, Route
from lbkit.machine.guest.session import Session
from lbkit.machine.guest.setting import link_steps, with_block
from lbkit.network.netlink.read import Link
from tests.machine.guest.conftest import MakeGuest
from tests.machine.guest.world import FakeGuest, an_identity
from tests.machine.world import until

pytestmark = pytest.mark.sandbox

MACS = ("52:54:00:00:00:01", "52:54:00:00:00:02")
FRONT = Interface("front", MACS[0], 1400, (ip_interface("10.9.0.5/24"), ip_interface("fd00:9::5/64")))
BACK = Interface("back", MACS[1], 1500, (ip_interface("10.8.0.5/24"),))
ROUTE = Route(ip_network("10.77.0.0/16"), ip_address("10.9.0.1"))


def ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def guest(make_guest: MakeGuest) -> FakeGuest:
    """With two network cards, named as a kernel names them, plugged into nothing yet."""
    made = make_guest()
    for number in range(2):
        plug(made, number)
    return made


def plug(guest: FakeGuest, number: int) -> None:
    assert guest.process is not None
    peer = ["name", f"eth{number}", "address", MACS[number], "netns", str(guest.process.pid)]
    ip("link", "add", f"tap{number}", "type", "veth", "peer", *peer)


@pytest.fixture
def session(guest: FakeGuest) -> Session:
    return guest.session()


@pytest.fixture
def identity(topology_name: str) -> Identity:
    return an_identity(topology_name, interfaces=(FRONT, BACK), routes=(ROUTE,))


def tell(session: Session, identity: Identity) -> Any:
    found, _ = session.call("identity", {}, json.dumps(identity.as_data()).encode())
    assert found == identity.digest
    seen, _ = session.call("look", {})
    for each in seen["interfaces"].values():
        each.pop("running")  # the kernel says so somewhat later
    return seen


def test_links_get_their_names_sizes_addresses_and_routes_with_nothing_plugged_in(
    session: Session, identity: Identity
) -> None:
    seen = tell(session, identity)
    assert seen == {
        "hostname": "m-host",
        "interfaces": {
            "front": {
                "mac": MACS[0],
                "mtu": 1400,
                "up": True,
                "mark": f"lbkit:{identity.topology}:machine/m/front",
                "addresses": ["10.9.0.5/24", "fd00:9::5/64"],
                "foreign": [],
            },
            "back": {
                "mac": MACS[1],
                "mtu": 1500,
                "up": True,
                "mark": f"lbkit:{identity.topology}:machine/m/back",
                "addresses": ["10.8.0.5/24"],
                "foreign": [],
            },
        },
        "routes": ["10.77.0.0/16 via 10.9.0.1"],
    }
    ip("link", "set", "tap0", "up")
    until(lambda: session.call("look", {})[0]["interfaces"]["front"]["running"], "it has a carrier")
    assert session.call("look", {})[0]["interfaces"]["front"]["addresses"] == ["10.9.0.5/24", "fd00:9::5/64"]


def test_telling_it_again_changes_nothing(guest: FakeGuest, session: Session, identity: Identity) -> None:
    first = tell(session, identity)

    def held() -> str:
        routes = guest.run("ip", "route", "show", "table", "all").replace(
            " linkdown", ""
        )  # told somewhat later
        return guest.run("ip", "-o", "address") + routes

    before = held()
    assert tell(session, identity) == first
    assert held() == before


def test_what_is_not_wanted_any_more_goes_and_what_is_foreign_stays(
    guest: FakeGuest, session: Session, identity: Identity
) -> None:
    tell(session, identity)
    guest.run("ip", "address", "add", "10.9.0.99/32", "dev", "front")  # as keepalived holds a virtual address
    guest.run("ip", "route", "add", "10.66.0.0/16", "via", "10.9.0.2")
    moved = replace(FRONT, addresses=(ip_interface("10.8.0.5/24"), ip_interface("10.9.0.6/24")))
    seen = tell(session, replace(identity, generation=2, interfaces=(moved,), routes=()))
    assert seen["interfaces"]["front"]["addresses"] == ["10.8.0.5/24", "10.9.0.6/24"]
    assert seen["interfaces"]["front"]["foreign"] == ["10.9.0.99/32"]
    assert seen["routes"] == []
    back = seen["interfaces"]["back"]
    assert (back["up"], back["mark"], back["addresses"]) == (False, "", [])
    assert "10.66.0.0/16" in guest.run("ip", "route")


def test_what_another_program_sets_as_it_shall_be_is_as_good_as_ours(
    guest: FakeGuest, session: Session, identity: Identity
) -> None:
    before = tell(session, identity)
    for change in ("del", "add"):  # as a network manager does where a link is unplugged, and plugged in
        guest.run("ip", "address", change, "10.9.0.5/24", "dev", "front")
    guest.run("ip", "route", "add", "10.77.0.0/16", "via", "10.9.0.1", "proto", "static")
    seen, _ = session.call("look", {})
    assert (seen["interfaces"]["front"]["addresses"], seen["interfaces"]["front"]["foreign"]) == (
        before["interfaces"]["front"]["addresses"],
        [],
    )
    assert seen["routes"] == before["routes"]
    assert "proto 108" not in guest.run("ip", "route", "show", "10.77.0.0/16")
    tell(session, identity)
    assert "proto 108" in guest.run("ip", "route", "show", "10.77.0.0/16")
    assert "proto static" not in guest.run("ip", "route", "show", "10.77.0.0/16")


def test_an_address_that_was_wanted_goes_though_another_program_set_it_again(
    guest: FakeGuest, session: Session, identity: Identity
) -> None:
    tell(session, identity)
    for change in ("del", "add"):
        guest.run("ip", "address", change, "10.9.0.5/24", "dev", "front")
    moved = replace(FRONT, addresses=(ip_interface("10.9.0.6/24"),))
    seen = tell(session, replace(identity, interfaces=(moved, BACK), routes=()))
    assert seen["interfaces"]["front"]["addresses"] == ["10.9.0.6/24"]
    assert seen["interfaces"]["front"]["foreign"] == []


def test_two_links_exchange_their_names(session: Session, identity: Identity) -> None:
    tell(session, identity)
    exchanged = (replace(FRONT, mac=MACS[1]), replace(BACK, mac=MACS[0]))
    seen = tell(session, replace(identity, interfaces=exchanged))
    assert {name: each["mac"] for name, each in seen["interfaces"].items()} == {
        "front": MACS[1],
        "back": MACS[0],
    }
    assert seen["interfaces"]["back"]["addresses"] == ["10.8.0.5/24"]


def test_a_name_that_the_kernel_gave_to_another_is_taken(session: Session, identity: Identity) -> None:
    seen = tell(session, replace(identity, interfaces=(replace(BACK, name="eth0"),), routes=()))
    assert seen["interfaces"]["eth0"]["mac"] == MACS[1]
    assert any(each["mac"] == MACS[0] for each in seen["interfaces"].values())


def test_an_address_that_somebody_else_put_there_becomes_lbkit_s(
    guest: FakeGuest, session: Session, identity: Identity
) -> None:
    guest.run("ip", "address", "add", "10.9.0.5/24", "dev", "eth0")
    assert tell(session, identity)["interfaces"]["front"]["addresses"] == ["10.9.0.5/24", "fd00:9::5/64"]


def test_sysctls_are_set(guest: FakeGuest, session: Session, identity: Identity) -> None:
    wanted = {
        "net.ipv4.ip_nonlocal_bind": "1",
        "net.ipv4.ip_unprivileged_port_start": "0",
        "net.no.such": "1",
    }
    tell(session, replace(identity, sysctls=wanted))
    assert (
        guest.run("sysctl", "-n", "net.ipv4.ip_nonlocal_bind", "net.ipv4.ip_unprivileged_port_start")
        == "1\n0\n"
    )


def test_files_say_who_it_is_and_other_people_s_keys_stay(
    guest: FakeGuest, session: Session, identity: Identity
) -> None:
    keys = guest.root / "root/.ssh/authorized_keys"
    keys.parent.mkdir(parents=True)
    keys.write_text("ssh-rsa HERS her\n")
    tell(session, replace(identity, machine_id="1" * 32, ssh_keys=("ssh-rsa MINE me", "ssh-rsa HIS him")))
    assert (guest.root / "etc/hostname").read_text() == "m-host\n"
    assert (guest.root / "etc/machine-id").read_text() == "1" * 32 + "\n"
    assert keys.read_text().splitlines()[0] == "ssh-rsa HERS her"
    assert "ssh-rsa MINE me\n" in keys.read_text()
    assert keys.stat().st_mode & 0o777 == 0o600
    tell(session, identity)
    assert keys.read_text() == "ssh-rsa HERS her\n"
    assert (guest.root / "etc/machine-id").read_text() == "1" * 32 + "\n"


def test_the_hello_says_who_it_is(guest: FakeGuest, session: Session, identity: Identity) -> None:
    tell(session, replace(identity, generation=3))
    session.close()
    hello = guest.session().guest
    assert (hello.topology, hello.member, hello.generation) == (identity.topology, "m", 3)
    assert hello.identity == replace(identity, generation=3).digest


def test_one_that_cannot_be_set_is_told_and_the_hello_does_not_claim_it(
    guest: FakeGuest, session: Session, identity: Identity
) -> None:
    missing = replace(FRONT, mac="52:54:00:00:00:99")
    with pytest.raises(Failure, match="52:54:00:00:00:99") as caught:
        session.call(
            "identity",
            {"within": 0.1},
            json.dumps(replace(identity, interfaces=(missing,)).as_data()).encode(),
        )
    assert MACS[0] in caught.value.found
    session.close()
    again = guest.session()
    assert again.guest.identity == ""
    tell(again, identity)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"{" * 100_000, b'{"version": 2}'])
def test_what_is_no_identity_is_refused_and_leaves_the_one_there_is(
    guest: FakeGuest, session: Session, content: bytes
) -> None:
    before = guest.identity_file.read_bytes()
    with pytest.raises(Failure):
        session.call("identity", {}, content)
    assert guest.identity_file.read_bytes() == before


def test_a_link_that_comes_late_is_waited_for(guest: FakeGuest, session: Session, identity: Identity) -> None:
    """A driver may be loaded after the program began."""
    ip("link", "delete", "tap0")
    thread = threading.Thread(target=lambda: tell(session, identity))
    thread.start()
    plug(guest, 0)
    thread.join()
    assert session.call("look", {})[0]["interfaces"]["front"]["addresses"] == ["10.9.0.5/24", "fd00:9::5/64"]


def test_it_is_who_its_file_says_from_its_start_on(guest: FakeGuest, identity: Identity) -> None:
    guest.session().close()
    guest.kill()
    guest.tell(identity)
    # the cards of a network live as long as something is in it
    guest.start()
    assert guest.session().guest.identity == identity.digest


def test_neighbours_hear_of_every_address_on_a_link_that_is_plugged_in(
    session: Session, identity: Identity
) -> None:
    tell(session, identity)
    until(
        lambda: not any(each["running"] for each in session.call("look", {})[0]["interfaces"].values()),
        "nothing is plugged in",
    )
    assert session.call("announce", {}) == ([], b"")
    ip("link", "set", "tap0", "up")
    ip("address", "add", "10.9.0.1/24", "dev", "tap0")
    ip("neighbour", "replace", "10.9.0.5", "lladdr", "02:00:00:00:00:99", "dev", "tap0", "nud", "stale")
    ip(
        "-6",
        "neighbour",
        "replace",
        "fd00:9::5",
        "lladdr",
        "02:00:00:00:00:99",
        "dev",
        "tap0",
        "nud",
        "stale",
    )
    told, _ = session.call("announce", {"within": 0.5})
    assert sorted(told) == ["10.9.0.5", "fd00:9::5"]
    for address in told:
        until(lambda address=address: MACS[0] in ip("neighbour", "show", address), f"{address} is known anew")


def test_announcements_are_those_of_the_standards() -> None:
    mac = bytes.fromhex("525400000001")
    frame = announce.arp(mac, IPv4Address("10.9.0.5"))
    assert frame.hex() == (
        "ffffffffffff5254000000010806000108000604000152540000000" + "10a0900050000000000000a090005"
    )
    message = announce.advertisement(mac, IPv6Address("fd00::5"))
    assert message.hex() == "8800000020000000fd0000000000000000000000000000050201525400000001"


addresses = st.ip_addresses().map(lambda address: ip_interface(f"{address}/{address.max_prefixlen - 8}"))
names = st.from_regex(r"[a-z][a-z0-9-]{0,14}", fullmatch=True)
interfaces = st.builds(
    Interface, names, st.sampled_from(MACS), st.integers(68, 9000), st.lists(addresses).map(tuple)
)


@given(
    st.builds(
        Identity,
        names,
        names,
        st.integers(0, 9),
        names,
        interfaces=st.lists(interfaces, max_size=3).map(tuple),
        sysctls=st.dictionaries(names, names, max_size=3),
        ssh_keys=st.lists(names, max_size=3).map(tuple),
    )
)
def test_an_identity_survives_the_way_through_its_file(identity: Identity) -> None:
    again = Identity.from_data(json.loads(json.dumps(identity.as_data())))
    assert again == identity
    assert again.digest == identity.digest


lines = st.lists(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=5), max_size=4)


@given(lines, lines, lines)
def test_a_block_of_lines_takes_the_place_of_the_one_before(
    others: Sequence[str], first: Sequence[str], second: Sequence[str]
) -> None:
    text = "".join(f"{line}\n" for line in others)
    once = with_block(text, first)
    assert with_block(with_block(text, second), first) == once
    assert with_block(once, []) == text


@given(st.permutations(["front", "back", "eth0", "eth1"]), st.permutations(range(2)))
def test_any_names_become_any_others(wanted: Sequence[str], order: Sequence[int]) -> None:
    """Never two with one name on the way: each step is one that a kernel takes."""
    links = [Link(9 + n, ["eth0", "front"][n], "", MACS[n], 1500, True, True, "", 0, 0, 0) for n in range(2)]
    identity = an_identity("t", interfaces=tuple(Interface(wanted[n], MACS[n]) for n in order))
    here = {link.ifindex: link.name for link in links}
    for step in link_steps(identity, links):
        for request in step:
            index = int.from_bytes(request.body[4:8], "little")
            if request.body[18:20] == b"\3\0":  # IFLA_IFNAME comes first
                name = request.body[20:].split(b"\0")[0].decode()
                assert name not in here.values()
                here[index] = name
    assert here == {9: wanted[0], 10: wanted[1]}
