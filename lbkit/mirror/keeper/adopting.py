"""A new master takes over what the node on its machine has: as a generation of its own, by links, and under a serial that nobody has used."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from lbkit.base.clock import Clock
from lbkit.base.errors import LbkitError
from lbkit.mirror.keeper.rolling import folder_of
from lbkit.mirror.node.pulling import Pulling
from lbkit.mirror.sync.project import TRACE
from lbkit.mirror.sync.runs import Run, Runs
from lbkit.mirror.sync.upstream import Rsynced
from lbkit.mirror.tree import serial as serials
from lbkit.mirror.tree.build import Source
from lbkit.mirror.tree.generation import Generation
from lbkit.mirror.tree.scan import hashed
from lbkit.mirror.tree.store import Store
from lbkit.mirror.tree.verify import damages


@dataclass(slots=True)
class Adopting:
    """`pulling` writes this master's store, `theirs` is the node's, of which nothing is changed. `known` is the highest serial that anybody
    is known to have. `sources` are stores of other nodes, for what is damaged in theirs.
    """

    pulling: Pulling
    theirs: Store
    runs: Runs
    clock: Clock
    known: Callable[[], int]
    sources: Sequence[Rsynced]

    def wanted(self) -> bool:
        """Whether theirs is newer than all that this master has: so another one made it."""
        mine, theirs = _newest(self.pulling.store), _newest(self.theirs)
        return theirs is not None and (mine is None or serials.newer(theirs.serial, mine.serial))

    def adopt(self) -> Run:
        """The newest of theirs that is whole, or is made so from the other nodes. What came of it is in the run."""
        mine = _newest(self.pulling.store)
        before = mine.serial if mine else serials.NONE
        run = self.runs.begin("promotion", before)
        passed: list[str] = []
        try:
            standing = self.theirs.generations()
            highest = serials.highest(
                [self.known(), self.theirs.serving(), *(each.serial for each in standing)]
            )
            for each in reversed(standing):
                if not serials.newer(each.serial, before):
                    break
                wanted = replace(
                    each,
                    serial=serials.minted(before, highest),
                    made=self.clock.now().timestamp(),
                    parent=each.serial,
                    run=run.id,
                )
                try:
                    self._take(each, wanted)
                except LbkitError as error:
                    passed.append(f"{each.serial} could not be had whole: {error.found or error.wanted}")
                    continue
                return self.runs.end(
                    run,
                    "made",
                    _words(each.serial, wanted.serial, highest, passed),
                    added=wanted.files,
                    digest=wanted.digest,
                    after=wanted.serial,
                )
        except (LbkitError, OSError) as error:
            passed.append(str(error))
        return self.runs.end(run, "failed", "; ".join(passed) or "the node has no generation that is newer")

    def _take(self, each: Generation, wanted: Generation) -> None:
        """Every byte is held against its digest; what is not as it should be is got elsewhere."""
        lender = Source(self.theirs.tree(each.serial), lambda: self.theirs.lines(each.serial))
        if _is(self.theirs, each):
            self.pulling.watch.phase("verify", each.files, each.size)
            bad = {
                found.line
                for found in damages(
                    lender.root, self._told(lender.lines()), without=frozenset({os.fsencode(TRACE)})
                )
            }
            lenders = [Source(lender.root, lambda: (line for line in lender.lines() if line not in bad))]
        else:
            lenders = []  # by a manifest that is another nothing can be believed
        self.pulling.prepare(wanted, [folder_of(self.theirs), *self.sources], of=each.serial, lenders=lenders)

    def _told(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        for line in lines:
            fields = line.split(b"\t")
            if fields[1] == b"f":
                self.pulling.watch.came(int(fields[4]))
            yield line


def _is(store: Store, generation: Generation) -> bool:
    try:
        return hashed(os.fsencode(store.manifest(generation.serial)))[1] == generation.digest
    except OSError:
        return False


def _newest(store: Store) -> Generation | None:
    return next(reversed(store.generations()), None)


def _words(old: int, new: int, highest: int, passed: Sequence[str]) -> str:
    words = [f"generation {old} of the node on this machine, every byte of it checked, is {new} here"]
    if serials.newer(highest, old):
        words.append(f"serials up to {highest} are known: what changed after {old} comes again from upstream")
    return "; ".join([*words, *passed])
