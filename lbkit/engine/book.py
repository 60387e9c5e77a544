"""The address book: how one noun finds another by reference, without the rooms knowing each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from lbkit.engine.resource import Key

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Something that has addresses: one machine of a group, or a load balancer's virtual address.

    `keys` are the things that must stand for those addresses to answer: who publishes them requires these. `ports`: where
    it answers, by what it is asked for there ("http"), and `times`, in seconds, by what they are of ("session"), as far as
    whoever entered it says so.
    """

    name: str
    addresses: Mapping[str, tuple[IPAddress, ...]]  # by network name
    keys: frozenset[Key] = frozenset()
    ports: Mapping[str, int] = field(default_factory=dict)
    times: Mapping[str, float] = field(default_factory=dict)

    def on(self, networks: Iterable[str]) -> tuple[IPAddress, ...]:
        """Its addresses on the first of `networks` that it stands on."""
        for network in networks:
            if network in self.addresses:
                return self.addresses[network]
        return ()


@dataclass(slots=True)
class Book:
    """References ("machines.web", "load_balancers.shop") to endpoints, and networks to their prefixes.

    Filled room by room, in the order of registration, while a document is resolved; read-only after.
    """

    entries: dict[str, tuple[Endpoint, ...]] = field(default_factory=dict)
    networks: dict[str, tuple[IPNetwork, ...]] = field(default_factory=dict)
    claims: dict[str, str] = field(default_factory=dict)

    def claim(self, token: str, owner: str) -> str | None:
        """Take what one thing alone may have ("address 10.80.0.10"). The owner before, where there is one."""
        before = self.claims.setdefault(token, owner)
        return None if before == owner else before

    def endpoints(self, reference: str) -> tuple[Endpoint, ...] | None:
        return self.entries.get(reference)

    def network_of(self, address: IPAddress) -> str | None:
        for name, prefixes in self.networks.items():
            if any(address in prefix for prefix in prefixes if prefix.version == address.version):
                return name
        return None

    def as_data(self) -> dict[str, Any]:
        """Every reference with its endpoints, and every network with its prefixes, as JSON."""
        return {
            "networks": {
                name: [str(prefix) for prefix in prefixes] for name, prefixes in self.networks.items()
            },
            "entries": {
                reference: [
                    {
                        "name": endpoint.name,
                        "addresses": {
                            network: [str(address) for address in addresses]
                            for network, addresses in endpoint.addresses.items()
                        },
                    }
                    for endpoint in endpoints
                ]
                for reference, endpoints in self.entries.items()
            },
        }
