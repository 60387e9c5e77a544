"""A disk as publishers of cloud images make them, of the image that tests boot: cloud-init is on, and nothing of lbkit's is in it.

It starts by itself: a partition table, GRUB before the first partition, and in that the kernel. Whoever takes it (`lbkit image
add`) knows nothing of all that.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path

from lbkit.image.image import Image
from lbkit.image.initrd import initrd
from lbkit.image.recipe import BAKED

_GRUB = Path("/usr/lib/grub/i386-pc")  # Debian's grub-pc-bin
_SECTOR = 512
_START = 2048  # the sector where the partition begins, as partitioning programs have it; GRUB lies before
_LINUX = 0x83  # the type of the partition
_UNITS = "/etc/systemd/system"

CLOUD_INIT_ON = (
    "rm /etc/cloud/cloud-init.disabled",
    "rm /etc/systemd/system-generators/cloud-init-generator",
    f"rm {_UNITS}/sysinit.target.wants/lbkit-guest.service",
    f"rm {_UNITS}/multi-user.target.wants/lbkit-grow.service",
    f"rm {_UNITS}/systemd-udev-trigger.service.d/lbkit.conf",
    "rm /etc/udev/rules.d/75-net-description.rules",
    "rm /etc/udev/rules.d/80-net-setup-link.rules",
    "rm /etc/systemd/network/99-default.link",
    f"symlink {_UNITS}/multi-user.target.wants/systemd-networkd.service /lib/systemd/system/systemd-networkd.service",
    *(
        f"symlink {_UNITS}/cloud-init.target.wants/{unit}.service /lib/systemd/system/{unit}.service"
        for unit in ("cloud-init-local", "cloud-init", "cloud-config", "cloud-final")
    ),
)
"""What makes cloud-init, and networks, start as in Debian's own cloud image: requests of debugfs(8) to the image's file system."""

_NOTHING_OF_LBKIT = (
    f"rm {_UNITS}/lbkit-guest.service",
    f"rm {_UNITS}/lbkit-grow.service",
    "rm /usr/lib/lbkit/boot",
    "rm /usr/lib/lbkit/grow",
    "rmdir /usr/lib/lbkit",
    f"rm {_UNITS}/ssh.service.d/lbkit.conf",
    "rm /etc/ssh/sshd_config.d/lbkit.conf",
    f"symlink {_UNITS}/multi-user.target.wants/ssh.service /lib/systemd/system/ssh.service",
)

_BOOT = """\
set root=(hd0,msdos1)
linux /boot/vmlinuz {command_line}
initrd /boot/initrd
boot
"""


def edit(filesystem: str | Path, requests: Iterable[str], folder: Path) -> None:
    """Change files of an ext4 file system that is not mounted. Each request must succeed."""
    file = folder / "requests"
    file.write_text("".join(f"{each}\n" for each in requests), encoding="utf-8")
    done = subprocess.run(
        ["debugfs", "-w", "-f", file, str(filesystem)], check=True, capture_output=True, text=True
    )
    _version, *complaints = done.stderr.splitlines()
    assert not complaints, complaints
    file.unlink()


def cloud_image(image: Image, folder: Path) -> Path:
    """Made of an image that lbkit built. A qcow2 file in `folder`."""
    assert image.kernel_path
    assert image.initrd_path
    size = image.virtual_size // _SECTOR
    disk, raw = folder / "cloud.qcow2", folder / "cloud.raw"
    with raw.open("xb") as stream:
        stream.truncate((_START + size) * _SECTOR)
        stream.write(_first_sectors(image.command_line, size, folder))
    place = f"driver=raw,offset={_START * _SECTOR},size={size * _SECTOR},file.driver=file,file.filename={raw}"
    _run("qemu-img", "convert", "-n", "--target-image-opts", image.disk_path, place)
    (folder / "initrd").write_bytes(_finding_its_root(image.initrd_path.read_bytes()))
    kernel = (
        f"write {image.kernel_path} /boot/vmlinuz",
        f"write {folder / 'initrd'} /boot/initrd",
    )
    edit(
        f"{raw}?offset={_START * _SECTOR}",
        (*CLOUD_INIT_ON, *_NOTHING_OF_LBKIT, *kernel),
        folder,
    )
    _run("qemu-img", "convert", "-O", "qcow2", raw, disk)
    raw.unlink()
    return disk


def _finding_its_root(built: bytes) -> bytes:
    """Linux unpacks one archive after another: the later one's files stay."""
    script = (BAKED / "init").read_text(encoding="utf-8")
    mine = script.replace("in vda vdb vdc vdd sda;", "in vda1;")
    assert mine != script
    return built + initrd(mine.encode(), {}, [])


def _first_sectors(command_line: str, size: int, folder: Path) -> bytes:
    """The boot sector with the partition table, and GRUB, which it looks for in the sectors behind it."""
    (folder / "grub.cfg").write_text(_BOOT.format(command_line=command_line))
    core = folder / "core.img"
    _run(
        *("grub-mkimage", "--format", "i386-pc", "--directory", _GRUB, "--prefix", "(hd0,msdos1)/boot/grub"),
        *("--config", folder / "grub.cfg", "--output", core),
        *("biosdisk", "part_msdos", "ext2", "linux"),
    )
    assert core.stat().st_size < (_START - 1) * _SECTOR
    code = (_GRUB / "boot.img").read_bytes()[:440]
    partition = struct.pack("<B3xB3xII", 0x80, _LINUX, _START, size)
    return code + struct.pack("<I2x", 0x6C626B69) + partition + bytes(48) + b"\x55\xaa" + core.read_bytes()


def _run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True)
