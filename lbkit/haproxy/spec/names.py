"""Servers by name: who is asked for their addresses, and how long an answer holds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lbkit.base.model import Model
from lbkit.base.units import Seconds
from lbkit.haproxy.spec.logs import Endpoint, endpoint_with

OneNameserver = Annotated[Endpoint, endpoint_with(53)]


class Hold(Model):
    """How long the last good answer holds after one that is none."""

    missing: Seconds = Field(30.0, description="The name does not exist (NXDOMAIN)")
    refused: Seconds = 30.0
    timeout: Seconds = 30.0
    other: Seconds = 30.0
    obsolete: Seconds = Field(0.001, description="An address that answers no longer have")


class Resolvers(Model):
    """Name servers that are asked, by HAProxy itself, for servers that have a name for an address."""

    nameservers: Annotated[tuple[OneNameserver, ...], Field(min_length=1, max_length=16)] | Literal["system"]
    retries: Annotated[int, Field(ge=1, le=100)] = 3
    timeout: Seconds = Field(1.0, description="For one answer")
    interval: Seconds = Field(1.0, description="Between questions while the answer is good")
    payload: Annotated[int, Field(ge=512, le=65535)] = Field(4096, description="Bytes of an answer by UDP")
    prefer: Literal["ipv4", "ipv6"] = "ipv4"
    hold: Hold = Hold()
