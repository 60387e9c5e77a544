"""An sshd on loopback for a test, whose sessions are on the host of a libvirtd of the test's: `qemu+ssh` for real.

It has keys made for it. Neither it nor the client reads or writes anything in anybody's home.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lbkit.hypervisor.daemon import Daemon
from tests.machine.world import until

PORT = 2222

_SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PidFile none
SetEnv HOME={folder}
"""
_SSH = '#!/bin/sh\nexec /usr/bin/ssh -F none -o UserKnownHostsFile={folder}/known "$@"\n'


@contextmanager
def reached_by_ssh(daemon: Daemon, folder: Path) -> Iterator[str]:
    """The URI of that daemon, as of another machine. In the network of the calling thread."""
    folder.mkdir(parents=True, mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    (folder / "known").write_text(f"[127.0.0.1]:{PORT} {(folder / 'host.pub').read_text()}")
    (folder / "sshd_config").write_text(_SSHD.format(port=PORT, folder=folder))
    (folder / "bin").mkdir()
    (folder / "bin" / "ssh").write_text(_SSH.format(folder=folder))
    (folder / "bin" / "ssh").chmod(0o755)
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd(8), where it separates its privileges
    with suppress(FileExistsError):
        (daemon.folder / "run" / "libvirt-sock").symlink_to(daemon.socket)  # where virt-ssh-helper looks

    path = os.environ["PATH"]
    enter = ["nsenter", f"--mount=/proc/{daemon.pid}/ns/mnt"]
    with (folder / "log").open("wb") as log:
        sshd = subprocess.Popen(
            [*enter, "/usr/sbin/sshd", "-D", "-e", "-f", folder / "sshd_config"], stderr=log
        )
    try:
        until(_listens, f"sshd listens: {(folder / 'log').read_text()}")
        os.environ["PATH"] = f"{folder / 'bin'}:{path}"
        yield f"qemu+ssh://root@127.0.0.1:{PORT}/system?keyfile={folder}/user"
    finally:
        os.environ["PATH"] = path
        sshd.kill()
        sshd.wait()


def _listens() -> bool:
    try:
        socket.create_connection(("127.0.0.1", PORT)).close()
    except OSError:
        return False
    return True


def helpers(daemon: Daemon) -> list[int]:
    """The far ends of the connections to it: killed, a connection is cut."""
    home = os.stat(f"/proc/{daemon.pid}/ns/mnt").st_ino
    found = []
    for each in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):
            if (
                each.read_text().strip() == "virt-ssh-helper"
                and (each.parent / "ns/mnt").stat().st_ino == home
            ):
                found.append(int(each.parent.name))
    return found
