"""What a person declares of zones and their records."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from lbkit.base.duration import PATTERN, seconds_of
from lbkit.base.model import Model, Worded
from lbkit.base.names import Label
from lbkit.base.units import Seconds
from lbkit.dns.names import zone_name
from lbkit.network.spec import IPAddress

Port = Annotated[int, Field(ge=1, le=65535)]
RecordType = Literal["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT"]
Algorithm = Literal["hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"]


def _zone_key(text: str) -> str:
    name = zone_name(text)
    if name != text:
        raise ValueError(f"a zone's name in lower case and without its last dot, {name!r}")
    return name


ZoneName = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_zone_key)]
KeyName = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(zone_name)]
Value = Annotated[str, StringConstraints(max_length=65535)]

_ADDRESS = re.compile(r"[0-9.]+|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*")


def _whole_seconds(value: object) -> object:
    return seconds_of(value) if isinstance(value, str) else value


TTL = Annotated[
    int,
    BeforeValidator(_whole_seconds),
    Field(ge=0, le=2**31 - 1, description="Seconds, or a duration such as 5m (RFC 2181 section 8)"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
                {"type": "string", "pattern": PATTERN},
            ],
            "description": "Seconds, or a duration such as 5m (RFC 2181 section 8)",
        }
    ),
]


class SecretSource(Model):
    """Where a secret is: never in the document itself."""

    file: (
        Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00\r\n]+$")] | None
    ) = Field(
        None,
        description="Relative to the topology's folder, mode 600: base64, or a key clause as tsig-keygen writes it",
    )
    env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=255)] | None = (
        Field(None, description="The environment variable that holds it, in base64")
    )

    @model_validator(mode="after")
    def _one_source(self) -> SecretSource:
        if (self.file is None) == (self.env is None):
            raise ValueError("either file or env")
        return self


class Tsig(Model):
    """The key that signs transfers and updates (RFC 8945). Name and algorithm as in the server's configuration."""

    name: KeyName
    algorithm: Algorithm = "hmac-sha256"
    secret: SecretSource


class Server(Worded):
    """An authoritative server: the machines of a group, or one elsewhere."""

    word = "A group of machines, or an address"

    machines: Label | None = None
    address: IPAddress | None = None
    port: Port | None = Field(None, description="By default the zone's")

    @classmethod
    def of_word(cls, word: str) -> dict[str, str]:
        """`ns` is written for `{machines: ns}`, and `192.0.2.53` for `{address: 192.0.2.53}`."""
        return {"address" if _ADDRESS.fullmatch(word) else "machines": word}

    @model_validator(mode="after")
    def _one_place(self) -> Server:
        if (self.machines is None) == (self.address is None):
            raise ValueError("either machines or address")
        return self


class Record(Model):
    """An rrset, or a part of one: values by hand, or the addresses of something in this document."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=255)] = Field(
        description="Relative to the zone, @ for its apex, *. for a wildcard; or whole, with its last dot"
    )
    type: RecordType | None = Field(
        None, description="With a target: only this family; without it, every family that the target has"
    )
    ttl: TTL | None = Field(None, description="By default the zone's")
    target: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = Field(
        None, description="load_balancers.NAME or machines.GROUP"
    )
    network: Label | None = Field(
        None, description="The target's network; needed where it stands on more than one"
    )
    value: Value | None = None
    values: tuple[Value, ...] | None = Field(None, min_length=1, max_length=2000)

    @model_validator(mode="after")
    def _one_origin(self) -> Record:
        if sum(field is not None for field in (self.target, self.value, self.values)) != 1:
            raise ValueError("one of target, value and values")
        if self.target is None and self.type is None:
            raise ValueError("a type, as there is no target to tell it")
        if self.target is not None and self.type not in {None, "A", "AAAA"}:
            raise ValueError("type A or AAAA (or none: every family), as a target gives addresses")
        if self.target is None and self.network is not None:
            raise ValueError("a network only with a target")
        return self


class Zone(Model):
    """A zone of which lbkit holds some records. The zone itself belongs to its servers' configuration."""

    servers: tuple[Server, ...] = Field(
        min_length=1,
        max_length=20,
        description="A group of machines, an address, or {address, port}; the first is the primary, which takes updates",
    )
    port: Port = 53
    tsig: Tsig
    ttl: TTL = 300
    settle: Seconds = Field(30.0, description="How long the servers may take until all serve an update")
    records: tuple[Record, ...] = ()


class Dns(Model):
    zones: dict[ZoneName, Zone] = Field(default_factory=dict)
