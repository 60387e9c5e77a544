"""Who may come in: networks, and single addresses as those of one."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from lbkit.network.spec import IPNetwork


def _whole(value: object) -> object:
    if isinstance(value, str) and "/" not in value:
        return f"{value}/{128 if ':' in value else 32}"
    return f"{value}/{value.max_prefixlen}" if isinstance(value, IPv4Address | IPv6Address) else value


Source = Annotated[
    IPNetwork,
    BeforeValidator(_whole),
    WithJsonSchema(
        {"type": "string", "pattern": "^[0-9A-Fa-f:.]+(/[0-9]+)?$", "examples": ["10.80.0.0/24", "192.0.2.7"]}
    ),
]
