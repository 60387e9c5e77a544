"""Compression of responses, for clients that ask for it, where the server has not done it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from lbkit.base.model import Model, OneOrMany
from lbkit.base.names import Form

MediaType = Annotated[
    str, Form(r"[a-z0-9][a-z0-9.+-]{0,63}/[a-z0-9][a-z0-9.+-]{0,63}", "a media type such as text/html")
]
USUAL_TYPES = (
    "text/html",
    "text/plain",
    "text/css",
    "text/javascript",
    "application/javascript",
    "application/json",
    "application/xml",
    "image/svg+xml",
)


class Compression(Model):
    algorithms: Annotated[
        tuple[Literal["gzip", "deflate", "raw-deflate"], ...], Field(min_length=1, max_length=3), OneOrMany()
    ] = ("gzip",)
    types: Annotated[tuple[MediaType, ...], Field(min_length=1, max_length=64), OneOrMany()] = USUAL_TYPES


def _on(value: object) -> object:
    return {} if value is True else None if value is False else value


OneCompression = Annotated[
    Compression | None, BeforeValidator(_on, json_schema_input_type=Compression | bool | None)
]
