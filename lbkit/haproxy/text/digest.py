"""The digest that a configuration carries in `description`, and that a process which has loaded it tells again."""

from __future__ import annotations

import re

_DIGEST = re.compile(r"\bsha256:([0-9a-f]{32})\b")


def digest_in(text: str) -> str | None:
    """In a configuration's text, or in the description of a running HAProxy."""
    match = _DIGEST.search(text)
    return match[1] if match else None
