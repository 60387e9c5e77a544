"""What a frontend's clients may expect at any time: what `lbkit apply --prove` asks of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from lbkit.base.model import Model

RequestPath = Annotated[str, StringConstraints(pattern=r"^/[!-~]*$", max_length=2048)]
HostHeader = Annotated[
    str, StringConstraints(pattern=r"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$", max_length=260)
]


class Prove(Model):
    """Requests of the prober. Of `path` in http mode; in tcp mode that a connection is accepted and kept."""

    path: RequestPath = "/"
    host: HostHeader | None = Field(
        None, description="The Host header, and the server's name in TLS; by default the address"
    )
    expect: Annotated[str, StringConstraints(pattern=r"^[1-5][0-9]{2}(-[1-5][0-9]{2})?$")] | None = Field(
        None,
        description='Statuses that are no failure ("200-399"); by default any but those that HAProxy itself answers '
        "where something is amiss: 400, 408, 502, 503, 504",
    )
    download: RequestPath | None = Field(
        None, description="A body of some MB, fetched slowly so that it spans steps; by default none is"
    )

    @field_validator("expect")
    @classmethod
    def _in_order(cls, expect: str | None) -> str | None:
        first, _, last = (expect or "").partition("-")
        if last and int(last) < int(first):
            raise ValueError(f"statuses from the lower to the higher: {last}-{first}")
        return expect
