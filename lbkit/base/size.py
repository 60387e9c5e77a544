"""Sizes as people write them: 512MiB, 4GiB, 1.5TiB. Powers of 1024, with their names (IEC 80000-13)."""

from __future__ import annotations

import re

PATTERN = r"^[0-9]+(\.[0-9]+)?(KiB|MiB|GiB|TiB)$"
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(KiB|MiB|GiB|TiB)\Z", re.ASCII)
_BYTES = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def bytes_of(text: str) -> int:
    """Bytes; ValueError says how a size is written. A number alone is refused: of what, people differ."""
    match = _SIZE.match(text)
    if match is None:
        raise ValueError("a size such as 512MiB or 4GiB")
    return round(float(match[1]) * _BYTES[match[2]])


def size_of(count: int) -> str:
    """As a person reads it, in the largest unit that it has one of: 1.5GiB."""
    for unit, size in reversed(_BYTES.items()):
        if count >= size:
            return f"{count / size:.1f}".removesuffix(".0") + unit
    return f"{count} bytes"
