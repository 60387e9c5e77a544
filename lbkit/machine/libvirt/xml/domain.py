"""A domain of lbkit's, and its XML.

Devices are as few as a server needs. The machine type is QEMU's older one, "pc": it takes new interfaces while it runs
without ports set aside for them, and boots as fast as "q35" (measured under TCG).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import TypeVar
from xml.etree import ElementTree as ET

from lbkit.machine.libvirt.metadata import Metadata, find_metadata, metadata_element
from lbkit.machine.libvirt.xml.channel import Channel, channel_element, read_channel
from lbkit.machine.libvirt.xml.disk import Disk, disk_element, read_disk
from lbkit.machine.libvirt.xml.element import (
    as_text,
    attribute,
    element,
    number,
    parse,
    path,
    text_at,
    word,
)
from lbkit.machine.libvirt.xml.interface import Interface, interface_element, read_interface

Device = TypeVar("Device")

NAME = r"[a-z0-9][a-z0-9.-]{0,199}"
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

_TYPES = {"kvm": "kvm", "tcg": "qemu"}
_ACCELERATORS = {"kvm": "kvm", "qemu": "tcg"}
_KIB = {
    "b": 1 / 1024,
    "bytes": 1 / 1024,
    "KiB": 1,
    "k": 1,
    "MiB": 1024,
    "M": 1024,
    "GiB": 1 << 20,
    "G": 1 << 20,
}


@dataclass(frozen=True, slots=True)
class DomainSpec:
    """`memory` and `max_memory` in MiB. `accelerator` "kvm" or "tcg"; of a domain that was read anything libvirt has.

    `kernel`, `initrd`, `cmdline`: boots them directly; without a kernel it boots from its first disk. `serial_log`: the
    file that virtlogd writes all to that the guest says on its first serial port (`virsh console` has it too).
    """

    name: str
    memory: int
    max_memory: int
    cpus: int
    accelerator: str
    metadata: Metadata | None = None
    uuid: str | None = None
    title: str = ""
    machine: str = "pc"
    kernel: str | None = None
    initrd: str | None = None
    cmdline: str = ""
    disks: tuple[Disk, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    channels: tuple[Channel, ...] = ()
    serial_log: str | None = None


def domain_xml(domain: DomainSpec) -> str:
    """For defineXML and createXML."""
    return as_text(domain_element(domain))


def domain_element(domain: DomainSpec) -> ET.Element:
    name = word(domain.name, NAME, "a domain's name")
    return element(
        "domain",
        element("name", name),
        element("uuid", word(domain.uuid, UUID, "a domain's UUID")) if domain.uuid else None,
        element("title", domain.title) if domain.title else None,
        element("metadata", metadata_element(domain.metadata)) if domain.metadata else None,
        element("memory", str(domain.max_memory), unit="MiB"),
        element("currentMemory", str(domain.memory), unit="MiB"),
        element("vcpu", str(domain.cpus), placement="static"),
        _os(domain),
        element("features", element("acpi"), element("apic"), element("vmport", state="off")),
        _cpu(domain),
        element("clock", offset="utc"),
        element("on_poweroff", "destroy"),
        element("on_reboot", "restart"),
        element("on_crash", "destroy"),
        element(
            "pm",
            element("suspend-to-mem", enabled="no"),
            element("suspend-to-disk", enabled="no"),
        ),
        _devices(domain),
        type_=_TYPES[word(domain.accelerator, "kvm|tcg", "an accelerator")],
    )


def _os(domain: DomainSpec) -> ET.Element:
    kind = element(
        "type",
        "hvm",
        arch="x86_64",
        machine=word(domain.machine, "[a-z0-9][a-z0-9._-]{0,63}", "a machine type"),
    )
    if domain.kernel is None:
        return element("os", kind, element("boot", dev="hd"))
    return element(
        "os",
        kind,
        element("kernel", path(domain.kernel, "a kernel")),
        element("initrd", path(domain.initrd, "an initrd")) if domain.initrd else None,
        element("cmdline", domain.cmdline) if domain.cmdline else None,
    )


def _cpu(domain: DomainSpec) -> ET.Element:
    """All that the host's processor can, or all that the emulation can: images of today ask for more than the least."""
    if domain.accelerator == "kvm":
        return element("cpu", mode="host-passthrough", check="none", migratable="off")
    return element("cpu", mode="maximum", check="none", migratable="off")


def _devices(domain: DomainSpec) -> ET.Element:
    log = (
        element("log", file=path(domain.serial_log, "a serial log"), append="on")
        if domain.serial_log
        else None
    )
    return element(
        "devices",
        *(disk_element(disk, index) for index, disk in enumerate(domain.disks)),
        element("controller", type_="usb", index=0, model="none"),
        *(interface_element(interface) for interface in domain.interfaces),
        element("serial", log, element("target", port=0), type_="pty"),
        element("console", element("target", type_="serial", port=0), type_="pty"),
        *(channel_element(channel) for channel in domain.channels),
        element("memballoon", model="virtio"),  # memory changes while it runs
        element("rng", element("backend", "/dev/urandom", model="random"), model="virtio"),
        element("panic", model="isa"),  # a kernel that gave up says so, and is seen as crashed
    )


def parse_domain(xml: str) -> DomainSpec:
    """Of any domain what lbkit's own have. Raises `Unreadable`, for bad metadata of lbkit's too, and nothing else."""
    root = parse(xml, "domain")
    return read_domain(root, find_metadata(root))


def read_domain(domain: ET.Element, metadata: Metadata | None) -> DomainSpec:
    """Devices of kinds that lbkit does not make are passed over; what is not there is empty, or 0. Never fails."""
    memory = _mib(domain.find("memory"))
    current = domain.find("currentMemory")
    kind = domain.get("type", "")
    return DomainSpec(
        name=domain.findtext("name") or "",
        memory=memory if current is None else _mib(current),
        max_memory=memory,
        cpus=number(attribute(domain, "vcpu", "current") or text_at(domain, "vcpu")),
        accelerator=_ACCELERATORS.get(kind, kind),
        metadata=metadata,
        uuid=domain.findtext("uuid") or None,
        title=domain.findtext("title") or "",
        machine=attribute(domain, "os/type", "machine"),
        kernel=domain.findtext("os/kernel") or None,
        initrd=domain.findtext("os/initrd") or None,
        cmdline=domain.findtext("os/cmdline") or "",
        disks=_known(map(read_disk, domain.findall("devices/disk"))),
        interfaces=_known(map(read_interface, domain.findall("devices/interface"))),
        channels=_known(map(read_channel, domain.findall("devices/channel"))),
        serial_log=attribute(domain, "devices/serial/log", "file") or None,
    )


def _known(found: Iterable[Device | None]) -> tuple[Device, ...]:
    return tuple(each for each in found if each is not None)


def _mib(found: ET.Element | None) -> int:
    """KiB is what libvirt writes, whatever was given. Part of a MiB counts as one."""
    if found is None:
        return 0
    return ceil(number((found.text or "").strip()) * _KIB.get(found.get("unit", "KiB"), 0) / 1024)
