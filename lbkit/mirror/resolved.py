"""Mirrors with everything filled in: machines, addresses, ports, keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lbkit.base.secrets import Secret
from lbkit.engine.book import IPAddress
from lbkit.mirror.keys import Keys
from lbkit.mirror.ports import Ports
from lbkit.mirror.spec import Mirror

RSYNC_SERVICE, HTTP_SERVICE = "mirror-rsync", "mirror-http"
"""One of each on a machine, for all mirrors that it has to do with."""

CONTROL = "control.sock"
"""In the keeper's folder: what `lbkit mirror` asks (keeper/control.py)."""


@dataclass(frozen=True, slots=True)
class ResolvedMirror:
    """`addresses` are all that a machine of it has; `inner` the one on its network, where the machines talk to each other.

    `upstream` is data as sync/upstream.py takes it; `files` are what that names, by name.
    """

    name: str
    declared: Mirror
    master: str
    nodes: tuple[str, ...]
    network: str
    inner: Mapping[str, IPAddress]
    addresses: Mapping[str, tuple[IPAddress, ...]]
    ports: Ports
    keys: Keys
    upstream: Mapping[str, Any]
    files: Mapping[str, bytes | Secret] = field(default_factory=dict)

    @property
    def keeper(self) -> str:
        """The master's service."""
        return f"mirror-{self.name}-keeper"

    @property
    def node(self) -> str:
        """Each node's service."""
        return f"mirror-{self.name}-node"


@dataclass(frozen=True)
class Mirrors:
    by_name: Mapping[str, ResolvedMirror]
