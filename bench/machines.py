"""A virtual machine that serves: seconds from nothing to an answered request, by lbkit and by virt-install with cloud-init.

    python bench/machines.py [--quick] [--rounds N]

The machine runs HAProxy (1 processor, 256 MiB, direct kernel boot) before a web server outside of it. A figure is of whole processes,
`lbkit apply` or `virt-install`, from their start until a request to the machine's port 80 is answered; one is made every 50 ms.
On a busy machine the processor time of the machine's QEMU until then says more: `load` is the host's, over the minute before.

- Cold: the network stands, and the web server runs. lbkit reads the image once within the time, for its digest; has HAProxy check its
  configuration; and asks the web server as the health check does.
- Warm: QEMU was killed (-9), and libvirt knows. lbkit makes the next generation, by booting one, or of a spare (`warm_pool: 1`) that
  was saved to disk or paused in memory (`warm_in`): of a paused one the processor time counts from when the killing began. The other
  one is told `virsh start`, and boots the disk that it has.

The other one's disk is an overlay on a copy of the same image, where cloud-init is not disabled, systemd-networkd asks for its
address by DHCP, HAProxy starts at boot, and lbkit's program does not. All that makes the image lean it has, too, and nothing in it waits
until the network is there. cloud-init (NoCloud) writes haproxy.cfg, before HAProxy starts, and one SSH key. Its seed is a virtio disk, as
Debian's cloud kernel reads no CD-ROM. Its address goes with its MAC, so that it is known. Else its devices are those that
virt-install gives a Linux without graphics.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lbkit.base.host import Host
from lbkit.base.sandbox import inside
from lbkit.hypervisor.accelerator import kvm_works
from lbkit.hypervisor.connection import Connection
from lbkit.hypervisor.daemon import start_for_sandbox
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.image.image import Image
from lbkit.image.store import Store
from lbkit.machine.libvirt.cloud_init import LABEL
from lbkit.machine.libvirt.seed import iso

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.cloudlike import CLOUD_INIT_ON, edit

IMAGE = "debian-12-lb"
MEMORY = 256  # MiB
WHERE = {"disk": "on disk", "memory": "in memory"}
PATIENCE = 900.0  # seconds for one machine
OURS, OTHERS = "10.80.0.10", "10.81.0.10"
LBKIT = Path(sys.executable).with_name("lbkit")
NEEDED = {
    "virt-install": "virtinst",
    "dnsmasq": "dnsmasq-base",
    "debugfs": "e2fsprogs",
    "qemu-img": "qemu-utils",
    "virsh": "libvirt-clients",
}

NETWORK = """
<network>
  <name>bench</name>
  <forward mode='open'/>
  <bridge name='bench0' stp='off' delay='0'/>
  <ip address='10.81.0.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='10.81.0.100' end='10.81.0.200'/>
      <host mac='{mac}' ip='{address}'/>
    </dhcp>
  </ip>
</network>
"""
MAC = "52:54:00:81:00:10"
HAPROXY = """\
global
    maxconn 1000
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend http
    bind :80
    default_backend web
backend web
    server web 10.81.0.1:8080 check
