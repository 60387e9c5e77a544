"""A topology as the rooms see it: its name, where it stands, and what each room made of its section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from lbkit.base.errors import Bug
from lbkit.base.problems import Problems
from lbkit.engine.book import Book
from lbkit.engine.holds import Hold

R = TypeVar("R")


@dataclass(slots=True)
class Draft:
    """What a room gets while it resolves its section: what earlier rooms found, and where to say what is wrong.

    `folder` is where relative paths in the document start. Paths of problems start at the document's root.
    """

    name: str
    folder: Path
    book: Book = field(default_factory=Book)
    problems: Problems = field(default_factory=Problems)
    resolved: dict[str, Any] = field(default_factory=dict)  # by room name, the rooms before this one
    broken: set[tuple[str | int, ...]] = field(default_factory=set)

    def is_broken(self, *path: str | int) -> bool:
        """Whether the document has `path` ("networks", "front"), but in a form that could not be read.

        That has been said already, and the section is resolved without it: what refers to it is to be passed
        over in silence, not said to be unknown.
        """
        return any(path[:length] in self.broken for length in range(1, len(path) + 1))


@dataclass(frozen=True)
class Scope:
    """A checked topology. `resolved` holds, by room name, the value that the room's `resolve` returned.

    `holds`: what a person holds out of use now, by path ("shop/web/web-3"). `operate` fills it in.
    """

    name: str
    folder: Path
    file: str
    resolved: Mapping[str, Any]
    book: Book
    holds: Mapping[str, Hold] = field(default_factory=dict)

    def of(self, room: str, kind: type[R]) -> R:
        value = self.resolved.get(room)
        if not isinstance(value, kind):
            raise Bug(f"room {room!r} was to be resolved to {kind.__name__}", found=type(value).__name__)
        return value
