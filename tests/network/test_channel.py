"""Many requests in one message, the kernel's own words when it refuses one."""

from __future__ import annotations

import errno
from ipaddress import ip_interface

import pytest

from lbkit.base.host import Host
from lbkit.network.netlink import read, write
from lbkit.network.netlink.channel import Netlink, Refused

pytestmark = pytest.mark.sandbox


def test_a_refusal_is_of_its_own_request_and_stops_no_other(host: Host) -> None:
    with Netlink() as netlink:
        groups = [[write.add_address(1, "lo", ip_interface(f"192.0.2.{n}/32"))] for n in range(1, 251)]
        groups[120] = [write.add_address(4711, "nowhere", ip_interface("192.0.2.251/32"))]
        outcome = netlink.send(groups)
        refused = [place for place, refusal in enumerate(outcome) if refusal is not None]
        assert refused == [120]
        assert outcome[120] is not None
        assert outcome[120].errno == errno.ENODEV
        assert "192.0.2.251/32 was to be added to nowhere" in str(outcome[120])
        assert len(read.addresses(netlink)) == 249


def test_every_request_of_a_batch_may_be_refused(host: Host) -> None:
    with Netlink() as netlink:
        groups = [[write.delete_link(index, f"l{index}")] for index in range(10_000, 10_500)]
        outcome = netlink.send(groups)
        assert [refusal is not None and refusal.errno for refusal in outcome] == [errno.ENODEV] * 500
        assert [link.name for link in read.links(netlink)] == ["lo"], "the socket is still in step"


def test_the_first_refusal_of_a_group_is_told(host: Host) -> None:
    with Netlink() as netlink:
        index = write.fresh_index()
        with pytest.raises(Refused) as caught:
            netlink.carry_out(
                [
                    write.bridge(index, "lo", "02:00:00:00:00:01"),
                    write.set_link(index, "lo", alias="stolen"),
                ]
            )
        assert caught.value.errno == errno.EEXIST
        assert "bridge lo was to be made" in str(caught.value)
        assert read.links(netlink)[0].alias == "", "a link that had the name first is not marked as ours"


def test_the_kernels_own_words_are_told(host: Host) -> None:
    with Netlink(where="namespace x") as netlink, pytest.raises(Refused) as caught:
        netlink.carry_out([write.set_link(1, "lo", mtu=2**31)])
    assert "mtu less than device minimum" in caught.value.found
    assert caught.value.where == "namespace x"


def test_a_dump_longer_than_one_answer(host: Host) -> None:
    with Netlink() as netlink:
        wanted = [f"bridge{number}" for number in range(120)]
        netlink.carry_out(
            *([write.bridge(write.fresh_index(), name, "02:00:00:00:00:01")] for name in wanted)
        )
        assert {link.name for link in read.links(netlink)} == {"lo", *wanted}
