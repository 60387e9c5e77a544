"""A domain's port on another machine, by ssh. The domain is real; behind its port is the test, in place of QEMU and a guest."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from lbkit.base.host import Host
from lbkit.hypervisor import images, storage
from lbkit.hypervisor.connection import connect
from lbkit.hypervisor.daemon import Daemon
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.hypervisor.streams import open_channel
from tests.machine.world import until
from tests.ssh import helpers, reached_by_ssh

pytestmark = pytest.mark.sandbox

PORT = "org.lbkit.0"
GUEST = """
<domain type='qemu'><name>guest</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><channel type='unix'><source mode='bind' path='{path}'/><target type='virtio' name='org.lbkit.0'/></channel></devices>
</domain>
"""
OTHER = """
import sys, time
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.hypervisor.streams import open_channel
channel = open_channel(ResolvedHost("far", sys.argv[1], "lbkit", "/p"), sys.argv[2], "org.lbkit.0")
print("open", flush=True)
time.sleep(1000)
"""


@dataclass
class Far:
    host: ResolvedHost
    uuid: str
    listener: socket.socket
    stack: ExitStack

    def open(self) -> tuple[socket.socket, socket.socket]:
        """Our end and the guest's, as soon as libvirt lets us in."""
        ends: list[socket.socket] = []

        def opened() -> bool:
            try:
                ends.append(open_channel(self.host, self.uuid, PORT))
            except OSError:
                return False
            return True

        until(opened, "the port is free")
        ours = self.stack.enter_context(closing(ends[0]))
        return ours, self.stack.enter_context(closing(self.listener.accept()[0]))


@pytest.fixture
def far(daemon: Daemon, host: Host) -> Iterator[Far]:
    with ExitStack() as stack:
        uri = stack.enter_context(reached_by_ssh(daemon, host.run_dir / "ssh"))
        at = ResolvedHost("far", uri, "lbkit", str(host.run_dir / "pool"))
        assert not at.local
        path = host.run_dir / "port"
        domain = connect(at).raw.createXML(GUEST.format(path=path))
        path.unlink()
        listener = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
        listener.bind(str(path))
        listener.listen(8)
        listener.settimeout(30)
        yield Far(at, domain.UUIDString(), listener, stack)


def taken(end: socket.socket, size: int) -> bytes:
    got = bytearray()
    while len(got) < size and (piece := end.recv(1 << 20)):
        got += piece
    return bytes(got)


def test_bytes_go_both_ways_and_one_is_let_in_at_a_time(far: Far) -> None:
    ours, theirs = far.open()
    data = secrets.token_bytes(4 << 20)
    senders = [threading.Thread(target=end.sendall, args=(data,)) for end in (ours, theirs)]
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(taken(theirs, len(data))))
    for each in (*senders, reader):
        each.start()
    assert taken(ours, len(data)) == data
    for each in (*senders, reader):
        each.join()
    assert got == [data]
    with pytest.raises(OSError, match="Active channel stream") as refused:
        open_channel(far.host, far.uuid, PORT)
    assert refused.value.errno == errno.EBUSY
    ours.sendall(b"last words")
    until(lambda: theirs.recv(100, socket.MSG_PEEK) == b"last words", "they come")
    ours.close()
    assert taken(theirs, 100) == b"last words", "and then the end"
    ours, theirs = far.open()
    theirs.sendall(b"good-bye")
    theirs.close()
    assert taken(ours, 100) == b"good-bye"


def test_an_end_is_seen_however_it_comes_and_the_port_is_free_again(far: Far, daemon: Daemon) -> None:
    ours, theirs = far.open()
    for helper in helpers(daemon):
        os.kill(helper, signal.SIGKILL)
    assert (ours.recv(1), theirs.recv(1)) == (b"", b""), "ssh is cut"

    ours, theirs = far.open()
    daemon.kill()
    assert (ours.recv(1), theirs.recv(1)) == (b"", b""), "libvirtd is killed"
    daemon.start()

    program = [sys.executable, "-c", OTHER, far.host.uri, far.uuid]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with closing(far.listener.accept()[0]) as theirs:
            other.kill()
            assert theirs.recv(1) == b"", "whoever had it is killed"
    ours, theirs = far.open()
    ours.sendall(b"x")
    assert theirs.recv(1) == b"x"


def test_a_guest_that_reads_nothing_keeps_nobody_from_asking_its_host(far: Far) -> None:
    ours, _theirs = far.open()
    ours.settimeout(1)
    with pytest.raises(TimeoutError):
        ours.sendall(bytes(32 << 20))
    assert connect(far.host).read("domains", lambda raw: raw.numOfDomains()) == 1


def test_an_image_is_uploaded(far: Far, host: Host, tmp_path: Path) -> None:
    content = secrets.token_bytes(9 << 20)
    source = tmp_path / "disk.raw"
    source.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    volume = images.bring(connect(far.host), source, digest, "raw", host)
    assert Path(volume.path).read_bytes() == content
    assert volume.name + images.WHOLE in storage.volumes(connect(far.host))
    before = Path(volume.path).stat().st_mtime_ns
    assert images.bring(connect(far.host), source, digest, "raw", host).path == volume.path
    assert Path(volume.path).stat().st_mtime_ns == before
