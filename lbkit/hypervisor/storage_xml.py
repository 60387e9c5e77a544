"""Pools and volumes as libvirt writes them, out and in (libvirt.org/formatstorage.html)."""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass

from lbkit.base.errors import Bug

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,200}")
_OURS = uuid.UUID("9f1d7f0c-5a3e-4c0b-9d39-6f6b6c626b74")  # any one, but always this


@dataclass(frozen=True, slots=True)
class Volume:
    """A file of a pool. Sizes are bytes; `allocation` is what it takes of the disk now, `capacity` what a guest sees.

    `backing` is the path of the file that it is a copy-on-write overlay on; "" where there is none.
    """

    name: str
    path: str
    format: str
    capacity: int
    allocation: int = 0
    backing: str = ""


@dataclass(frozen=True, slots=True)
class WantedVolume:
    """`capacity` None: that of the backing file, which there must be then. `mode` as chmod(1) has it."""

    name: str
    format: str
    capacity: int | None
    backing: str = ""
    backing_format: str = ""
    mode: int = 0o600


def pool_uuid(name: str, path: str) -> str:
    """Of a pool that lbkit makes: so it is known again as such, as a pool has no place for a mark."""
    return str(uuid.uuid5(_OURS, f"{name} {path}"))


def pool_xml(name: str, path: str) -> str:
    pool = ET.Element("pool", type="dir")
    ET.SubElement(pool, "name").text = checked_name(name)
    ET.SubElement(pool, "uuid").text = pool_uuid(name, path)
    target = ET.SubElement(pool, "target")
    ET.SubElement(target, "path").text = path
    # guests run as a user of their own: it may pass, and not look around
    ET.SubElement(ET.SubElement(target, "permissions"), "mode").text = "0711"
    return ET.tostring(pool, encoding="unicode")


def pool_path(text: str) -> str:
    """Where a pool's volumes lie; "" for a kind of pool that has no place."""
    return ET.fromstring(text).findtext("target/path", "")  # noqa: S314 - libvirt wrote it


def volume_xml(want: WantedVolume) -> str:
    volume = ET.Element("volume", type="file")
    ET.SubElement(volume, "name").text = checked_name(want.name)
    if want.capacity is not None:
        ET.SubElement(volume, "capacity", unit="bytes").text = str(want.capacity)
    ET.SubElement(volume, "allocation", unit="bytes").text = "0"
    target = ET.SubElement(volume, "target")
    ET.SubElement(target, "format", type=want.format)
    ET.SubElement(ET.SubElement(target, "permissions"), "mode").text = f"0{want.mode:o}"
    if want.backing:
        backing = ET.SubElement(volume, "backingStore")
        ET.SubElement(backing, "path").text = want.backing
        ET.SubElement(backing, "format", type=want.backing_format)
    return ET.tostring(volume, encoding="unicode")


def read_volume(text: str) -> Volume:
    root = ET.fromstring(text)  # noqa: S314 - libvirt wrote it
    kind = root.find("target/format")
    return Volume(
        name=root.findtext("name", ""),
        path=root.findtext("target/path", ""),
        format=kind.get("type", "raw") if kind is not None else "raw",
        capacity=int(root.findtext("capacity", "0")),
        allocation=int(root.findtext("allocation", "0")),
        backing=root.findtext("backingStore/path", ""),
    )


def checked_name(name: str) -> str:
    """Of a pool or a volume: one file name, and nothing that means something to a path."""
    if not _NAME.fullmatch(name):
        raise Bug("a volume's name was to be a plain file name", found=repr(name))
    return name
