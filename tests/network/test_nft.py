"""Tables that lbkit writes are what nft shows, and what anyone changes in them is noticed."""

from __future__ import annotations

import subprocess
from ipaddress import ip_network

import pytest

from lbkit.base.host import Host
from lbkit.network.netlink import nft
from lbkit.network.netlink.channel import NETFILTER, Netlink, Refused
from lbkit.network.netlink.nft import Masquerade, Table

pytestmark = pytest.mark.sandbox

PREFIXES = tuple(
    map(ip_network, ("10.80.0.0/24", "10.0.0.0/8", "172.16.0.0/12", "192.0.2.1/32", "fd00::/61"))
)
TABLE = Table("lbkit.web.front", "lbkit:web:network/front", Masquerade(PREFIXES, "web.front"))
SHOWN = """\
table inet lbkit.web.front {
	comment "lbkit:web:network/front"
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 10.80.0.0/24 oifname != "web.front" masquerade
		ip saddr 10.0.0.0/8 oifname != "web.front" masquerade
		ip saddr 172.16.0.0/12 oifname != "web.front" masquerade
		ip saddr 192.0.2.1 oifname != "web.front" masquerade
		ip6 saddr fd00::/61 oifname != "web.front" masquerade
	}
}
"""


def tool(*argv: str) -> str:
    return subprocess.run(["nft", *argv], check=True, capture_output=True, text=True).stdout


def test_nft_shows_what_was_meant_and_it_is_read_back_as_written(host: Host) -> None:
    with Netlink(NETFILTER) as netlink:
        nft.write_tables(netlink, [TABLE])
        assert tool("list", "ruleset") == SHOWN
        assert nft.read_tables(netlink, "lbkit.web.") == [TABLE]
        nft.write_tables(netlink, [TABLE])
        assert tool("list", "ruleset") == SHOWN, "written again it is replaced, not added to"


BY_HAND = """\
add rule inet lbkit.web.front postrouting counter
insert rule inet lbkit.web.front postrouting ip daddr 192.0.2.9 return
flush chain inet lbkit.web.front postrouting
add chain inet lbkit.web.front another
delete rule inet lbkit.web.front postrouting handle 2
chain inet lbkit.web.front postrouting { policy drop; }
replace rule inet lbkit.web.front postrouting handle 2 ip saddr 10.80.0.0/24 oifname != x masquerade
replace rule inet lbkit.web.front postrouting handle 2 ip saddr 10.80.0.0/25 oifname != web.front masquerade
replace rule inet lbkit.web.front postrouting handle 2 ip saddr 10.80.0.0/24 oifname != web.front masquerade random
replace rule inet lbkit.web.front postrouting handle 2 ip daddr 10.80.0.0/24 oifname != web.front masquerade
"""


@pytest.mark.parametrize("change", BY_HAND.splitlines())
def test_a_change_by_hand_is_noticed(host: Host, change: str) -> None:
    with Netlink(NETFILTER) as netlink:
        nft.write_tables(netlink, [TABLE])
        tool(change)
        assert nft.read_tables(netlink, "lbkit.web.") != [TABLE]
        nft.write_tables(netlink, [TABLE])
        assert nft.read_tables(netlink, "lbkit.web.") == [TABLE]


def test_only_the_named_tables_go(host: Host) -> None:
    tool("add", "table", "inet", "filter")
    with Netlink(NETFILTER) as netlink:
        nft.write_tables(netlink, [TABLE])
        nft.delete_tables(netlink, [TABLE.name, "lbkit.web.never"])
        assert nft.read_tables(netlink, "lbkit.") == []
        assert tool("list", "ruleset") == "table inet filter {\n}\n"


def test_more_tables_than_fit_one_message(host: Host) -> None:
    tables = [TABLE._replace(name=f"lbkit.web.n{number}") for number in range(120)]
    with Netlink(NETFILTER) as netlink:
        nft.write_tables(netlink, tables)
        assert nft.read_tables(netlink, "lbkit.web.") == tables
        nft.delete_tables(netlink, [table.name for table in tables])
        assert nft.read_tables(netlink, "") == []


def test_a_refused_transaction_leaves_nothing(host: Host) -> None:
    bad = TABLE._replace(name="lbkit.web.bad", masquerade=Masquerade(PREFIXES, "b" * 40))
    with Netlink(NETFILTER) as netlink:
        with pytest.raises(Refused, match=r"lbkit\.web\.bad was to be written"):
            nft.write_tables(netlink, [TABLE, bad])
        assert nft.read_tables(netlink, "") == []
