"""The virtual address of a load balancer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from lbkit.base.model import Model, OneOrMany
from lbkit.base.names import Label
from lbkit.base.units import Seconds
from lbkit.network.spec import IPAddress


class VirtualAddress(Model):
    """An address that one of the machines has at a time (VRRP, RFC 5798): the first that works, and it keeps it."""

    network: Label
    address: Annotated[tuple[IPAddress, ...], Field(min_length=1, max_length=2), OneOrMany()] = Field(
        description="One, or one IPv4 and one IPv6 address; they move together"
    )
    router_id: Annotated[int, Field(ge=1, le=255)] | None = Field(
        None, description="VRRP's number, one of its own on the network; by default made from the names"
    )
    interval: Annotated[Seconds, Field(ge=0.01, le=40)] = Field(
        0.2, description="Between advertisements; a dead machine is noticed after three and a bit"
    )

    @field_validator("address")
    @classmethod
    def _one_of_a_kind(cls, addresses: tuple[IPAddress, ...]) -> tuple[IPAddress, ...]:
        if len({address.version for address in addresses}) != len(addresses):
            raise ValueError(f"one IPv4 and one IPv6 address, not two of IPv{addresses[0].version}")
        return addresses
