"""The hosts of virtual machines with everything filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

LOCAL = "local"
"""The one host of a topology that declares none."""

_URI = re.compile(r"(?P<driver>[a-z]+)(\+(?P<transport>[a-z0-9]+))?://(?P<server>[^/?]*)/")


@dataclass(frozen=True, slots=True)
class ResolvedHost:
    """A libvirt and the pool on it. Two names may stand for one libvirt. `implicit`: nobody declared it."""

    name: str
    uri: str
    pool: str
    path: str
    implicit: bool = False

    @property
    def local(self) -> bool:
        """Whether its libvirt runs on this machine: its files and bridges are those that lbkit sees."""
        match = _URI.match(self.uri)
        return bool(match and match["driver"] == "qemu" and not match["server"] and self.transport == "unix")

    @property
    def transport(self) -> str:
        """As the URI says: unix, ssh, tls and so on. Without one libvirt takes a socket here, and TLS to another machine."""
        match = _URI.match(self.uri)
        if match is None:
            return ""
        return match["transport"] or ("tls" if match["server"] else "unix")

    @property
    def simulated(self) -> bool:
        """Whether it is libvirt's test driver: domains and volumes that are nothing but words."""
        return self.uri.startswith("test")


@dataclass(frozen=True)
class Hypervisors:
    by_name: Mapping[str, ResolvedHost]
