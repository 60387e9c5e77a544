"""What a sync needs of whatever moves the bytes: it does not know whether that is rsync or curl."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Protocol

from lbkit.base.errors import Failure
from lbkit.mirror.sync.itemized import Item
from lbkit.mirror.tree.build import Lines, none

Told = Callable[[Item], None]
"""Told of each file and link as it comes, in the thread that asked for it."""

Tried = Callable[[int, str], None]
"""Told of each try that failed and is made again: the exit code and the words."""


def untold(_code: int, _words: str) -> None:
    """For who does not want to know."""


class Paused(Failure):
    """The time in which it may be done is over. What came is kept, and the next run goes on with it."""


class Fetcher(Protocol):
    """All raise TransferFailed where it does not end well. `goes_on`: what it is to get may lie there already, whatever its content: it
    is held against upstream, and got where it differs. One without that keeps what came itself.
    """

    goes_on: ClassVar[bool]

    def compare(
        self,
        tree: Path,
        *,
        lines: Lines = none,
        below: str = "",
        contents: bool = False,
        tried: Tried = untold,
    ) -> Iterable[Item]:
        """What upstream has otherwise than the tree, whose manifest the lines are; nothing of it is changed. `below`: only in that
        folder. `contents`: what one comparison may have passed over, if it can pass over anything.
        """
        ...

    def glance(self, tree: Path) -> tuple[list[Item], int] | None:
        """What upstream has otherwise than the tree, into which `get` may just be writing, but for what it has no more; and how many
        files, folders and links it has. None: that is more than may be asked at the same time. In another thread than `get`.
        """
        ...

    def get(
        self,
        paths: Iterable[bytes],
        tree: Path,
        *,
        basis: Path | None = None,
        lines: Lines = none,
        told: Told,
        tried: Tried = untold,
        until: datetime | None = None,
    ) -> None:
        """These files and links, whose folders stand, into the tree, where none of them is. `basis` is a tree, with the lines of its
        manifest, that may have some of their content. What came, came. Raises Paused, too, where it can go on later and it is `until`.
        """
        ...

    def settle(self) -> None:
        """All that was fetched is where it should be: what was kept for another try may go."""
        ...
