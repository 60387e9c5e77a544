"""What allocation promises: everybody has an address of their own, and keeps it when the file grows."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lbkit.base.errors import Bug
from lbkit.engine.book import IPAddress, IPNetwork
from lbkit.network.allocate import Pool, allocate, mac_address

ROOT = Path(__file__).parents[2]
FRONT = ip_network("10.80.0.0/24")
names = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
prefixes = st.one_of(
    st.integers(20, 32).map(lambda bits: ip_network(f"10.16.0.0/{bits}")),
    st.integers(32, 128).map(lambda bits: ip_network(f"fd00:80::/{bits}")),
)
counts = st.dictionaries(names, st.integers(0, 40), max_size=8)


def members(group: str, count: int) -> list[str]:
    return [f"{group}-{index}" for index in range(1, count + 1)]


def groups_of(counts: dict[str, int]) -> dict[str, list[str]]:
    return {group: members(group, count) for group, count in counts.items()}


@st.composite
def cases(draw: st.DrawFn) -> tuple[IPNetwork, dict[str, list[str]], set[IPAddress]]:
    """A prefix, groups that fit into it, and addresses that others have."""
    prefix = draw(prefixes)
    pool = Pool(prefix)
    slots = draw(st.sets(st.integers(pool.first, min(pool.last, pool.first + 300)), max_size=40))
    taken = {pool.address(slot) for slot in slots}
    groups = groups_of(draw(counts))
    assume(sum(map(len, groups.values())) <= pool.free(taken))
    return prefix, groups, taken


@given(cases())
def test_everybody_has_an_address_of_their_own(
    case: tuple[IPNetwork, dict[str, list[str]], set[IPAddress]],
) -> None:
    prefix, groups, taken = case
    allocated = allocate(prefix, groups, taken)
    assert set(allocated) == {member for group in groups.values() for member in group}
    assert len(set(allocated.values())) == len(allocated)
    for address in allocated.values():
        assert address in prefix
        assert address not in taken
        assert Pool(prefix).usable(address)


@given(st.integers(22, 32), st.data())
def test_what_fits_to_the_last_address_is_accepted(bits: int, data: st.DataObject) -> None:
    prefix = ip_network(f"10.16.0.0/{bits}")
    pool = Pool(prefix)
    slots = data.draw(st.sets(st.integers(pool.first, pool.last), max_size=20))
    taken = {pool.address(slot) for slot in slots}
    free = pool.free(taken)
    first = data.draw(st.integers(0, free))
    groups = {"a": members("a", first), "b": members("b", free - first)}
    allocated = allocate(prefix, groups, taken)
    everything = {pool.address(slot) for slot in range(pool.first, pool.last + 1)}
    assert set(allocated.values()) == everything - taken
    with pytest.raises(Bug):
        allocate(prefix, {**groups, "one-too-many": ["one-too-many"]}, taken)


@given(cases(), names, st.integers(0, 40))
def test_a_group_at_the_end_renumbers_nobody(
    case: tuple[IPNetwork, dict[str, list[str]], set[IPAddress]], name: str, count: int
) -> None:
    """As long as nobody had to squeeze in: each group has its home, and what is beyond it its cells."""
    prefix, groups, taken = case
    new = f"{name}-new"
    after = {**groups, new: members(new, count)}
    pool = Pool(prefix)
    assume(sum(map(len, after.values())) <= pool.free(taken))
    assume(len(after) <= len(pool.homes))
    before = allocate(prefix, groups, taken)
    size = pool.cell_size
    assume(
        all(
            pool.slot(a) // size in pool.homes or pool.slot(a) // size in pool.beyond for a in before.values()
        )
    )
    beyond = sum(max(0, len(group) - 1) // size for group in groups.values())
    assume(beyond <= len(pool.beyond))
    grown = allocate(prefix, after, taken)
    assert {member: grown[member] for member in before} == before


@given(cases(), st.data())
def test_a_count_within_the_home_renumbers_nobody(
    case: tuple[IPNetwork, dict[str, list[str]], set[IPAddress]], data: st.DataObject
) -> None:
    prefix, groups, taken = case
    pool = Pool(prefix)
    assume(groups)
    assume(len(groups) <= len(pool.homes))
    name = data.draw(st.sampled_from(sorted(groups)))
    assume(len(groups[name]) <= pool.cell_size)
    count = data.draw(st.integers(0, pool.cell_size))
    changed = {**groups, name: members(name, count)}
    assume(sum(map(len, changed.values())) <= pool.free(taken))
    before, after = allocate(prefix, groups, taken), allocate(prefix, changed, taken)
    for group in groups:
        for index, member in enumerate(groups[group][: pool.cell_size]):
            if member not in after:
                continue
            slot = pool.slot(before[member])
            at_home = slot // pool.cell_size in pool.homes and slot % pool.cell_size == index
            if at_home:
                assert after[member] == before[member]


@given(st.dictionaries(names, st.integers(0, 8), min_size=1, max_size=22), st.data())
def test_no_growth_ever_moves_who_is_at_home(counts: dict[str, int], data: st.DataObject) -> None:
    """Groups within their cell never move, whoever else grows, and however far beyond its own cell."""
    pool = Pool(FRONT)
    grower = data.draw(st.sampled_from(sorted(counts)))
    grown = {**counts, grower: data.draw(st.integers(0, pool.free([]) - sum(counts.values())))}
    # grown so far that members squeeze into the free slots of other homes, those still belong to their groups
    before, after = allocate(FRONT, groups_of(counts)), allocate(FRONT, groups_of(grown))
    for member, address in before.items():
        if member in after:
            assert after[member] == address


def test_beyond_its_home_a_group_keeps_what_it_has() -> None:
    last: dict[str, IPAddress] = {}
    for count in range(60):
        now = allocate(FRONT, {"lb": ["lb-1", "lb-2"], "web": members("web", count), "ns": ["ns"]})
        assert {member: now[member] for member in last} == last
        last = now


@given(counts, counts)
def test_order_within_the_file_matters_only_where_homes_collide(
    first: dict[str, int], second: dict[str, int]
) -> None:
    """In an IPv6 network homes are so many that no order is seen: sorting a file's keys changes nothing."""
    prefix = ip_network("fd00:80::/64")
    both = {**first, **second}
    turned = dict(sorted(both.items(), reverse=True))
    assert allocate(prefix, groups_of(both)) == allocate(prefix, groups_of(turned))


