"""JSON that came over a port: whoever sits at the other end may have written anything."""

from __future__ import annotations

import json
import math
from typing import Any

from lbkit.machine.guest.frames import Broken

MOST = 16 * 1024 * 1024
"""Bytes of one document: what is read of it takes many times as much memory."""


def read_json(content: bytes, what: str) -> Any:
    """Numbers are finite, and text can be written again. Raises Broken."""
    if len(content) > MOST:
        raise Broken(f"{what} of {len(content) >> 20} MiB of JSON")
    try:
        data = _loaded(content)
        if b"\\ud" in content or b"\\uD" in content:  # halves of pairs, perhaps, which no UTF-8 has
            data = _loaded(json.dumps(data, ensure_ascii=False).encode(errors="replace"))
    except (ValueError, RecursionError) as error:
        raise Broken(f"{what} that is no JSON") from error
    return data


def _loaded(content: bytes) -> Any:
    return json.loads(content, parse_float=_finite, parse_constant=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not finite")
    return number
