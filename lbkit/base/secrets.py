"""Secrets: read from a file or the environment, held in a type that does not print them."""

from __future__ import annotations

import hashlib
import hmac
import stat
from pathlib import Path

from lbkit.base.errors import Mistake
from lbkit.base.files import read_given, shown


class Secret:
    """A secret's bytes. Its text form, in plans and logs too, is a short digest that tells only "same" or "changed"."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        return self._value

    @property
    def digest(self) -> str:
        return hashlib.sha256(b"lbkit secret\0" + self._value).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return f"<secret {self.digest}>"

    __str__ = __repr__


def read_secret_file(path: Path) -> Secret:
    """The file's bytes. Refuses one that others can read, as ssh does with private keys."""
    try:
        content, status = read_given(path, "the secret file", most=1 << 20)
    except Mistake as error:
        error.remedy = "make it with mode 600; for a TSIG key: `lbkit keygen FILE`"
        raise
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise Mistake(
            f"the secret file {shown(path)} was to be readable by its owner alone",
            found=f"mode {mode:04o}",
            remedy=f"chmod 600 {shown(path)}",
        )
    return Secret(content)
