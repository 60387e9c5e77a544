"""What a person declares of networks."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated

from pydantic import BeforeValidator, Field, RootModel, StringConstraints

from lbkit.base.model import Model
from lbkit.base.names import LINK_NAME_BYTES, Label

IPNetwork = IPv4Network | IPv6Network
IPAddress = IPv4Address | IPv6Address


def as_list(value: object) -> object:
    """`x` is written for `[x]`."""
    return value if isinstance(value, list | tuple) or value is None else [value]


LinkName = Annotated[
    str, StringConstraints(min_length=1, max_length=LINK_NAME_BYTES, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
]


class Network(Model):
    """A bridge on the host, and the prefixes that its machines share."""

    cidr: Annotated[tuple[IPNetwork, ...], BeforeValidator(as_list), Field(min_length=1, max_length=2)] = (
        Field(description="The prefix, or one IPv4 and one IPv6 prefix")
    )
    gateway: bool | Annotated[tuple[IPAddress, ...], BeforeValidator(as_list)] = Field(
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
