"""Durations and sizes in a document: as people write them, or durations as a number of seconds."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from lbkit.base.duration import PATTERN, seconds_of

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(KiB|MiB|GiB|TiB)\Z", re.ASCII)
_BYTES = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def _seconds(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a duration such as 2s, 500ms or 10m")  # noqa: TRY004 - pydantic reports ValueErrors
    if isinstance(value, str):
        return seconds_of(value)
    return value


def _bytes(value: object) -> object:
    match = _SIZE.match(value) if isinstance(value, str) else None
    if match is None:
        # a number alone is refused: of what, people differ
        raise ValueError("a size such as 512MiB or 4GiB")
    return round(float(match[1]) * _BYTES[match[2]])


Size = Annotated[
    int,
    BeforeValidator(_bytes),
    Field(gt=0, le=1 << 60),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(KiB|MiB|GiB|TiB)$"}),
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
