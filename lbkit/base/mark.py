"""The owner mark: the words on an object that say which topology it belongs to, and as what (docs/adr/0002)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MARK = re.compile(r"lbkit:([a-z0-9][a-z0-9-]{0,62}):([a-z0-9][a-z0-9/-]{0,180})\Z")


@dataclass(frozen=True, slots=True)
class Mark:
    """`path` says as what ("network/front"). The text form is at most 255 bytes, as a link alias must be."""

    topology: str
    path: str

    def __str__(self) -> str:
        return f"lbkit:{self.topology}:{self.path}"


def mark(topology: str, *path: str) -> str:
    """The mark as text: `mark("web", "machine", "lb-1")` is "lbkit:web:machine/lb-1"."""
    return str(Mark(topology, "/".join(path)))


def read_mark(text: str | None) -> Mark | None:
    """The mark in `text`, which anyone may have written; None unless it is one in whole."""
    match = _MARK.match(text) if text else None
    return Mark(match[1], match[2]) if match else None
