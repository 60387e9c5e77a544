"""The domains of a host that are a topology's, or stand on its names. Reads only.

One question lists all domains with their states. Of those that are named as the topology's, one each has its XML: libvirt has
no bulk call for that. A mark counts where the name agrees with it: who copies a domain (virt-clone) copies its mark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from lbkit.hypervisor.connection import Connection
from lbkit.hypervisor.failures import binding
from lbkit.machine.libvirt.metadata import Metadata, find_metadata
from lbkit.machine.libvirt.states import in_words
from lbkit.machine.libvirt.xml.channel import Channel
from lbkit.machine.libvirt.xml.disk import Disk
from lbkit.machine.libvirt.xml.domain import read_domain
from lbkit.machine.libvirt.xml.element import Unreadable, parse
from lbkit.machine.libvirt.xml.interface import Interface

if TYPE_CHECKING:
    import libvirt


@dataclass(frozen=True, slots=True)
class SeenDomain:
    """One domain. `state` and `reason` in words (`states`); sizes in MiB, memory as its guest has it now.

    `spare`: it is no machine yet, `member` is the group that it is for. `topology` is that of its mark; None: lbkit did not make it. `trouble` says why its metadata was not believed, or
    could not all of its XML be read: then it is nobody's.
    """

    name: str
    uuid: str
    state: str
    reason: str
    topology: str | None = None
    member: str = ""
    generation: int = 0
    digest: str = ""
    wanted: Mapping[str, Any] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    memory: int = 0
    max_memory: int = 0
    cpus: int = 0
    accelerator: str = ""
    machine: str = ""
    disks: tuple[Disk, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    channels: tuple[Channel, ...] = ()
    serial_log: str | None = None
    trouble: str = ""
    spare: bool = False
    started: str = ""  # as in its metadata
    stopped: str = ""  # as well


def seen_domains(connection: Connection, topology: str) -> tuple[SeenDomain, ...]:
    """All whose name begins as those of the topology's do, by name."""

    def ask(raw: libvirt.virConnect) -> list[SeenDomain]:
        return [see(*each) for each in _found(raw, f"{topology}.")]

    seen = connection.read("the host's virtual machines were to be listed", ask)
    return tuple(sorted(seen, key=lambda each: each.name))


def _found(raw: libvirt.virConnect, beginning: str) -> Iterator[tuple[str, str, tuple[int, int], str]]:
    """Name, UUID, state with its reason, and XML. One that goes meanwhile is left out."""
    module = binding()
    for domain, stats in raw.getAllDomainStats(module.VIR_DOMAIN_STATS_STATE, 0):
        if not domain.name().startswith(beginning):
            continue
        try:
            xml = domain.XMLDesc(0)
        except module.libvirtError as error:
            if error.get_error_code() != module.VIR_ERR_NO_DOMAIN:
                raise
            continue
        yield (
            domain.name(),
            domain.UUIDString(),
            (stats.get("state.state", 0), stats.get("state.reason", 0)),
            xml,
        )


def see(name: str, uuid: str, states: tuple[int, int], xml: str) -> SeenDomain:
    """One domain from its XML, which anyone may have written: this never fails."""
    state, reason = in_words(*states)
    try:
        root = parse(xml, "domain")
    except Unreadable as error:
        return SeenDomain(name, uuid, state, reason, trouble=f"its XML cannot be read: {error}")
    metadata, trouble = _metadata(root, name)
    domain = read_domain(root, metadata)
    return SeenDomain(
        name,
        uuid,
        state,
        reason,
        topology=metadata.topology if metadata else None,
        member=metadata.member if metadata else "",
        generation=metadata.generation if metadata else 0,
        digest=metadata.digest if metadata else "",
        wanted=metadata.wanted if metadata else {},
        volumes=metadata.volumes if metadata else (),
        spare=metadata is not None and metadata.kind == "spare",
        started=metadata.started if metadata else "",
        stopped=metadata.stopped if metadata else "",
        memory=domain.memory,
        max_memory=domain.max_memory,
        cpus=domain.cpus,
        accelerator=domain.accelerator,
        machine=domain.machine,
        disks=domain.disks,
        interfaces=domain.interfaces,
        channels=domain.channels,
        serial_log=domain.serial_log,
        trouble=trouble,
    )


def _metadata(domain: ET.Element, name: str) -> tuple[Metadata | None, str]:
    try:
        metadata = find_metadata(domain)
    except Unreadable as error:
        return None, f"its metadata of lbkit's cannot be read: {error}"
    if metadata is None:
        return None, ""
    if metadata.domain != name:
        return None, f"its mark is that of {metadata.domain}"
    return metadata, ""
