"""Namespaces as `ip netns` knows them: made whole or recognised as half made, entered and left by one thread alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading

import pytest

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.network import namespace, sysctl
from lbkit.network.netlink import read
from lbkit.network.netlink.channel import Netlink

pytestmark = pytest.mark.sandbox

MARK = "lbkit:web:machine/a"
HERE = "/proc/thread-self/ns/net"


def make(host: Host, name: str, mark: str = MARK) -> None:
    namespace.prepare(host)
    with namespace.wandering():
        namespace.make(host, name, mark, {"net.ipv4.ip_unprivileged_port_start": "7"}).close()


def test_ip_netns_knows_it_and_it_is_ready(host: Host) -> None:
    make(host, "web.a")
    listed = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
    assert listed.split() == ["web.a"]
    with namespace.entered(host, "web.a"):
        assert sysctl.get("net.ipv4.ip_unprivileged_port_start") == "7"
        with Netlink() as netlink:
            (lo,) = read.links(netlink)
    assert (lo.name, lo.up, lo.alias) == ("lo", True, MARK)
    namespace.unmake(host, "web.a")
    namespace.unmake(host, "web.a")
    assert os.listdir(host.netns_dir) == []


def test_the_folder_is_a_shared_mount_point(host: Host) -> None:
    namespace.prepare(host)
    namespace.prepare(host)
    with open("/proc/thread-self/mountinfo", encoding="utf-8") as stream:
        lines = [line for line in stream if line.split()[4] == str(host.netns_dir)]
    assert "shared:" in lines[-1]


def test_entered_moves_the_calling_thread_and_what_it_starts_only(host: Host) -> None:
    make(host, "web.a")
    home = os.readlink(HERE)
    others: list[str] = []
    with namespace.entered(host, "web.a"):
        inside = os.readlink(HERE)
        child = subprocess.run(["readlink", "/proc/self/ns/net"], check=True, capture_output=True, text=True)
        kept = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    assert inside != home
    assert child.stdout.strip() == inside
    assert os.readlink(HERE) == home
    started, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with namespace.entered(host, "web.a"):
            started.set()
            leave.wait(10)

    thread = threading.Thread(target=stay)
    thread.start()
    started.wait(10)
    others.append(os.readlink(HERE))
    leave.set()
    thread.join()
    assert others == [home], "another thread was not moved"
    with kept, pytest.raises(OSError, match="unreachable"):
        kept.connect(("192.0.2.1", 80))  # it stayed inside, where there is no route


def test_an_error_inside_brings_the_thread_home(host: Host) -> None:
    make(host, "web.a")
    home = os.readlink(HERE)
    with pytest.raises(ZeroDivisionError), namespace.entered(host, "web.a"):
        raise ZeroDivisionError
    with pytest.raises(Failure, match=r"web\.b was to be entered"), namespace.entered(host, "web.b"):
        pass
    assert os.readlink(HERE) == home


def test_what_a_killed_creation_left_is_told_and_finished(host: Host) -> None:
    namespace.prepare(host)
    (host.netns_dir / "web.a").write_text(MARK)
    (host.netns_dir / "web.empty").touch()
    (host.netns_dir / "other.x").touch()
    assert namespace.listing(host, "web.") == {"web.a": MARK}
    make(host, "web.a")
    make(host, "web.empty")
    assert namespace.listing(host, "web.") == {"web.a": None, "web.empty": None}


def test_a_file_of_somebody_else_stays(host: Host) -> None:
    namespace.prepare(host)
    (host.netns_dir / "web.a").write_text("precious")
    with pytest.raises(Failure, match=r"web\.a was to be made"):
        make(host, "web.a")
    subprocess.run(["ip", "netns", "add", "web.b"], check=True)
    with pytest.raises(Failure, match=r"web\.b was to be made"):
        make(host, "web.b")
    assert (host.netns_dir / "web.a").read_text() == "precious"
    assert namespace.listing(host, "web.") == {"web.a": "precious", "web.b": None}


def test_a_listing_where_nothing_was_ever_made(host: Host, tmp_path: object) -> None:
    assert namespace.listing(Host(netns_dir=host.run_dir / "none"), "web.") == {}


def test_a_thousand_rounds_leave_no_descriptor_open(host: Host) -> None:
    make(host, "web.a")
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(1000):
        with namespace.entered(host, "web.a"), Netlink() as netlink:
            read.links(netlink)
        with pytest.raises(Failure), namespace.entered(host, "web.b"):
            pass
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_fifty_rounds_of_making_leave_no_descriptor_open(host: Host) -> None:
    make(host, "web.a")
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(50):
        make(host, "web.b")
        namespace.unmake(host, "web.b")
        with pytest.raises(Failure):
            make(host, "web.a")
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_the_trial_of_doctor_leaves_nothing(host: Host) -> None:
    home = os.readlink(HERE)
    namespace.trial()
    assert os.readlink(HERE) == home
    with Netlink() as netlink:
        assert [link.name for link in read.links(netlink)] == ["lo"]


def test_who_may_not_is_told_so() -> None:
    """Whoever has no CAP_SYS_ADMIN, as an ordinary user who asks `doctor` before there is a sandbox."""
    code = """
from lbkit.network import namespace
try:
    namespace.trial()
except namespace.NamespaceFailure as failure:
    print(failure.remedy)
"""
    without = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    done = subprocess.run([*without, sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "run as root, or in a sandbox" in done.stdout, done.stderr
