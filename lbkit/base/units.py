"""Durations and sizes in a document: as people write them, or durations as a number of seconds."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from lbkit.base import size
from lbkit.base.duration import PATTERN, seconds_of


def _seconds(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a duration such as 2s, 500ms or 10m")  # noqa: TRY004 - pydantic reports ValueErrors
    if isinstance(value, str):
        return seconds_of(value)
    return value


def _bytes(value: object) -> object:
    return size.bytes_of(value if isinstance(value, str) else "")


Size = Annotated[
    int,
    BeforeValidator(_bytes),
    Field(gt=0, le=1 << 60),
    WithJsonSchema({"type": "string", "pattern": size.PATTERN}),
]
"""Bytes, more than none. Powers of 1024, with their names (IEC 80000-13)."""

Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(gt=0, le=31 * 86400),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": PATTERN},
            ]
        }
    ),
]
"""Seconds, more than none."""
