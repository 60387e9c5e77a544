"""A generation: a whole tree that never changes again, and what is known of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from lbkit.base.errors import Failure


@dataclass(frozen=True, slots=True)
class Generation:
    """`digest` is its manifest's, `parent` the serial that it was made from (0: none), `size` the bytes of all files.

    `made` is when the master made it, in seconds since 1970; `run` names the run that did, on the master.
    """

    serial: int
    digest: str
    files: int
    size: int
    made: float
    parent: int = 0
    run: str = ""

    def as_data(self) -> dict[str, Any]:
        return asdict(self)

    def as_json(self) -> bytes:
        return json.dumps(self.as_data(), sort_keys=True).encode() + b"\n"

    @classmethod
    def from_data(cls, data: Any, where: str) -> Generation:
        """Raises Failure where it is none: another program's file, or another version's."""
        try:
            found = cls(
                int(data["serial"]),
                str(data["digest"]),
                int(data["files"]),
                int(data["size"]),
                float(data["made"]),
                int(data["parent"]),
                str(data["run"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise _unread(repr(error), where) from error
        if not 0 < found.serial < 1 << 32 or len(found.digest) != 64:
            raise _unread("no serial, or no digest", where)
        return found


def _unread(found: str, where: str) -> Failure:
    return Failure(
        "the record of a generation was to be read",
        found=found,
        where=where,
        remedy="remove the file: the generation is then made anew",
    )
