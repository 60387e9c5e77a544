"""Digests of secrets where others read them. Pure."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

_PLAIN_DIGEST = re.compile(r"[0-9a-f]{16}", re.ASCII)  # base/secrets.py


@lru_cache(maxsize=256)
def hidden(digest: str, group: str) -> str:
    """Of a secret's digest what may stand where anybody reads it: each guess costs some 0.1 s and 16 MiB (scrypt, RFC 7914).

    Salted by the group, whose members have the same: a plan works it out once for all of them.
    """
    key = hashlib.scrypt(
        digest.encode(), salt=f"lbkit user_data {group}".encode(), n=1 << 14, r=8, p=1, dklen=16
    )
    return f"scrypt:{group}:{key.hex()}"


def hidden_as(like: str, digest: str) -> str:
    """A plain digest hidden as `like` is; any other text as it is."""
    return hidden(digest, like.split(":")[1]) if _PLAIN_DIGEST.fullmatch(digest) else digest
