"""Hold everything that a store has against its manifests, and mend what is damaged: beside what else goes on there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from lbkit.base.errors import Failure, LbkitError
from lbkit.mirror.node.pulling import Pulling
from lbkit.mirror.sync.project import TRACE
from lbkit.mirror.sync.upstream import Rsynced
from lbkit.mirror.tree.generation import Generation
from lbkit.mirror.tree.scan import hashed
from lbkit.mirror.tree.verify import Damage, Known, as_in, damages, nothing_known, stands

FIRST = 20  # of what is damaged so much is told by name


class Stopped(Failure):
    """Who wanted it does not any more."""


@dataclass(slots=True)
class Verifying:
    """`run` is for one thread, `as_data` and `stop` are for any. `alone` is held by who writes into the store: here while something is mended.

    `sources` are stores that have the same generations: what they give is held against the digests that stand here. So the record of a
    generation, which has its manifest's digest, is what all else is believed by.
    """

    pulling: Pulling
    sources: Sequence[Rsynced]
    mend: bool
    alone: AbstractContextManager[Any]
    _at: int = field(default=0, init=False)
    _files: int = field(default=0, init=False)
    _size: int = field(default=0, init=False)
    _of: tuple[int, int] = field(default=(0, 0), init=False)
    _damaged: int = field(default=0, init=False)
    _mended: int = field(default=0, init=False)
    _left: int = field(default=0, init=False)
    _first: list[dict[str, Any]] = field(default_factory=list, init=False)
    _failed: str = field(default="", init=False)
    _read: tuple[int, frozenset[bytes]] | None = field(default=None, init=False)
    _stopped: bool = field(default=False, init=False)

    def run(self) -> None:
        """The newest first. What goes meanwhile, as newer ones come, is left out. Raises nothing of lbkit's own."""
        try:
            all_of_them = self.pulling.store.generations()[::-1]
            self._of = sum(each.files for each in all_of_them), sum(each.size for each in all_of_them)
            # manifests first: mending a file looks for it in all of them
            for each in [each for each in all_of_them if self._manifest(each)]:
                self._at = each.serial
                self._tree(each.serial)
        except Stopped:
            return
        except LbkitError as error:
            self._failed = str(error)

    def stop(self) -> None:
        self._stopped = True

    def as_data(self) -> dict[str, Any]:
        return {
            "serial": self._at,
            "files": self._files,
            "of_files": self._of[0],
            "size": self._size,
            "of_size": self._of[1],
            "damaged": self._damaged,
            "mended": self._mended,
            "left": self._left,
            "first": [*self._first],
            "failed": self._failed,
        }

    def _manifest(self, generation: Generation) -> bool:
        """Whether it is what its digest says, now."""
        store = self.pulling.store
        try:
            if hashed(os.fsencode(store.manifest(generation.serial)))[1] == generation.digest:
                return True
        except OSError:  # as one that is another
            pass
        if self._gone(generation.serial):
            return False
        self._found(generation.serial, [Damage(b"(its manifest)", "damaged", None)])
        if self.mend:
            with self.alone:
                try:
                    self.pulling.remanifest(generation, self.sources)
                except LbkitError as error:
                    self._failed = str(error)
                else:
                    self._mended += 1
                    return True
        self._left += 1
        return False

    def _tree(self, serial: int) -> None:
        store = self.pulling.store
        found: list[Damage] = []
        try:
            lines = self._counted(store.lines(serial))
            known: Known = nothing_known
            if self._read is not None:  # most of it is one with the newer one's: that was read just now
                newer, bad = self._read
                known = as_in(store.tree(newer), store.lines(newer), bad)
            for each in damages(
                store.tree(serial), lines, without=frozenset({os.fsencode(TRACE)}), known=known
            ):
                found.append(each)  # noqa: PERF402 - what was found until it could not be read on counts
            self._read = serial, frozenset(each.line for each in found if each.line is not None)
        except Stopped:
            raise
        except LbkitError as error:
            if self._gone(serial):
                return
            self._failed = str(error)
            self._left += 1
        if not found or self._gone(serial):
            return
        self._found(serial, found)
        left = len(found)
        if self.mend:
            with self.alone:
                if self._gone(serial):
                    return
                try:
                    self.pulling.mend(serial, found, self.sources)
                except LbkitError as error:
                    self._failed = str(error)
                left = sum(not self._whole(serial, each) for each in found)
            self._mended += len(found) - left
        self._left += left

    def _counted(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        for line in lines:
            if self._stopped:
                raise Stopped("all was to be read", found="it is not wanted any more")
            yield line
            fields = line.split(b"\t")
            if fields[1] == b"f":
                self._files += 1
                self._size += int(fields[4])

    def _whole(self, serial: int, damage: Damage) -> bool:
        tree = self.pulling.store.tree(serial)
        if damage.line is None:
            return not os.path.lexists(os.path.join(os.fsencode(tree), damage.path))
        return stands(tree, damage.line)

    def _gone(self, serial: int) -> bool:
        return self.pulling.store.find(serial) is None

    def _found(self, serial: int, found: Sequence[Damage]) -> None:
        self._damaged += len(found)
        for each in found[: FIRST - len(self._first)]:
            path = each.path.decode(errors="backslashreplace")
            self._first.append({"serial": serial, "path": path, "fault": each.fault})
