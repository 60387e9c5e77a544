"""Lists of certificates (configuration manual, 5.1 "crt-list"): `FILE [OPTIONS] [SNI...]`."""

from __future__ import annotations

import re
from pathlib import Path

_ENTRY = re.compile(r"(\S+)(?:\s+\[[^\]]*\])?\s*(.*)")


def entries(path: Path) -> list[tuple[str, tuple[str, ...]]] | None:
    """Each certificate with the names that it is for. None where the list cannot be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    lines = (line.strip() for line in text.splitlines())
    matches = (_ENTRY.fullmatch(line) for line in lines if line and not line.startswith("#"))
    return [
        (match[1], tuple(name for name in match[2].split() if not name.startswith("!")))
        for match in matches
        if match
    ]
