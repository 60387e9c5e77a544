"""What is mirrored, and how: as the keeper's configuration says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from lbkit.mirror.sync.fetching import Fetcher
from lbkit.mirror.sync.guard import Guard

TRACE = ".lbkit-trace"
"""The file at the top of each generation that says which one it is. It is in no manifest, as it names the manifest."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the tree that is fetched in its turn, after the one before it has come: what is below `folder`; "" is all that no other stage has.

    `contents`: it is compared by content, and not by size and time.
    """

    folder: str = ""
    contents: bool = False

    def has(self, path: bytes) -> bool:
        below = self.folder.encode()
        return not below or path == below or path.startswith(below + b"/")


@dataclass(frozen=True, slots=True)
class Project:
    """`markers` are patterns of files that upstream has while it updates itself."""

    name: str
    fetcher: Fetcher
    stages: Sequence[Stage] = (Stage(),)
    guard: Guard = field(default_factory=Guard)
    markers: Sequence[str] = ()
    keep: int = 3

    def stage_of(self, path: bytes) -> int:
        """The number of the stage that fetches it: the most particular one."""
        own = [number for number, stage in enumerate(self.stages) if stage.folder and stage.has(path)]
        if own:
            return max(own, key=lambda number: len(self.stages[number].folder))
        return next((number for number, stage in enumerate(self.stages) if not stage.folder), 0)

    def is_marker(self, path: bytes) -> bool:
        name = path.decode(errors="surrogateescape")
        return any(fnmatchcase(name, pattern) for pattern in self.markers)
