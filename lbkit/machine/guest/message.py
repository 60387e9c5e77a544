"""A call and its answer: JSON and a payload, as one run of bytes on a channel."""

from __future__ import annotations

import json
import struct
from typing import Any

from lbkit.machine.guest.foreign import read_json
from lbkit.machine.guest.frames import Broken

MOST = 128 * 1024 * 1024
"""Bytes of a call, or of an answer: each end holds it in memory."""

_LENGTH = struct.Struct(">I")


def pack(data: Any, payload: bytes = b"") -> bytes:
    text = json.dumps(data).encode()
    return b"".join((_LENGTH.pack(len(text)), text, payload))


def unpack(message: bytes) -> tuple[dict[str, Any], bytes]:
    """Raises Broken where it is none."""
    if len(message) < _LENGTH.size:
        raise Broken("a message that was cut off")
    end = _LENGTH.size + _LENGTH.unpack_from(message)[0]
    if end > len(message):
        raise Broken("a message that was cut off")
    data = read_json(message[_LENGTH.size : end], "a message")
    if not isinstance(data, dict):
        raise Broken("a message without fields")
    return data, message[end:]
