"""What the things of a virtual machine are called. All names begin with `TOPOLOGY.MEMBER.GENERATION`."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from lbkit.base.host import Host

_DOMAIN = re.compile(r"([a-z0-9-]+)\.([a-z0-9-]+)\.([1-9][0-9]{0,8})\Z", re.ASCII)


def domain_name(topology: str, member: str, generation: int) -> str:
    return f"{topology}.{member}.{generation}"


def spare_name(topology: str, group: str, number: int) -> str:
    return f"{topology}.{group}.spare-{number}"


def parted(name: str) -> tuple[str, str, int] | None:
    """Topology, member and generation of a domain's name; None where it is of another form."""
    match = _DOMAIN.match(name)
    return (match[1], match[2], int(match[3])) if match else None


def disk_name(domain: str) -> str:
    return f"{domain}.disk.qcow2"


def seed_name(domain: str) -> str:
    return f"{domain}.seed.iso"


def folders(host: Host, topology: str) -> Path:
    """Where its domains have theirs."""
    return host.folder(topology) / "vm"


def channel_folder(host: Host, at: str, domain: str) -> Path:
    """Where the sockets of a local domain's ports are: short, as a socket's path holds 107 bytes (unix(7)).

    `at` is the URI of the host that the domain stands on: its name may change.
    """
    topology = domain.partition(".")[0]
    return folders(host, topology) / hashlib.sha256(f"{at}/{domain}".encode()).hexdigest()[:12]


def machine_id(identifier: str) -> str:
    """machine-id(5), from the domain's UUID."""
    return identifier.replace("-", "")
