"""Make one generation of a machine: its domain, its volumes, its first answer. Killed anywhere, the next one makes another.

The domain comes first, and goes last (removing.py): as long as there is anything of it, its mark says whose that is.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

from lbkit.base.errors import LbkitError
from lbkit.base.files import make_folder
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.hypervisor import images, storage
from lbkit.hypervisor.connection import Connection, connect
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.hypervisor.storage import VolumeTaken
from lbkit.image.image import Image
from lbkit.machine.guest.pack import packed
from lbkit.machine.libvirt import booting
from lbkit.machine.libvirt.answering import answered
from lbkit.machine.libvirt.design import Files, domain_of
from lbkit.machine.libvirt.fleet import Generation
from lbkit.machine.libvirt.metadata import Metadata
from lbkit.machine.libvirt.names import channel_folder, disk_name, domain_name, seed_name, spare_name
from lbkit.machine.libvirt.noting import note
from lbkit.machine.libvirt.observe import SeenDomain
from lbkit.machine.libvirt.removing import forget_folder, pool_lock, remove
from lbkit.machine.libvirt.seed import seed_iso
from lbkit.machine.libvirt.states import RUNNING
from lbkit.machine.libvirt.telling import Teller
from lbkit.machine.libvirt.who import identity_of
from lbkit.machine.libvirt.xml.domain import domain_xml
from lbkit.machine.resolved import ResolvedMachine, ResolvedVm


@dataclass(frozen=True, slots=True)
class Order:
    """One generation to be made. `wanted` is the machine's state as planned, which the domain remembers.

    Of a `spare` the machine has no interfaces, and is named as the group that it is for.
    """

    scope: Scope
    host: Host
    at: ResolvedHost
    machine: ResolvedMachine
    vm: ResolvedVm
    image: Image
    accelerator: str
    generation: int
    wanted: Mapping[str, Any]
    links_up: bool
    spare: bool = False

    @property
    def name(self) -> str:
        if self.spare:
            return spare_name(self.scope.name, self.machine.name, self.generation)
        return domain_name(self.scope.name, self.machine.name, self.generation)

    @property
    def where(self) -> str:
        return f"machine {self.machine.name}"


def make(order: Order, tell: Teller) -> Generation:
    """Returns once its guest answers. `tell` gets a line before each step. Of what cannot be started nothing is left."""
    connection = connect(order.at)
    tell(f"make a disk of {order.image.identity}, and a seed")
    identifier = str(uuid.uuid4())
    folder = channel_folder(order.host, order.at.uri, order.name)
    metadata = Metadata(
        order.scope.name,
        order.machine.name,
        order.generation,
        order.wanted,
        (disk_name(order.name), seed_name(order.name)),
        "spare" if order.spare else "machine",
        order.name if order.spare else "",
    )
    spec = domain_of(
        order.name,
        identifier,
        order.machine,
        order.vm,
        order.accelerator,
        _files(order, folder if order.at.local else None),
        metadata,
        links_up=order.links_up,
    )
    domain = SeenDomain(
        order.name,
        identifier,
        RUNNING,
        "",
        topology=metadata.topology,
        member=metadata.member,
        generation=metadata.generation,
        wanted=metadata.wanted,
        volumes=metadata.volumes,
    )
    make_folder(folder)
    try:
        with connection.doing(f"the domain {order.name} was to be defined") as raw:
            raw.defineXML(domain_xml(spec))
    except LbkitError:
        forget_folder(order.host, order.at, order.name)
        raise
    try:
        with pool_lock(order.host, order.at):
            _fill(order, connection, identifier)
        beside = "" if order.links_up else " beside the one before, its links down"
        tell(f"start {order.name}{beside}")
        with connection.doing(f"the domain {order.name} was to be started") as raw:
            found = raw.lookupByUUIDString(identifier)
            note(found, replace(metadata, started=booting.noted(order.host.clock.now())))
            found.create()
    except LbkitError as error:
        # a name that was taken meanwhile is another host's, that shares the pool; and nothing was made after it
        taken = error.name if isinstance(error, VolumeTaken) else ""
        own = tuple(takewhile(lambda name: name != taken, domain.volumes))
        with contextlib.suppress(LbkitError):  # what it leaves where libvirt is gone, the next apply removes
            remove(order.scope, order.host, Generation(replace(domain, volumes=own), order.at), retiring=True)
        raise
    tell("wait until its guest answers")
    made = answered(order.host, Generation(domain, order.at), order.vm.boot_timeout)
    with connection.doing(f"it was to be noted that {order.name} answers") as raw:
        note(raw.lookupByUUIDString(identifier), metadata)
    return made


def _files(order: Order, sockets: Path | None) -> Files:
    """Where they will lie: a pool is a folder."""
    image, pool = order.image, order.at.path
    return Files(
        disk=f"{pool}/{disk_name(order.name)}",
        seed=f"{pool}/{seed_name(order.name)}",
        kernel=f"{pool}/{images.name_of(image.kernel.sha256, 'kernel')}" if image.kernel else None,
        initrd=f"{pool}/{images.name_of(image.initrd.sha256, 'initrd')}" if image.initrd else None,
        command_line=image.command_line,
        sockets=sockets,
    )


def _fill(order: Order, connection: Connection, identifier: str) -> None:
    """Bring the image, where it is not there yet, and make the volumes."""
    image = order.image
    disk = images.bring(connection, image.disk_path, image.disk.sha256, "qcow2", order.host)
    if image.kernel is not None and image.kernel_path is not None:
        images.bring(connection, image.kernel_path, image.kernel.sha256, "kernel", order.host)
    if image.initrd is not None and image.initrd_path is not None:
        images.bring(connection, image.initrd_path, image.initrd.sha256, "initrd", order.host)
    identity = identity_of(order.scope.name, order.machine, order.generation, identifier)
    seed = seed_iso(
        json.dumps(identity.as_data()).encode(),
        packed().content,
        instance_id=identifier,
        hostname=order.machine.name,
        ssh_keys=order.vm.ssh_keys,
        user_data=order.vm.user_data,
    )
    storage.overlay(connection, disk_name(order.name), disk, size=order.vm.disk, new=True)
    storage.put(connection, seed_name(order.name), seed, new=True)
