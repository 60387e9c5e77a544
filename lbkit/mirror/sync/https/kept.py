"""What came of files that are wanted, whole or not: in a folder of its own, as DIGEST.part and then DIGEST, until a generation has it.

So whatever ends a run, the next one goes on there; and what came from one address is never gone on with for another digest.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lbkit.base.files import FileFailure, make_folder
from lbkit.mirror.tree.scan import hashed


@dataclass(frozen=True, slots=True)
class Wanted:
    """`size` is what its list says, None where that does not; `about` is what upstream says, which may be anything."""

    url: str
    sha256: str
    size: int | None = None
    about: int | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """Several threads may call, for one file each. OSError where the disk will not."""

    folder: Path

    def make(self) -> None:
        make_folder(self.folder, mode=0o700)

    def part(self, wanted: Wanted) -> Path:
        """Where curl writes, at the end of what lies there."""
        return self.folder / f"{wanted.sha256}.part"

    def whole(self, wanted: Wanted) -> Path:
        return self.folder / wanted.sha256

    def size(self, wanted: Wanted) -> int:
        """Bytes of the part."""
        try:
            return self.part(wanted).stat().st_size
        except FileNotFoundError:
            return 0

    def has(self, wanted: Wanted) -> bool:
        """Whether it lies there whole, once what lies there has been read."""
        whole, part = self.whole(wanted), self.part(wanted)
        if whole.exists():
            if hashed(os.fsencode(whole))[1] == wanted.sha256:
                return True
            whole.unlink()
        size = self.size(wanted)
        if size and size >= (wanted.size or wanted.about or 0):
            if hashed(os.fsencode(part))[1] == wanted.sha256:
                self._finish(wanted)
                return True
            if wanted.size is not None:
                part.unlink()
        return False

    def verify(self, wanted: Wanted) -> str:
        """Of a part that should be all of it: "" where it is, and else why not; then it has been thrown away."""
        part = self.part(wanted)
        if not part.exists():  # curl makes no file of nothing
            part.touch()
        size, digest = hashed(os.fsencode(part))
        if digest == wanted.sha256 and wanted.size in {None, size}:
            self._finish(wanted)
            return ""
        part.unlink()
        return f"{wanted.url} has other content than its list says: {size} bytes, SHA-256 {digest}"

    def drop(self, wanted: Wanted) -> None:
        self.part(wanted).unlink(missing_ok=True)

    def forget(self, but: Iterable[str]) -> None:
        """Remove what was kept of files with other digests than those. Raises FileFailure."""
        kept = set(but)
        try:
            for file in self.folder.iterdir():
                if file.name.removesuffix(".part") not in kept:
                    file.unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            raise FileFailure("removed", self.folder, error) from error

    def _finish(self, wanted: Wanted) -> None:
        part = self.part(wanted)
        part.chmod(0o644)
        os.rename(part, self.whole(wanted))
