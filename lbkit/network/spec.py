"""What a person declares of networks."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_interface, ip_network
from typing import Annotated

from pydantic import Field, PlainValidator, RootModel, WithJsonSchema

from lbkit.base.model import Model, OneOrMany
from lbkit.base.names import LINK_NAME_BYTES, Form, Label


def _network(value: object) -> IPv4Network | IPv6Network:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    if not isinstance(value, str) or "%" in value or "/" not in value:
        raise ValueError("an IPv4 or IPv6 prefix such as 10.80.0.0/24")
    try:
        return ip_network(value)
    except ValueError:
        pass
    try:
        inside = ip_interface(value)
    except ValueError:
        raise ValueError("an IPv4 or IPv6 prefix such as 10.80.0.0/24") from None
    raise ValueError(f"a prefix whose address part is its first address: {inside.network}")


def _address(value: object) -> IPv4Address | IPv6Address:
    if isinstance(value, IPv4Address | IPv6Address):
        return value
    # a scope ("fe80::1%eth0") may hold any character, and means nothing in another namespace
    if not isinstance(value, str) or "%" in value:
        raise ValueError("an IPv4 or IPv6 address such as 10.80.0.10")
    try:
        return ip_address(value)
    except ValueError:
        raise ValueError("an IPv4 or IPv6 address such as 10.80.0.10") from None


IPNetwork = Annotated[
    IPv4Network | IPv6Network,
    PlainValidator(_network),
    WithJsonSchema({"type": "string", "pattern": "^[0-9A-Fa-f:.]+/[0-9]+$", "examples": ["10.80.0.0/24"]}),
]
IPAddress = Annotated[
    IPv4Address | IPv6Address,
    PlainValidator(_address),
    WithJsonSchema({"type": "string", "pattern": "^[0-9A-Fa-f:.]+$", "examples": ["10.80.0.10"]}),
]


IPAddresses = Annotated[tuple[IPAddress, ...], OneOrMany()]

LinkName = Annotated[
    str,
    Form(
        f"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{LINK_NAME_BYTES - 1}}}",
        f"a link name of 1 to {LINK_NAME_BYTES} letters, digits and '_.-', that starts with a letter or digit",
    ),
]


class Network(Model):
    """A bridge on the host, and the prefixes that its machines share."""

    cidr: Annotated[tuple[IPNetwork, ...], Field(min_length=1, max_length=2), OneOrMany()] = Field(
        description="The prefix, or one IPv4 and one IPv6 prefix"
    )
    gateway: bool | IPAddresses = Field(
        True,
        description="The host's own addresses here: the first of each prefix (true), none (false), or these",
    )
    nat: bool = Field(
        False, description="Whether machines reach the world beyond the host, under the host's address"
    )
    bridge: LinkName | None = Field(None, description="Name of the bridge; by default TOPOLOGY.NETWORK")
    mtu: Annotated[int, Field(ge=68, le=65535)] = Field(
        1500, description="Bytes; 1280 at least for IPv6 (RFC 8200)"
    )


class Networks(RootModel[dict[Label, Network]]):
    root: dict[Label, Network] = Field(default_factory=dict)
