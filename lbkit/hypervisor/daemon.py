"""A libvirtd of one's own inside a sandbox: the host's is never seen, and nothing of it stays.

libvirtd has its folders compiled in, so folders of ours are mounted over them: in a namespace of its own (several
daemons side by side, for tests), or in the sandbox's (`lbkit sandbox --libvirt`). It runs in the network of the calling
thread: TAPs of its guests go to bridges there. No systemd, no D-Bus, no cgroups; guests run as whoever it runs as.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from lbkit.base import sandbox
from lbkit.base.errors import Failure, Mistake
from lbkit.base.files import make_folder, write_atomic
from lbkit.hypervisor.connection import Connection
from lbkit.hypervisor.failures import Unreachable
from lbkit.hypervisor.resolved import ResolvedHost

SYSTEM_RUN = Path("/run/libvirt")
_LOCKS = Path("/run/lock")  # /var/lock: of who is connected to a console or a channel (virchrdev.c)
_FOLDERS = {
    "run": "/run/libvirt",
    "lib": "/var/lib/libvirt",
    "cache": "/var/cache/libvirt",
    "log": "/var/log/libvirt",
    "etc": "/etc/libvirt",
}
_INIT = "import sys; sys.path.insert(0, sys.argv[1]); from lbkit.hypervisor.daemon_init import main; main(sys.argv[2])"
_START_TIMEOUT = 30.0  # seconds; it takes 0.2 on a machine at rest
_STOP_TIMEOUT = 10.0
_LONGEST_SOCKET = 107  # unix(7)

# Where only id 0 is mapped setgroups(2) is denied. libvirt passes it over for the group -1, "leave it as it is"
# (virutil.c, virSetUIDGID), and the names of users it would look up.
_QEMU = """
user = "+0"
group = "+4294967295"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
security_default_confined = 0
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
"""
_DAEMON = """
unix_sock_dir = "{sockets}"
auth_unix_ro = "none"
auth_unix_rw = "none"
audit_level = 0
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
host_uuid = "{uuid}"
"""


@dataclass
class Daemon:
    """A libvirtd whose files all lie below `folder`. `cache` may be shared with others: what QEMU can do is asked once.

    `hide_kvm`: libvirt and its guests are to see no /dev/kvm. Use it only where that is one that works.
    """

    folder: Path
    cache: Path | None = None
    hide_kvm: bool = True
    _namespace: int | None = field(
        default=None, init=False
    )  # of its mounts, held so that its number stays its own

    @property
    def socket(self) -> Path:
        return self.folder / "sock" / "libvirt-sock"

    @property
    def uri(self) -> str:
        return f"qemu:///system?socket={self.socket}"

    @property
    def log(self) -> Path:
        return self.folder / "log" / "libvirtd.log"

    @property
    def pid(self) -> int | None:
        return _pid(self.folder / "run" / "libvirtd.pid")

    def start(self) -> None:
        """Returns when it takes connections. After `kill` again: it takes up the guests that still run."""
        if len(str(self.socket)) > _LONGEST_SOCKET:
            raise Mistake("libvirtd's folder was to have a shorter path", found=str(self.folder))
        _furnish(self.folder, self.folder / "sock")
        _launch(
            self.folder,
            own=True,
            hide=self.hide_kvm,
            cache=self.cache,
            namespace=self._namespace,
            pidfile=Path("/run/libvirt/libvirtd.pid"),
            uri=self.uri,
        )
        if self._namespace is None:
            self._namespace = os.open(f"/proc/{self.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)

    def kill(self, signal_number: int = signal.SIGKILL) -> None:
        """End libvirtd, and leave its guests running. Returns when it is gone."""
        pid = self.pid
        if pid is not None:
            _end([pid], signal_number)

    def stop(self) -> None:
        """End it with all its guests. Returns when they are gone. Not running: nothing."""
        if self._namespace is None:
            return
        self.kill(signal.SIGTERM)
        inside = os.fstat(self._namespace).st_ino
        _end([pid for pid in _pids() if _namespace_of(pid) == inside], signal.SIGKILL)
        os.close(self._namespace)
        self._namespace = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start_for_sandbox(*, hide_kvm: bool) -> None:
    """Start the sandbox's own, at the socket where all programs look for it. It ends with the sandbox."""
    folder = Path("/run/lbkit-libvirt")
    _furnish(folder, SYSTEM_RUN)
    _launch(
        folder,
        own=False,
        hide=hide_kvm,
        cache=None,
        namespace=None,
        pidfile=SYSTEM_RUN / "libvirtd.pid",
        uri="qemu:///system",
    )


