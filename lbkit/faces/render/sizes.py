"""Bytes, files and seconds in a few letters. Without rich."""

from __future__ import annotations

_UNITS = ("TiB", "GiB", "MiB", "KiB")


def size_words(size: float) -> str:
    """1.4 GiB; powers of 1024, as a topology has them."""
    for power, unit in zip((40, 30, 20, 10), _UNITS, strict=True):
        if size >= 1 << power:
            return f"{size / (1 << power):.1f} {unit}"
    return f"{size:.0f} B"


def files_words(files: int) -> str:
    return f"{files:,} file{'' if files == 1 else 's'}"


def time_words(seconds: float) -> str:
    """12 s, 3:05 min, 2:10 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02} h"
