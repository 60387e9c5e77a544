"""What a run says of how far it is, to who watches."""

from __future__ import annotations

from typing import Protocol


class Watch(Protocol):
    """Cheap to tell: it is told of every file."""

    def phase(self, name: str, files: int | None = None, size: int | None = None) -> None:
        """What begins now, and how many files and bytes it will be; None: nobody knows."""

    def came(self, size: int) -> None:
        """One file more, as it begins to come, or came."""


class Unwatched:
    def phase(self, name: str, files: int | None = None, size: int | None = None) -> None: ...

    def came(self, size: int) -> None: ...
