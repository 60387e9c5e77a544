"""Connections: errors with what to do, nothing hangs for ever, and what was lost is found again."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.hypervisor import connection as connections
from lbkit.hypervisor.connection import Connection, connect, version
from lbkit.hypervisor.daemon import Daemon
from lbkit.hypervisor.failures import LibvirtFailed, Unreachable, binding, failure, said
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.hypervisor.room import ROOM

pytestmark = pytest.mark.sandbox


def at(uri: str) -> ResolvedHost:
    return ResolvedHost("far", uri, "lbkit", "/var/lib/lbkit/pool")


def test_no_daemon_is_told_with_what_to_do(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Unreachable) as raised:
        version(Connection(at(f"qemu:///system?socket={tmp_path}/none")))
    assert raised.value.where == f"host far (qemu:///system?socket={tmp_path}/none)"
    assert "No such file" in raised.value.found
    assert "systemctl start libvirtd" in raised.value.remedy
    assert capfd.readouterr() == ("", ""), "libvirt printed by itself"


def test_a_socket_that_this_user_may_not_open(tmp_path: Path) -> None:
    class Refused(Exception):
        def get_error_code(self) -> int:
            return 38

        def get_error_domain(self) -> int:
            return 7

        def get_error_message(self) -> str:
            return "Failed to connect socket to '/run/libvirt/libvirt-sock': Permission denied\x1b[2J"

    told = failure(Refused(), "it was to work")
    assert "usermod -aG libvirt" in told.remedy
    assert "\x1b" not in told.found


def test_another_machine_that_refuses(netns: None) -> None:
    with pytest.raises(Unreachable, match="Connection refused"):
        version(Connection(at("qemu+tcp://127.0.0.1:1/system")))


def test_who_takes_a_connection_and_says_nothing_is_given_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        with pytest.raises(Unreachable, match=r"no answer within 0\.2 s"):
            version(Connection(at(f"qemu:///system?socket={tmp_path}/s"), open_timeout=0.2))


def test_without_the_binding_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libvirt", None)
    binding.cache_clear()
    try:
        with pytest.raises(Unreachable) as raised:
            version(Connection(at("test:///default")))
        assert "lbkit-iac[libvirt]" in raised.value.remedy
    finally:
        binding.cache_clear()


def test_what_libvirt_refuses_is_no_lost_connection() -> None:
    connection = Connection(at("test:///default"))
    libvirt = binding()
    with pytest.raises(LibvirtFailed) as raised, connection.doing("a domain was to be found") as raw:
        raw.lookupByName("none")
    assert not isinstance(raised.value, Unreachable)
    assert raised.value.code == libvirt.VIR_ERR_NO_DOMAIN
    assert raised.value.wanted == "a domain was to be found"


def test_threads_share_one(hypervisor: ResolvedHost) -> None:
    with ThreadPoolExecutor(8) as pool:
        raws = set(pool.map(lambda _: id(connect(hypervisor).raw), range(50)))
        assert len(raws) == 1
        assert len(set(pool.map(lambda _: version(connect(hypervisor)), range(50)))) == 1


def test_a_daemon_that_went_and_came_back(daemon: Daemon, hypervisor: ResolvedHost) -> None:
    connection = connect(hypervisor)
    before = version(connection)
    daemon.kill()
    daemon.start()
    assert version(connection) == before


def test_a_read_is_asked_again_and_a_change_is_not(daemon: Daemon, hypervisor: ResolvedHost) -> None:
    connection = connect(hypervisor)
    asked = 0

    def question(raw: object) -> str:
        nonlocal asked
        asked += 1
        if asked == 1:
            daemon.kill()
            daemon.start()
        return raw.getHostname()

    assert connection.read("its name was to be read", question) == socket.gethostname()
    assert asked == 2
    raw = connection.raw
    daemon.kill()
    with pytest.raises(Unreachable, match="something was to change"), said("something was to change"):
        raw.getHostname()


def test_a_daemon_that_hangs_is_given_up(
    daemon: Daemon, hypervisor: ResolvedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "KEEPALIVE", 1)
    monkeypatch.setattr(connections, "UNANSWERED", 1)
    connection = Connection(hypervisor)
    connection.raw.getVersion()
    pid = daemon.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(Unreachable), connection.doing("its name was to be read") as raw:
            raw.getHostname()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert version(connection)
    connection.close()


def test_ssh_is_never_asked_for_a_password() -> None:
    asked = {
        uri: connections._without_questions(at(uri))
        for uri in (
            "qemu+ssh://root@n/system",
            "qemu+ssh://n/system?keyfile=/k",
            "qemu:///system",
            "qemu+ssh://n/?no_tty=0",
        )
    }
    assert list(asked.values()) == [
        "qemu+ssh://root@n/system?no_tty=1",
        "qemu+ssh://n/system?keyfile=/k&no_tty=1",
        "qemu:///system",
        "qemu+ssh://n/?no_tty=0",
    ]


def test_a_fork_has_connections_of_its_own() -> None:
    mine = connect(at("test:///default"))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"own" if connect(at("test:///default")) is not mine else b"shared")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 10) == b"own"
    os.close(reader)
    os.close(writer)
    assert connect(at("test:///default")) is mine


def test_opening_one_host_waits_for_no_other(tmp_path: Path) -> None:
    """A thread that opens a silent one holds nothing that another needs."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        slow = Connection(at(f"qemu:///system?socket={tmp_path}/s"), open_timeout=1)
        failed: list[Failure] = []

        def hang() -> None:
            try:
                version(slow)
            except Failure as error:
                failed.append(error)

        thread = threading.Thread(target=hang)
        thread.start()
        assert version(Connection(at("test:///default")))
        assert not failed
        thread.join()
        assert len(failed) == 1


def test_doctor_tells_all_without_a_daemon(host: Host) -> None:
    checks = {check.name: check for check in ROOM.doctor(host)}
    assert not any(check.needed for check in checks.values())
    assert checks["libvirt's Python binding"].good
    assert not checks["libvirtd"].good
    assert "start it" in checks["libvirtd"].remedy
    assert checks["QEMU"].good
    assert checks["/dev/net/tun"].good
    assert "accelerator" in checks
    assert not host.run_dir.exists(), "doctor changes nothing"


def test_a_bridge_that_is_missing_there_is_told_with_what_to_do(daemon: Daemon) -> None:
    interface = "<interface type='bridge'><source bridge='br-none'/></interface>"
    domain = f"""<domain type='qemu'><name>guest</name><memory unit='MiB'>32</memory>
    <os><type arch='x86_64' machine='pc'>hvm</type></os><devices>{interface}</devices></domain>"""
    with (
        pytest.raises(LibvirtFailed, match="br-none") as told,
        Connection(at(daemon.uri)).doing("it was to run") as raw,
    ):
        raw.createXML(domain)
    assert "lbkit makes bridges on its own machine alone" in told.value.remedy
