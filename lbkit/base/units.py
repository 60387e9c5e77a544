"""Durations as people write them: 2s, 500ms, 10m, 6h, or a number of seconds."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)\Z")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _seconds(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a duration such as 2s, 500ms or 10m")  # noqa: TRY004 - pydantic reports ValueErrors
    if isinstance(value, str):
        match = _DURATION.match(value)
        if not match:
            raise ValueError("a duration such as 2s, 500ms or 10m")
        return round(float(match[1]) * _SECONDS[match[2]], 6)
    return value


Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(gt=0, le=31 * 86400),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h|d)$"},
            ]
        }
    ),
]
"""Seconds, more than none."""
