"""Back to what was: the tree of an older generation becomes the newest one, under a new serial, and runs are held until a person says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from lbkit.base.clock import Clock
from lbkit.base.errors import LbkitError
from lbkit.mirror.keeper.going_back import target
from lbkit.mirror.keeper.hold import Held, Hold
from lbkit.mirror.node.pulling import Pulling
from lbkit.mirror.sync.runs import Run, Runs
from lbkit.mirror.sync.upstream import Folder, Rsynced
from lbkit.mirror.tree import serial as serials
from lbkit.mirror.tree.generation import Generation
from lbkit.mirror.tree.manifest import changes
from lbkit.mirror.tree.store import Store


def folder_of(store: Store) -> Folder:
    """As rsync is told of it."""
    return Folder(str(store.root.resolve()).lstrip("/"))


@dataclass(slots=True)
class Rolling:
    """`known` is the highest serial that anybody is known to have; `sources` are other stores, for what is damaged here."""

    pulling: Pulling
    runs: Runs
    clock: Clock
    hold: Hold
    known: Callable[[], int] = lambda: serials.NONE
    sources: Sequence[Rsynced] = field(default_factory=list)

    def target(self, serial: int | None, committed: tuple[int, str] | None) -> Generation:
        """See `going_back`. Raises Mistake."""
        return target(self.pulling.store.generations(), self.hold.found(), serial, committed)

    def held(self, to: Generation) -> Held:
        """From here on no run begins that nobody asks for."""
        held = Held("rollback", to.serial, to.digest, self.clock.now().timestamp())
        self.hold.hold(held)
        return held

    def back(self, to: Generation) -> Run:
        """Make it the newest: whole, or what stood before does alone. What came of it is in the run."""
        store = self.pulling.store
        newest = next(reversed(store.generations()), None)
        before = newest.serial if newest else serials.NONE
        run = self.runs.begin("rollback", before)
        if newest is not None and newest.digest == to.digest:
            return self.runs.end(run, "nothing", f"{before} is as {to.serial} was")
        wanted = replace(
            to,
            serial=serials.minted(before, self.known()),
            made=self.clock.now().timestamp(),
            parent=before,
            run=run.id,
        )
        try:
            self.pulling.prepare(
                wanted,
                [folder_of(store), *self.sources],
                of=to.serial,
                lenders=[store.source(to.serial)],
            )
            added, changed, deleted = _counted(store, before, wanted.serial)
        except (LbkitError, OSError) as error:
            return self.runs.end(run, "failed", str(error))
        return self.runs.end(
            run,
            "made",
            f"as generation {to.serial} was",
            added=added,
            changed=changed,
            deleted=deleted,
            digest=wanted.digest,
            after=wanted.serial,
        )


def _counted(store: Store, before: int, after: int) -> tuple[int, int, int]:
    """Files and links that are new, otherwise, and gone."""
    added = changed = deleted = 0
    for have, want in changes(store.lines(before) if before else (), store.lines(after)):
        if any(line is not None and line.endswith(b"\td\n") for line in (have, want)):
            continue
        added += have is None
        deleted += want is None
        changed += have is not None and want is not None
    return added, changed, deleted