def _furnish(folder: Path, sockets: Path) -> None:
    if not sandbox.inside():
        raise Mistake(
            "a libvirtd of one's own was to start in a sandbox",
            found="this is the host",
            remedy="`lbkit sandbox --libvirt -- COMMAND`",
        )
    for name in (*_FOLDERS, "sock"):
        make_folder(folder / name)
    make_folder(SYSTEM_RUN)
    make_folder(_LOCKS)
    write_atomic(folder / "etc" / "qemu.conf", _QEMU.encode())
    write_atomic(
        folder / "etc" / "libvirtd.conf", _DAEMON.format(sockets=sockets, uuid=uuid.uuid4()).encode()
    )


def _launch(
    folder: Path, *, own: bool, hide: bool, cache: Path | None, namespace: int | None, pidfile: Path, uri: str
) -> None:
    program = shutil.which("libvirtd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if program is None:
        raise Failure(
            "libvirtd was to be started",
            found="it is not installed",
            remedy="apt install libvirt-daemon qemu-system-x86",
        )
    sources = {name: folder / name for name in _FOLDERS}
    if cache is not None:
        make_folder(cache)
        sources["cache"] = cache
    if not own:
        del sources["run"]  # the sandbox's /run is private already
    missing = [_FOLDERS[name] for name in sources if not os.path.isdir(_FOLDERS[name])]
    if missing:
        raise Failure(
            "libvirt's folders were to be there",
            found=f"no {', '.join(missing)}",
            remedy="apt install libvirt-daemon libvirt-daemon-system",
        )
    given = {
        "binds": [[str(source), _FOLDERS[name]] for name, source in sources.items()],
        "hide": str(folder / "no-kvm") if hide else None,
        "own": own,
        "namespace": namespace,
        "argv": [program, "-d", "-f", "/etc/libvirt/libvirtd.conf", "-p", str(pidfile)],
        "environment": {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "HOME": "/"},
    }
    root = str(Path(sandbox.__file__).parents[2])
    with open(folder / "start.log", "w+b") as told:  # no pipe: the daemon would keep it, and its reader wait
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-c", _INIT, root, json.dumps(given)],
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                pass_fds=() if namespace is None else (namespace,),
                timeout=_START_TIMEOUT,
                check=False,
            )
            code = f"exit code {done.returncode}"
        except subprocess.TimeoutExpired:
            done, code = None, f"it was not ready within {_START_TIMEOUT:g} s"
        if done is None or done.returncode != 0:
            told.seek(0)
            last = told.read()[-2000:].decode(errors="replace").split("\n")
            words = next((line for line in reversed(last) if line.strip()), "")
            raise _not_started(folder, f"{code}: {words.strip()}" if words else code)
    _wait_until_ready(folder, uri)


def _wait_until_ready(folder: Path, uri: str) -> None:
    """It goes to the background before its drivers are ready, and lets its callers wait until they are."""
    connection = Connection(ResolvedHost("sandbox", uri, "", ""), open_timeout=_START_TIMEOUT)
    try:
        with connection.doing("libvirtd was to be ready") as raw:
            raw.getLibVersion()  # of QEMU it may have none
    except Unreachable as error:
        raise _not_started(folder, error.found) from error
    finally:
        connection.close()


def _not_started(folder: Path, found: str) -> Failure:
    log = folder / "log" / "libvirtd.log"
    return Failure(
        "a libvirtd was to be started in this sandbox",
        found=found,
        remedy=f"{log} and {folder / 'start.log'} say more",
    )


def _pid(pidfile: Path) -> int | None:
    """The process that wrote the file, as long as it lives: libvirtd leaves the file behind when it is killed."""
    try:
        pid = int(pidfile.read_text("ascii"))
        name = Path(f"/proc/{pid}/comm").read_text("ascii").strip()
    except (OSError, ValueError):
        return None
    return pid if name == "libvirtd" else None


def _pids() -> Iterator[int]:
    return (int(entry) for entry in os.listdir("/proc") if entry.isdigit())


def _namespace_of(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}/ns/mnt").st_ino
    except OSError:  # it has just ended
        return 0


def _end(pids: list[int], signal_number: int) -> None:
    """Send the signal to each, and after some seconds SIGKILL; wait until they are gone."""
    with contextlib.ExitStack() as held:
        alive: dict[int, int] = {}
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                descriptor = os.pidfd_open(pid)
                held.callback(os.close, descriptor)
                alive[descriptor] = pid
        for number in (signal_number, signal.SIGKILL):
            for descriptor in alive:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(descriptor, number)
            for descriptor in list(alive):
                ended, _, _ = select.select([descriptor], [], [], _STOP_TIMEOUT)
                if ended:
                    del alive[descriptor]
            if not alive:
                return
        raise Failure(
            "processes were to end by SIGKILL", found=f"{', '.join(map(str, alive.values()))} still run"
        )
