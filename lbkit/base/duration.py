"""Durations as people write them: 2s, 500ms, 10m, 6h, 1d."""

from __future__ import annotations

import re

PATTERN = r"^\d+(\.\d+)?(ms|s|m|h|d)$"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)\Z", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds_of(text: str) -> float:
    """Seconds; ValueError says how a duration is written."""
    match = _DURATION.match(text)
    if not match:
        raise ValueError("a duration such as 2s, 500ms or 10m")
    return round(float(match[1]) * _SECONDS[match[2]], 6)
