"""The domain that a machine is to be, from its machine as declared and where its files lie. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lbkit.base.names import link_name
from lbkit.machine.libvirt.metadata import Metadata
from lbkit.machine.libvirt.plan import mib
from lbkit.machine.libvirt.xml.channel import GUEST_AGENT, LBKIT, Channel
from lbkit.machine.libvirt.xml.disk import Disk
from lbkit.machine.libvirt.xml.domain import DomainSpec
from lbkit.machine.libvirt.xml.interface import Interface
from lbkit.machine.resolved import ResolvedMachine, ResolvedVm

SEED = "lbkit-seed"  # the seed's serial: /dev/disk/by-id/virtio-lbkit-seed


@dataclass(frozen=True, slots=True)
class Files:
    """Where a domain's files lie on its host. `sockets`: the folder of its ports; None: libvirt chooses (another host)."""

    disk: str
    seed: str
    kernel: str | None = None
    initrd: str | None = None
    command_line: str = ""
    sockets: Path | None = None


def domain_of(
    name: str,
    uuid: str,
    machine: ResolvedMachine,
    vm: ResolvedVm,
    accelerator: str,
    files: Files,
    metadata: Metadata,
    *,
    links_up: bool,
) -> DomainSpec:
    """`accelerator`: kvm or tcg, as was found."""
    return DomainSpec(
        name=name,
        uuid=uuid,
        title=f"{machine.name} of {metadata.topology}, by lbkit",
        memory=mib(vm.memory),
        max_memory=mib(vm.max_memory),
        cpus=vm.cpus,
        accelerator=accelerator,
        metadata=metadata,
        kernel=files.kernel,
        initrd=files.initrd,
        cmdline=files.command_line,
        disks=(Disk(files.disk), Disk(files.seed, "raw", read_only=True, serial=SEED)),
        interfaces=interfaces_of(name, machine, links_up=links_up),
        channels=tuple(Channel(name, socket_path(files.sockets, name)) for name in (GUEST_AGENT, *LBKIT)),
        serial_log=None if files.sockets is None else str(files.sockets / "console.log"),
    )


def interfaces_of(domain: str, machine: ResolvedMachine, *, links_up: bool) -> tuple[Interface, ...]:
    """Each generation has links of its own on the host, and the MAC addresses of the one before."""
    return tuple(
        Interface(each.mac.lower(), each.bridge, link_name(domain, each.network), each.mtu, links_up)
        for each in machine.interfaces
    )


def socket_path(folder: Path | None, port: str) -> str | None:
    """Of lbkit's own ports the number alone: a socket's path is short."""
    if folder is None or port == GUEST_AGENT:
        return None
    return str(folder / port.rpartition(".")[2])
