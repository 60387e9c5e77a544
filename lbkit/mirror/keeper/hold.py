"""What holds runs back until a person says so: a file that outlives the keeper."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lbkit.base.errors import Failure
from lbkit.base.files import flush_folder, make_folder, read, remove, write_atomic


@dataclass(frozen=True, slots=True)
class Held:
    """`serial` and `digest` are of the generation whose content is to be served; `since` in seconds since 1970."""

    why: str
    serial: int
    digest: str
    since: float

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Hold:
    file: Path

    def found(self) -> Held | None:
        content = read(self.file)
        if content is None:
            return None
        try:
            data = json.loads(content)
            return Held(str(data["why"]), int(data["serial"]), str(data["digest"]), float(data["since"]))
        except (ValueError, KeyError, TypeError) as error:
            raise Failure(
                "what holds runs was to be read",
                found=repr(error),
                where=str(self.file),
                remedy="`lbkit mirror release`: runs go on as declared",
            ) from error

    def hold(self, held: Held) -> None:
        """On the disk when this returns."""
        make_folder(self.file.parent)
        write_atomic(self.file, json.dumps(held.as_data()).encode() + b"\n")
        flush_folder(self.file.parent)

    @property
    def is_held(self) -> bool:
        """One that cannot be read holds, too: nobody knows what for."""
        return self.file.exists()

    def release(self) -> Held | None:
        """What was held; None: nothing, or what could not be read."""
        try:
            found = self.found()
        except Failure:
            found = None
        remove(self.file)
        return found
