"""A machine's namespace: its name, how to be in it, and how to know it again."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass

from lbkit.base.host import Host
from lbkit.machine.local.network import NetworkIdentity
from lbkit.network.namespace import entered


def namespace_name(topology: str, member: str) -> str:
    """The file below host.netns_dir, as `ip netns` shows it."""
    return f"{topology}.{member}"


def network_identity(host: Host, topology: str, member: str) -> NetworkIdentity:
    try:
        status = os.stat(host.netns_dir / namespace_name(topology, member))
    except OSError:
        return None
    return status.st_dev, status.st_ino


@dataclass(frozen=True, slots=True)
class Namespace:
    """See `lbkit.machine.local.network.Network`."""

    host: Host
    topology: str
    member: str

    def entered(self) -> AbstractContextManager[None]:
        return entered(self.host, namespace_name(self.topology, self.member))

    def identity(self) -> NetworkIdentity:
        return network_identity(self.host, self.topology, self.member)
