"""The real image, booted for real: by QEMU without KVM, with 256 MiB, from a seed to a program of the seed's."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pycdlib
import pytest

from lbkit.base.host import Host
from lbkit.image.image import Image
from lbkit.image.store import Store
from tests import images

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("vm")]

# Its first run fails, after it wrote down who it is anew; its second tells what it finds on the console.
GUEST = """
import asyncio, json, os, pathlib, shutil, socket, ssl, subprocess, sys
identity = pathlib.Path(sys.argv[sys.argv.index("--identity") + 1])
found = json.loads(identity.read_text())
if found["generation"] == 1:
    identity.write_text(json.dumps({"generation": 2}))
    sys.exit(1)
def asked(*argv):
    return subprocess.run(argv, capture_output=True, text=True).stdout.strip()
subprocess.run(["systemctl", "is-system-running", "--wait"], capture_output=True)
facts = {
    "argv": sys.argv[1:],
    "flags": [sys.flags.isolated, sys.flags.no_site],
    "identity": found,
    "files": {path.name: path.stat().st_mode & 0o777 for path in identity.parent.iterdir() if path.is_file()},
    "folder": identity.parent.stat().st_mode & 0o777,
    "failed": asked("systemctl", "list-units", "--failed", "--plain", "--no-legend"),
    "services": asked("systemctl", "list-units", "--type=service", "--state=running", "--plain", "--no-legend").split(),
    "links": sorted(os.listdir("/sys/class/net")),
    "up": asked("ip", "-brief", "address", "show", "up"),
    "ports": sorted(pathlib.Path(f"/sys/class/virtio-ports/{each}/name").read_text().strip() for each in os.listdir("/sys/class/virtio-ports")),
    "root": os.statvfs("/").f_frsize * os.statvfs("/").f_blocks,
    "keys": [each for each in os.listdir("/etc/ssh") if "host" in each],
    "logins": [line.split(":")[0] for line in open("/etc/shadow") if line.split(":")[1][0] not in "*!"],
    "listening": asked("cat", "/proc/net/tcp", "/proc/net/tcp6").count(" 0A "),
    "haproxy": asked("haproxy", "-v")[:15],
    "missing": [each for each in ("keepalived", "nft", "rsync", "nginx", "curl", "cloud-init", "qemu-ga", "sshd") if not shutil.which(each)],
}
with open("/dev/console", "w") as console:
    console.write("FACTS " + json.dumps(facts) + "\\n")
subprocess.run(["systemctl", "poweroff"])
"""


def seed(path: Path) -> Path:
    program = io.BytesIO()
    with zipfile.ZipFile(program, "w") as archive:
        archive.writestr("__main__.py", GUEST)
    files = {"guest.pyz": program.getvalue(), "identity.json": json.dumps({"generation": 1}).encode()}
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, vol_ident="cidata", rock_ridge="1.09")
    iso.add_directory("/LBKIT", rr_name="lbkit")
    for number, (name, content) in enumerate(files.items()):
        iso.add_fp(io.BytesIO(content), len(content), f"/LBKIT/FILE{number}.;1", rr_name=name)
    iso.write(str(path))
    return path


@contextlib.contextmanager
def guest(image: Image, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A machine on the image, its disk larger than that; its console is stdout. It ends with the block."""
    overlay = folder / "disk.qcow2"
    backing = ("-b", str(image.disk_path), "-F", "qcow2")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *backing, overlay, "5G"], check=True)
    process = subprocess.Popen(
        [
            *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "1", "-m", "256", "-serial", "stdio"),
            *("-kernel", str(image.kernel_path), "-initrd", str(image.initrd_path)),
            *("-append", image.command_line),
            *(
                "-drive",
                f"if=none,id=root,file={overlay},format=qcow2",
                "-device",
                "virtio-blk-pci,drive=root",
            ),
            *("-drive", f"if=none,id=seed,file={seed(folder / 'seed.iso')},format=raw,readonly=on"),
            *("-device", "virtio-blk-pci,drive=seed", "-device", "virtio-serial-pci"),
            *("-chardev", "null,id=port", "-device", "virtserialport,chardev=port,name=org.lbkit.0"),
            *("-netdev", "user,id=net,restrict=on", "-device", "virtio-net-pci,netdev=net"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_it_boots_to_the_seeds_program_and_to_nothing_else(tmp_path: Path) -> None:
    image = images.built()
    with guest(image, tmp_path) as process:
        console, _ = process.communicate(timeout=300)  # it powers itself off
    line = next((line for line in console.splitlines() if line.startswith("FACTS ")), None)
    assert line, console
    facts: dict[str, Any] = json.loads(line.removeprefix("FACTS "))
    assert facts["argv"] == ["serve", "--identity", "/run/lbkit-guest/identity.json"]
    assert facts["flags"] == [1, 1]
    assert facts["identity"] == {"generation": 2}, "after a failure what the program wrote down is not lost"
    assert console.count("lbkit-guest: starts") == 2
    assert facts["folder"] == 0o700
    assert {"guest.pyz", "identity.json"} <= facts["files"].keys()
    assert facts["failed"] == ""
    running = {word for word in facts["services"] if word.endswith(".service")}
    assert running == {"lbkit-guest.service", "systemd-journald.service", "systemd-udevd.service"}
    assert facts["links"] == ["eth0", "lo"]
    assert "eth0" not in facts["up"], "nothing but lbkit configures the network"
    assert facts["ports"] == ["org.lbkit.0"]
    assert facts["root"] > 4.5 * (1 << 30), "the file system fills the larger disk"
    assert facts["keys"] == []
    assert facts["logins"] == []
    assert facts["listening"] == 0
    assert facts["haproxy"] == "HAProxy version"
    assert facts["missing"] == []


def test_it_is_what_was_stored() -> None:
    image = images.built()
    assert (image.guest, image.name) == ("lbkit", "debian-12-lb")
    assert "haproxy" in image.source["packages"]
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", image.disk_path], check=True)
    assert Store(Host(image_dir=images.folder())).verify(image.identity) == image
