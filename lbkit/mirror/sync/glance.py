"""Whether upstream stands still, asked while files come from it: the look after them takes as long as the whole tree, for a few files."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from lbkit.base.clock import Clock
from lbkit.mirror.sync.changes import Changes
from lbkit.mirror.sync.ended import TransferFailed
from lbkit.mirror.sync.fetching import Fetcher
from lbkit.mirror.sync.itemized import Item, shown
from lbkit.mirror.tree.manifest import Entry

_FEW = 10  # a tenth of the tree: of more a look takes the shorter part
_SOON = 2.0  # seconds from the glance to the last file: an upstream that is slow to update itself is given as long to show it


REFUSED = 5
"""What rsync ends with where upstream takes no more connections (rsync(1), EXIT VALUES)."""


class Glance:
    """While it is open another connection looks at upstream. It `stood_still` where that found nothing but what the comparison before it
    said, each file came as both have it, and all of that took no time to speak of; else nobody knows, and upstream is to be looked at again.

    `refused`: upstream takes one connection alone.

    Two looks that are the same are the tree of the moment between them, and each file is of it that came as they say.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        tree: Path,
        items: Iterable[Item],
        changes: Changes,
        clock: Clock,
        *,
        wanted: bool = True,
    ) -> None:
        self._fetcher, self._tree, self._clock = fetcher, tree, clock
        few = wanted and _FEW * len(changes.fetched) <= changes.after.files
        self._awaited = (
            {i.path: (i.size, i.time) for i in items if i.kind == "f" and i.doing != "delete"} if few else {}
        )
        # of links rsync does not say where they lead
        self.wanted = few and len(self._awaited) == len(changes.fetched)
        self._thread = threading.Thread(target=self._look, name="lbkit-glance")
        self._entries = changes.entries
        self._found: tuple[list[Item], int] | None = None
        self._as_said = True
        self.refused = False
        self._had = self._ended = 0.0

    def __enter__(self) -> Self:
        if self.wanted:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = self._clock.monotonic()
        if self.wanted:
            self._thread.join()

    def came(self, entry: Entry) -> None:
        """A file lies in the tree now."""
        self._as_said = self._as_said and self._awaited.get(entry.path) == (entry.size, shown(entry.mtime))

    @property
    def stood_still(self) -> bool:
        """To be asked once it is closed."""
        if self._found is None or not self._as_said or self._ended - self._had > _SOON:
            return False
        items, entries = self._found
        return entries == self._entries and all(
            self._awaited.get(item.path) == (item.size, item.time) for item in items
        )

    def _look(self) -> None:
        try:
            self._found = self._fetcher.glance(self._tree)
        except TransferFailed as error:  # what is more than a refusal the look that follows says
            self.refused = error.code == REFUSED
            return
        self._had = self._clock.monotonic()