"""
USER_DATA = {
    "write_files": [{"path": "/etc/haproxy/haproxy.cfg", "content": HAPROXY}],
    "locale": "C.UTF-8",
    "ssh_genkeytypes": ["ed25519"],  # by default of four kinds, which takes another 10 s
}
HAPROXY_ON = (
    "symlink /etc/systemd/system/multi-user.target.wants/haproxy.service /lib/systemd/system/haproxy.service"
)


def topology(spares: int | None, where: str) -> str:
    """`spares` None: without the machine, and what runs on it. `where` they are kept."""
    server = [sys.executable, "-I", "-m", "http.server", "8080"]
    data: dict[str, Any] = {
        "lbkit": 1,
        "name": "bench",
        "networks": {"front": {"cidr": "10.80.0.0/24", "nat": True}},
        "machines": {
            "lb": {
                "driver": "libvirt",
                "networks": {"front": {"addresses": OURS}},
                "vm": {"image": IMAGE, "memory": f"{MEMORY}MiB", "warm_pool": spares, "warm_in": where},
            },
            "web": {
                "networks": ["front"],
                "run": [{"name": "app", "command": server, "ready": {"port": 8080}}],
            },
        },
        "load_balancers": {
            "shop": {
                "machines": "lb",
                "frontends": {"http": {"bind": 80, "mode": "http", "backend": "web"}},
                "backends": {"web": {"servers": [{"machines": "web", "port": 8080}], "health_check": {}}},
            }
        },
    }
    if spares is None:
        del data["machines"]["lb"], data["load_balancers"]
    return json.dumps(data)


def answers(address: str) -> bool:
    try:
        connection = http.client.HTTPConnection(address, 80, timeout=0.5)
        with contextlib.closing(connection):
            connection.request("GET", "/")
            return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False


@dataclass(frozen=True, slots=True)
class Took:
    """`processor`: of the QEMU that serves, in seconds. `load`: of the host, over the last minute."""

    seconds: float
    processor: float
    load: float


def until_served(address: str, command: list[str | os.PathLike[str]], domain: str) -> Took:
    """Seconds from the start of the command until a request is answered by the domain, which is named so or begins so.
    Then the command is waited for."""
    with tempfile.TemporaryFile() as told:
        before = {name: processor(name) for name in domains()}  # of those that wait in memory
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=told, stderr=told)
        while not answers(address):
            failed = process.poll() not in {None, 0}
            if failed or time.monotonic() - began > PATIENCE:
                process.kill()
                process.wait()
                told.seek(0)
                sys.exit(f"{command} did not come to serve:\n{told.read().decode(errors='replace')}")
            time.sleep(0.05)
        seconds = time.monotonic() - began
        took = Took(
            seconds,
            max(processor(name) - before.get(name, 0.0) for name in domains() if name.startswith(domain)),
            os.getloadavg()[0],
        )
        if process.wait() != 0:
            told.seek(0)
            sys.exit(f"{command} failed:\n{told.read().decode(errors='replace')}")
        return took


def pid_of(domain: str) -> int:
    return int(Path(f"/run/libvirt/qemu/{domain}.pid").read_text("ascii"))


def processor(domain: str) -> float:
    fields = Path(f"/proc/{pid_of(domain)}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kill(domain: str) -> None:
    """Returns when its process is gone, and libvirt knows."""
    descriptor = os.pidfd_open(pid_of(domain))
    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    select.select([descriptor], [], [])
    os.close(descriptor)
    while domain in domains():
        time.sleep(0.01)


def run(*argv: str | os.PathLike[str]) -> str:
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout


def domains() -> list[str]:
    return run("virsh", "-q", "list", "--name").split()


class Ours:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _apply(self, spares: int | None, where: str = "disk") -> list[str | os.PathLike[str]]:
        file = self._folder / "bench.json"
        file.write_text(topology(spares, where), encoding="utf-8")
        return [LBKIT, "apply", "--yes", file]

    def prepare(self) -> None:
        run(*self._apply(None))

    def cold(self, spares: int = 0, where: str = "disk") -> Took:
        return until_served(OURS, self._apply(spares, where), "bench.")

    def again(self, spares: int, where: str = "disk") -> Took:
        command = self._apply(spares, where)
        [domain] = (name for name in domains() if name.startswith("bench.") and "spare" not in name)
        kill(domain)
        return until_served(OURS, command, "bench.")

    def remove(self) -> None:
        run(LBKIT, "destroy", "--yes", self._folder / "bench.json")


class Others:
    def __init__(self, folder: Path, image: Image, accelerator: str) -> None:
        if image.kernel_path is None or image.initrd_path is None:
            sys.exit(f"{image.identity} was to be booted by its kernel: there is none beside it")
        self._folder, self._image, self._accelerator = folder, image, accelerator
        self._disk = folder / "peer.qcow2"
        self._seed = folder / "seed.iso"
        documents = {
            "user-data": b"#cloud-config\n" + json.dumps(USER_DATA).encode(),
            "meta-data": json.dumps({"instance-id": "peer-1", "local-hostname": "peer"}).encode(),
        }
        self._seed.write_bytes(iso(documents, LABEL))
        raw = folder / "peer.raw"
        run("qemu-img", "convert", "-O", "raw", image.disk_path, raw)
        edit(raw, (*CLOUD_INIT_ON, HAPROXY_ON), folder)
        run("qemu-img", "convert", "-O", "qcow2", raw, self._disk)
        raw.unlink()

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        file = self._folder / "network.xml"
        file.write_text(NETWORK.format(mac=MAC, address=OTHERS), encoding="utf-8")
        run("virsh", "-q", "net-create", file)
        server = subprocess.Popen(
            [sys.executable, "-I", "-m", "http.server", "8080", "--bind", "10.81.0.1"],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            server.kill()
            server.wait()
            run("virsh", "-q", "net-destroy", "bench")

    def cold(self) -> Took:
        image = self._image
        boot = f"kernel={image.kernel_path},initrd={image.initrd_path},cmdline=root=/dev/vda {image.command_line}"
        return until_served(
            OTHERS,
            [
                *("virt-install", "--quiet", "--connect", "qemu:///system", "--name", "peer"),
                *("--virt-type", self._accelerator, "--memory", str(MEMORY), "--vcpus", "1"),
                *("--import", "--boot", boot, "--osinfo", "linux2020"),
                "--disk",
                f"path={self._folder}/peer.disk.qcow2,size=4,backing_store={self._disk},backing_format=qcow2",
                *("--disk", f"path={self._seed},format=raw,readonly=on,bus=virtio"),
                *("--network", f"network=bench,mac={MAC}"),
                *("--graphics", "none", "--noautoconsole"),
                *("--serial", f"file,path={self._folder}/console.log"),
            ],
            "peer",
        )

    def again(self) -> Took:
        kill("peer")
        return until_served(OTHERS, ["virsh", "-q", "start", "peer"], "peer")

    def remove(self) -> None:
        kill("peer")
        run("virsh", "-q", "undefine", "peer")
        (self._folder / "peer.disk.qcow2").unlink()


def measured(rounds: int, ours: Ours, others: Others) -> dict[str, list[Took]]:
    """Of each round, by what was done."""
    found: dict[str, list[Took]] = {}

    def note(what: str, measure: Callable[[], Took]) -> None:
        took = measure()
        found.setdefault(what, []).append(took)
        print(
            f"{what}: {took.seconds:.1f} s, {took.processor:.1f} of processor, load {took.load:.1f}",
            file=sys.stderr,
            flush=True,
        )

    for _ in range(rounds):
        ours.prepare()
        note("lbkit: cold", ours.cold)
        note("lbkit: warm, no spare", lambda: ours.again(0))
        ours.remove()
        for where in ("disk", "memory"):
            ours.cold(1, where)
            note(f"lbkit: warm, of a spare {WHERE[where]}", partial(ours.again, 1, where))
            ours.remove()
        with others.network():
            note("virt-install and cloud-init: cold", others.cold)
            note("virt-install and cloud-init: warm, `virsh start`", others.again)
            others.remove()
    return found


def check() -> None:
    missing = [package for program, package in NEEDED.items() if shutil.which(program) is None]
    if missing:
        sys.exit(f"{', '.join(missing)} was to be there: apt install {' '.join(missing)}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="1 round instead of 3")
    parser.add_argument("--rounds", type=int)
    arguments = parser.parse_args()
    if not inside():
        sys.exit("run it in a sandbox: lbkit sandbox -- python bench/machines.py")
    check()
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    host = Host()
    works = kvm_works(host)
    start_for_sandbox(hide_kvm=not works)
    with tempfile.TemporaryDirectory(prefix="lbkit-bench-") as name:
        folder = Path(name)
        others = Others(folder, Store(host).find(IMAGE), "kvm" if works else "qemu")
        found = measured(rounds, Ours(folder), others)
    accelerator = "KVM" if works else "TCG (emulated)"
    print(f"{rounds} rounds, 1 processor, {MEMORY} MiB, {accelerator}; {_versions()}\n")
    print(
        "| until a request is answered | fastest, s | median, s | times lbkit | processor of QEMU, s | times lbkit | load |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|")
    for what, rows in found.items():
        ours = found["lbkit: cold" if "cold" in what else f"lbkit: warm, of a spare {WHERE['disk']}"]
        seconds, used = _median(rows, "seconds"), _median(rows, "processor")
        print(
            f"| {what} | {min(each.seconds for each in rows):.1f} | {seconds:.1f} | {seconds / _median(ours, 'seconds'):.1f} "
            f"| {used:.1f} | {used / _median(ours, 'processor'):.1f} "
            f"| {_median(rows, 'load'):.0f} |"
        )


def _median(rows: list[Took], field: str) -> float:
    return float(statistics.median(getattr(each, field) for each in rows))


def _versions() -> str:
    connection = Connection(ResolvedHost("local", "qemu:///system", "lbkit", "/p"))
    numbers = {"libvirt": connection.raw.getLibVersion(), "QEMU": connection.raw.getVersion()}
    connection.close()
    words = [
        f"{name} {each // 1000000}.{each // 1000 % 1000}.{each % 1000}" for name, each in numbers.items()
    ]
    return ", ".join([*words, f"virt-install {run('virt-install', '--version').strip()}"])


if __name__ == "__main__":
    main()