@given(cases(), st.data())
def test_a_pin_moves_nobody_else_from_home(
    case: tuple[IPNetwork, dict[str, list[str]], set[IPAddress]], data: st.DataObject
) -> None:
    prefix, groups, _ = case
    pool = Pool(prefix)
    assume(len(groups) <= len(pool.homes))
    at_home = allocate(prefix, {group: inside[: pool.cell_size] for group, inside in groups.items()})
    before = allocate(prefix, groups)
    assume(at_home)
    assume(len(before) < pool.free([]))
    victim = data.draw(st.sampled_from(sorted(at_home)))
    after = allocate(prefix, groups, {before[victim]})
    assert after[victim] != before[victim]
    for member in set(at_home) - {victim}:
        assert after[member] == before[member] == at_home[member]


def test_the_same_everywhere() -> None:
    """Written out: what a release allocated, the next one must allocate as well, in any process."""
    groups = groups_of({"lb": 2, "web": 3, "big": 10})
    assert {member: str(address) for member, address in allocate(FRONT, groups).items()} == EXPECTED
    code = (
        "from ipaddress import ip_network; from lbkit.network.allocate import allocate;"
        f"print(*allocate(ip_network('10.80.0.0/24'), {groups!r}).values())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"PYTHONHASHSEED": "7"},
    )
    assert done.stdout.split() == list(EXPECTED.values())


EXPECTED = {
    "lb-1": "10.80.0.88",
    "lb-2": "10.80.0.89",
    "web-1": "10.80.0.160",
    "web-2": "10.80.0.161",
    "web-3": "10.80.0.162",
    "big-1": "10.80.0.168",
    "big-2": "10.80.0.169",
    "big-3": "10.80.0.170",
    "big-4": "10.80.0.171",
    "big-5": "10.80.0.172",
    "big-6": "10.80.0.173",
    "big-7": "10.80.0.174",
    "big-8": "10.80.0.175",
    "big-9": "10.80.0.192",
    "big-10": "10.80.0.193",
}


@pytest.mark.parametrize(
    ("prefix", "first", "last", "size"),
    [
        ("10.80.0.0/24", "10.80.0.1", "10.80.0.254", 8),
        ("10.80.0.0/16", "10.80.0.1", "10.80.255.254", 128),
        ("10.80.0.0/30", "10.80.0.1", "10.80.0.2", 1),
        ("10.80.0.0/31", "10.80.0.0", "10.80.0.1", 1),
        ("10.80.0.0/32", "10.80.0.0", "10.80.0.0", 1),
        ("fd00:80::/64", "fd00:80::1", "fd00:80::ffff:ffff", 4096),
        ("fd00:80::/127", "fd00:80::", "fd00:80::1", 1),
        ("fd00:80::/128", "fd00:80::", "fd00:80::", 1),
    ],
)
def test_the_pool_of_a_prefix(prefix: str, first: str, last: str, size: int) -> None:
    pool = Pool(ip_network(prefix))
    assert pool.address(pool.first) == ip_address(first)
    assert pool.address(pool.last) == ip_address(last)
    assert pool.cell_size == size
    assert not set(list(pool.homes)[:5]) & set(list(pool.beyond)[:5])


@given(prefixes)
def test_cells_lie_within_the_prefix(prefix: IPv4Network | IPv6Network) -> None:
    pool = Pool(prefix)
    for cells in (pool.homes, pool.beyond):
        if cells:
            assert pool.usable(pool.address(cells.start * pool.cell_size))
            assert pool.usable(pool.address(cells.stop * pool.cell_size - 1))
    assert pool.homes.stop == pool.beyond.start


def test_what_an_interface_may_not_have() -> None:
    pool = Pool(FRONT)
    for address in ("10.80.0.0", "10.80.0.255", "10.80.1.1", "fd00::1"):
        assert not pool.usable(ip_address(address))
    assert pool.usable(ip_address("10.80.0.1"))
    assert Pool(ip_network("fd00::/64")).usable(ip_address("fd00::ffff:ffff:ffff:ffff"))
    assert not Pool(ip_network("fd00::/64")).usable(ip_address("fd00::"))


@given(st.lists(st.tuples(names, names, names), unique=True, max_size=30))
def test_macs_are_local_unicast_and_differ(places: list[tuple[str, str, str]]) -> None:
    macs = [mac_address(*place) for place in places]
    assert len(set(macs)) == len(macs)
    for mac in macs:
        first = int(mac[:2], 16)
        assert first & 0b11 == 0b10
        assert len(bytes.fromhex(mac.replace(":", ""))) == 6
    assert mac_address("web", "lb-1", "front") == mac_address("web", "lb-1", "front")
    digest = hashlib.sha256(b"mac/web/lb-1/front").hexdigest()
    assert mac_address("web", "lb-1", "front").replace(":", "")[2:] == digest[2:12]
