"""Guests without their boot: QEMU runs a machine that does nothing, and a container of the same name answers in its stead.

libvirt, its domains, volumes, links and QEMU's processes are real. What would be said to a guest goes to lbkit's own program
for guests in namespaces of its own, which starts when its domain does, from the seed of that, and ends with it.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import threading
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Self

from lbkit.base.host import RUN_DIR
from lbkit.hypervisor.daemon import Daemon
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.machine.guest.port import Port, unix_port
from lbkit.machine.libvirt import reach
from lbkit.machine.libvirt.names import seed_name
from lbkit.machine.libvirt.observe import SeenDomain
from tests.machine.libvirt.emulators import emulators, is_qemu
from tests.machine.world import PYTHON

_EVERY = 0.03  # seconds between two looks at who runs
_PORTS = 4

_START = """
set -e
mkdir -p /run/lbkit
mount -t tmpfs none /run/lbkit
ip link set lo up
number=0
for mac in $1; do
  ip link add "eth$number" address "$mac" type veth peer name "peer$number"
  ip link set "peer$number" up
  number=$((number + 1))
done
shift
exec "$@"
"""


def answer_instead(shadows: Path) -> None:
    """From now on this process finds the ports of guests below `shadows`."""

    def port(at: ResolvedHost, domain: SeenDomain, name: str, folder: Path) -> Port:
        return unix_port(shadows / domain.name / name.rpartition(".")[2])

    reach._port = port


class Shadows:
    """As long as the block runs. `folder` must lie below the sandbox's /run, and not below /run/lbkit.

    The guest of a domain in `mute` stays away.
    """

    def __init__(self, daemon: Daemon, hypervisor: ResolvedHost, folder: Path) -> None:
        self.mute: set[str] = set()
        self.folder = folder
        self._daemon = daemon
        self._pool = Path(hypervisor.path)
        self._guests: dict[int, subprocess.Popen[bytes]] = {}  # by the process of QEMU
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="shadows")
        self._holds = RUN_DIR / f".{secrets.token_hex(4)}"

    def __enter__(self) -> Self:
        # Each guest has a file system of its own on this folder, in its own mount namespace. Who removes the folder, which all
        # workers share, takes those away (rename(2) and rmdir(2) detach what is mounted elsewhere): so it is kept from being empty.
        self._holds.mkdir(parents=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        for guest in self._guests.values():
            _end(guest)
        self._holds.rmdir()
        with contextlib.suppress(OSError):  # somebody else has files there, or has removed it
            RUN_DIR.rmdir()

    def _follow(self) -> None:
        while not self._stop.wait(_EVERY):
            running = emulators(self._daemon)
            for pid in set(self._guests) - set(running.values()):
                if not is_qemu(pid):  # its file may be missing for a moment
                    _end(self._guests.pop(pid))
            for domain, pid in running.items():
                if pid not in self._guests and domain not in self.mute:
                    self._guests[pid] = self._started(domain)

    def _started(self, domain: str) -> subprocess.Popen[bytes]:
        folder = self.folder / domain
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "root" / "etc").mkdir(parents=True, exist_ok=True)
        seed = (self._pool / seed_name(domain)).read_bytes()
        (folder / "identity.json").write_bytes(_file(seed, "identity.json"))
        (folder / "guest.pyz").write_bytes(_file(seed, "guest.pyz"))
        macs = [each["mac"] for each in json.loads((folder / "identity.json").read_text())["interfaces"]]
        ports = [str(folder / str(number)) for number in range(_PORTS)]
        for port in ports:
            Path(port).unlink(missing_ok=True)
        own = ["--mount", "--pid", "--fork", "--net", "--uts", "--mount-proc", "--kill-child"]
        program = [PYTHON, "-I", "-S", str(folder / "guest.pyz"), "serve"]
        options = ["--identity", str(folder / "identity.json"), "--root", str(folder / "root")]
        with (folder / "log").open("ab") as log:
            return subprocess.Popen(
                [
                    *("unshare", *own, "sh", "-c", _START, "sh", " ".join(macs), *program, *options),
                    *(word for port in ports for word in ("--port", port)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


def _file(seed: bytes, name: str) -> bytes:
    from pycdlib.pycdlib import PyCdlib  # noqa: PLC0415 - slow

    found = BytesIO()
    image = PyCdlib()
    image.open_fp(BytesIO(seed))
    image.get_file_from_iso_fp(found, rr_path=f"/lbkit/{name}")
    image.close()
    return found.getvalue()


def _end(guest: subprocess.Popen[bytes]) -> None:
    guest.kill()
    guest.wait()
