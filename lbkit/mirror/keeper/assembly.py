"""What makes up a keeper, put together: its turns, what a person may ask of it, and how it begins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from lbkit.base.clock import Clock
from lbkit.base.errors import Bug, LbkitError
from lbkit.mirror.keeper.adopting import Adopting
from lbkit.mirror.keeper.checking import Checking
from lbkit.mirror.keeper.desk import Desk
from lbkit.mirror.keeper.fleet import Fleet, Voice
from lbkit.mirror.keeper.hold import Hold
from lbkit.mirror.keeper.progress import Progress
from lbkit.mirror.keeper.rolling import Rolling
from lbkit.mirror.keeper.schedule import Schedule
from lbkit.mirror.keeper.standing import Standing
from lbkit.mirror.keeper.turns import Asked, Turns
from lbkit.mirror.node.pulling import Pulling
from lbkit.mirror.program import lasting
from lbkit.mirror.sync.ready import make_ready
from lbkit.mirror.sync.runs import Run
from lbkit.mirror.sync.syncing import Syncing
from lbkit.mirror.sync.upstream import Rsynced
from lbkit.mirror.tree import serial as serials
from lbkit.mirror.tree.store import Store

_ANSWERED_WITHIN = (
    10.0  # seconds for all nodes to say what they have, to a keeper that does not know what is committed
)
_AGAIN = 0.2  # seconds until those that did not are asked again

HOLD = "held"
"""The file, in the folder of the runs, that says what holds them."""


@dataclass(slots=True)
class Keeper:
    """`ran` is told after each run. `call` opens a conversation with a node. `sources` are the nodes' stores. `theirs` is the store of the node on this machine, of one that
    may have become the master; None: there is none.
    """

    syncing: Syncing
    fleet: Fleet
    schedule: Schedule | None
    clock: Clock
    say: Callable[[str], None]
    ran: Callable[[], None]
    call: Callable[[str], Voice]
    sources: dict[str, Rsynced]
    theirs: Store | None
    turns: Turns = field(init=False)
    desk: Desk = field(init=False)
    _adopting: Adopting | None = field(default=None, init=False)
    _alarms: tuple[str, ...] = field(default=(), init=False)

    def __post_init__(self) -> None:
        project, store, runs = self.syncing.project, self.syncing.store, self.syncing.runs
        progress = self.syncing.watch = Progress(self.clock)
        self.syncing.known = self.known
        hold = Hold(runs.folder / HOLD)
        self.turns = Turns(
            project.name,
            runs,
            self._run,
            self.schedule,
            self.clock,
            self.say,
            lambda: hold.is_held,
            self.ran,
            self._tidy_up,
        )
        pulling = Pulling(project.name, store, project.keep, watch=progress)
        others = [*self.sources.values()]
        if self.theirs is not None:
            self._adopting = Adopting(pulling, self.theirs, runs, self.clock, self.known, others)
        self.desk = Desk(
            Standing(project.name, project.keep, runs, self.turns, self.fleet, hold, progress, self.clock),
            self.syncing,
            self.turns,
            runs,
            hold,
            Rolling(pulling, runs, self.clock, hold, self.known, others),
            Checking(pulling, self.turns.alone, self.fleet, self.call, self.sources, self.clock),
            self.clock,
        )

    def known(self) -> int:
        """The highest serial that anybody is known to have, or to have had."""
        made = next((run.after for run in self.syncing.runs.all() if run.after), serials.NONE)
        return serials.highest([self.fleet.highest(), made])

    def begin(self, done: threading.Event) -> None:
        """Runs may be from here on: after the nodes have said what they have, or did not for a while, where this disk does not know it."""
        promoted = self._adopting is not None and self._adopting.wanted()
        if promoted:
            self.fleet.forget()
        deadline = self.clock.monotonic() + _ANSWERED_WITHIN
        while self.fleet.committed is None and not self.fleet.hear():
            if self.clock.monotonic() >= deadline or done.wait(_AGAIN):
                break
        self.turn()
        if promoted and self._adopting is not None:
            # before what a person asked for meanwhile: a sync would get all of it from upstream again
            self.turns.ask(Asked("promotion", self._adopting.adopt), first=True)
        lasting(self.turns.run, "lbkit-turns")

    def turn(self) -> None:
        """To be called every second."""
        before, committed = self.fleet.taken_over, self.fleet.committed
        try:
            self.fleet.turn()
            self.desk.standing.uncommitted = ""
        except Bug:
            raise
        except (
            LbkitError
        ) as error:  # what is committed could not be written, or the store not be read: a disk
            if str(error) != self.desk.standing.uncommitted:
                self.say(str(error))
            self.desk.standing.uncommitted = str(error)
        if self.fleet.committed != committed:
            self.turns.wake()
        if self.fleet.taken_over != before:
            note = f"nodes serve {self.fleet.taken_over}, of which this disk knew nothing: it counts as committed, and later serials come after it"
            self.desk.standing.notes.append(note)
            self.say(note)
        if self.fleet.alarms != self._alarms:
            self._alarms = self.fleet.alarms
            self.say(f"alarm: {'; '.join(self._alarms)}" if self._alarms else "the alarm is over")

    def _tidy_up(self) -> None:
        """Once the newest generation serves, the one that leaves is made ready for the next run."""
        store = self.syncing.store
        newest = next(reversed(store.generations()), None)
        if newest is not None and store.serving() == newest.serial:
            store.prune(self.syncing.project.keep)
            make_ready(store)

    def _run(self, cause: str) -> Run:
        """What was pushed is had by a sync alone: where there is something to take over, that comes before it."""
        if self._adopting is not None and self._adopting.wanted():
            run = self._adopting.adopt()
            if run.came != "made":
                return run
        return self.syncing.sync(cause)
