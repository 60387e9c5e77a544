"""Machines with everything filled in: names, addresses, links, routes and the services with their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Interface, IPv6Interface
from typing import Literal

from lbkit.base.errors import Bug
from lbkit.base.host import Host
from lbkit.base.secrets import Secret
from lbkit.engine.book import IPAddress, IPNetwork
from lbkit.machine.spec import Ready

IPInterface = IPv4Interface | IPv6Interface

COMMISSIONED = ("mirror-",)
"""How the names of services begin that other rooms have machines run."""


@dataclass(frozen=True, slots=True)
class Interface:
    """A machine's place on a network. `link` is the veth's end on the host; inside it is named as the network."""

    network: str
    bridge: str
    link: str
    mac: str
    addresses: tuple[IPInterface, ...]
    mtu: int


@dataclass(frozen=True, slots=True)
class Route:
    """`to` 0.0.0.0/0 or ::/0 is the default route."""

    to: IPNetwork
    via: IPAddress


@dataclass(frozen=True, slots=True)
class ResolvedFile:
    """`content` is a Secret where plans and logs must not show it. `once`: written only where it is missing."""

    content: bytes | Secret
    mode: int
    once: bool = False


@dataclass(frozen=True, slots=True)
class ResolvedService:
    """`reload` is a signal's name ("HUP"), a command, or None: then changed files restart it."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, ResolvedFile] = field(default_factory=dict)
    check: tuple[str, ...] | None = None
    reload: str | tuple[str, ...] | None = None
    user: str | None = None
    ready: Ready | None = None
    stop_timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class ResolvedVm:
    """What a virtual machine boots, and how large it is. Sizes in bytes; `disk` None: as large as its image."""

    image: str
    memory: int
    max_memory: int
    cpus: int
    disk: int | None
    accelerator: Literal["auto", "kvm", "tcg"]
    ssh_keys: tuple[str, ...]
    user_data: bytes | Secret | None
    keep_disk: bool
    warm_pool: int
    boot_timeout: float = 300.0  # seconds
    warm_in: Literal["disk", "memory"] = "disk"


@dataclass(frozen=True, slots=True)
class ResolvedMachine:
    """`vm`, and the name of the `host` that it stands on: of a virtual machine."""

    name: str
    group: str
    driver: str
    interfaces: tuple[Interface, ...]
    routes: tuple[Route, ...] = ()
    services: tuple[ResolvedService, ...] = ()
    vm: ResolvedVm | None = None
    host: str = ""

    def switches_users(self, host: Host) -> bool:
        """Whether its services run as the users they name: a virtual machine has all ids, a namespace the host's."""
        return self.vm is not None or host.can_switch_user


@dataclass(frozen=True)
class Machines:
    """`groups`: the members of each group of the document."""

    by_name: dict[str, ResolvedMachine]
    groups: Mapping[str, tuple[str, ...]]

    def commission(self, member: str, service: ResolvedService) -> None:
        """Have a machine run a service of another room's: planned, started, watched and removed as one that is declared.

        For rooms that resolve after this one, while they do. Its name begins as `COMMISSIONED` says, which no declared one does.
        """
        machine = self.by_name[member]
        if not service.name.startswith(COMMISSIONED) or any(
            each.name == service.name for each in machine.services
        ):
            raise Bug("a service was to be commissioned once, by a name of its own", found=service.name)
        self.by_name[member] = replace(machine, services=(*machine.services, service))
