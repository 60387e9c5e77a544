"""Text of the world made harmless for a terminal. Without rich, so that a short word costs no import of it."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """`text` without what steers a terminal: control characters show as escapes, tabs and line ends stay."""
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


def one_line(text: str) -> str:
    return harmless(text.replace("\t", " ").replace("\n", "\\n"))
