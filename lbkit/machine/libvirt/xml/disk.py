"""A disk of a domain, and its XML."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_lowercase
from typing import Literal, cast
from xml.etree import ElementTree as ET

from lbkit.machine.libvirt.xml.element import attribute, element, path, word

SERIAL_BYTES = 20  # VIRTIO_BLK_ID_BYTES, linux/virtio_blk.h

Format = Literal["qcow2", "raw"]


@dataclass(frozen=True, slots=True)
class Disk:
    """A file as a virtio disk. The guest has it as /dev/disk/by-id/virtio-SERIAL."""

    path: str
    format: Format = "qcow2"
    read_only: bool = False
    serial: str = ""


def disk_element(disk: Disk, index: int) -> ET.Element:
    """`index` counts the domain's disks: the guest finds them in that order."""
    if disk.serial:
        word(disk.serial, f"[A-Za-z0-9_-]{{1,{SERIAL_BYTES}}}", "a disk's serial")
    driver = element(
        "driver",
        name="qemu",
        type_=word(disk.format, "qcow2|raw", "a disk's format"),
        discard=None if disk.read_only else "unmap",  # what the guest frees, the host gets back
    )
    return element(
        "disk",
        driver,
        element("source", file=path(disk.path, "a disk's path")),
        element("target", dev=f"vd{ascii_lowercase[index]}", bus="virtio"),
        element("serial", disk.serial) if disk.serial else None,
        element("readonly") if disk.read_only else None,
        type_="file",
        device="disk",
    )


def read_disk(found: ET.Element) -> Disk | None:
    """None where it is another kind of disk than lbkit makes: it has no file, or is a CD-ROM."""
    file = attribute(found, "source", "file")
    form = attribute(found, "driver", "type")
    if not file or form not in {"qcow2", "raw"} or found.get("device", "disk") != "disk":
        return None
    return Disk(
        file,
        cast("Format", form),
        found.find("readonly") is not None,
        (found.findtext("serial") or "").strip(),
    )
