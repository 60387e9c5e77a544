"""Who a guest is: what the host's end tells it, as data. What is done with it in the guest is in setting.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface, ip_network
from typing import Any

from lbkit.base.errors import Failure
from lbkit.engine.book import IPAddress, IPNetwork

VERSION = 1
_WANTED = f"a guest was to be told who it is, by an identity of version {VERSION}"

IPInterface = IPv4Interface | IPv6Interface


@dataclass(frozen=True, slots=True)
class Interface:
    """`name` is that of the network it leads to; it is found by its `mac`."""

    name: str
    mac: str
    mtu: int = 1500
    addresses: tuple[IPInterface, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    to: IPNetwork
    via: IPAddress


@dataclass(frozen=True, slots=True)
class Identity:
    """`machine_id`: 32 hexadecimal digits (machine-id(5)), or "". `ssh_keys`: lines of root's authorized_keys."""

    topology: str
    member: str
    generation: int
    hostname: str
    machine_id: str = ""
    interfaces: tuple[Interface, ...] = ()
    routes: tuple[Route, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    ssh_keys: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """identity.json."""
        return {
            "version": VERSION,
            "topology": self.topology,
            "member": self.member,
            "generation": self.generation,
            "hostname": self.hostname,
            "machine_id": self.machine_id,
            "interfaces": [
                {
                    "name": each.name,
                    "mac": each.mac.lower(),
                    "mtu": each.mtu,
                    "addresses": [str(address) for address in each.addresses],
                }
                for each in self.interfaces
            ],
            "routes": [{"to": str(route.to), "via": str(route.via)} for route in self.routes],
            "sysctls": dict(sorted(self.sysctls.items())),
            "ssh_keys": list(self.ssh_keys),
        }

    @classmethod
    def from_data(cls, data: Any) -> Identity:
        """Raises Failure where it is none, or of a later version."""
        try:
            version = int(data["version"])
            made = cls(
                topology=str(data["topology"]),
                member=str(data["member"]),
                generation=int(data["generation"]),
                hostname=str(data["hostname"]),
                machine_id=str(data["machine_id"]),
                interfaces=tuple(
                    Interface(
                        str(each["name"]),
                        str(each["mac"]).lower(),
                        int(each["mtu"]),
                        tuple(map(ip_interface, each["addresses"])),
                    )
                    for each in data["interfaces"]
                ),
                routes=tuple(
                    Route(ip_network(each["to"]), ip_address(each["via"])) for each in data["routes"]
                ),
                sysctls={str(name): str(value) for name, value in data["sysctls"].items()},
                ssh_keys=tuple(map(str, data["ssh_keys"])),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Failure(_WANTED, found=repr(error)) from error
        if version != VERSION:
            raise Failure(_WANTED, found=f"one of version {version}")
        return made

    @property
    def digest(self) -> str:
        """The same for the same identity, in every process."""
        from hashlib import sha256  # noqa: PLC0415 - a guest needs it once, and it takes OpenSSL

        return sha256(json.dumps(self.as_data(), sort_keys=True).encode()).hexdigest()[:32]
