"""The loop: look, decide, carry out; wait until the next look or until something says that it is worth one."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from lbkit import operate
from lbkit.base.errors import Bug, Failure, LbkitError
from lbkit.base.host import Host
from lbkit.base.lock import Locked
from lbkit.engine.agreed import Agreed, AgreedOtherwise, Keeper
from lbkit.engine.applying import ApplyFailed, Event, NotAsDeclared, PlanChanged
from lbkit.engine.events import Bell
from lbkit.engine.journal import read_journal
from lbkit.engine.plan import Plan
from lbkit.engine.scope import Scope
from lbkit.watch import decision, words
from lbkit.watch.alarms import Alarms
from lbkit.watch.decision import Exhausted, Now, Pause, Tried
from lbkit.watch.hearing import Hearing
from lbkit.watch.kept import Kept
from lbkit.watch.share import share_of
from lbkit.watch.telling import Said, Tellings, fingerprint, in_words

BY = "watch"
_GAP = 1.0  # seconds at least between two looks: a storm of events is one
_ROUNDS = 5  # looks of `once`, where the world overtakes a plan


class Looked(IntEnum):
    """What one look came to; also the exit code of `once`."""

    WELL = 0
    FAILED = 1
    LEFT = 2  # there is something to do that is not this one's to do, or not now
    OVERTAKEN = -1  # the world moved meanwhile: look again


class Stopped(Failure):
    """The watcher was to end: nothing more was begun."""


@dataclass(frozen=True, slots=True)
class Terms:
    """`interval` in seconds; `budget`: changes in an hour; `only`: patterns of KIND or KIND/NAME, none for all."""

    interval: float = 10.0
    budget: int = 20
    only: tuple[str, ...] = ()


class Keeping:
    """Keeps the topology of `file` as a person applied it. `say` may be called by several threads at once.

    `stop` and `reread` may be called by a signal's handler. `chance` gives 0 to 1.
    """

    def __init__(
        self,
        file: Path,
        terms: Terms,
        host: Host,
        say: Callable[[Said], None],
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._terms = terms
        self._host = host
        self._say = say
        self._chance = chance
        self._bell = Bell()
        self._stopping = threading.Event()
        self._retiring = False
        self._heard: list[str] = []
        self._tellings = Tellings()
        self._alarms = Alarms(self._tellings, say)
        self._tried: Tried | None = None
        self._spent: list[float] | None = None
        self._announced: Said | None = None
        self._listens_to: Scope | None = None
        self._lock = threading.Lock()
        self._kept = Kept(file, host, say=say, tell=self._tell)

    @property
    def scope(self) -> Scope:
        return self._kept.scope

    def close(self) -> None:
        self._bell.close()

    def stop(self) -> None:
        """End, but for the step under way."""
        self._stopping.set()
        self._bell.ring("")

    def retire(self) -> None:
        """End after what is under way."""
        self._retiring = True
        self._bell.ring("")

    def reread(self) -> None:
        """Read the file again and look now; whatever was told or paused is begun anew."""
        self._kept.doubted = True
        self._bell.ring("asked to look")

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def once(self) -> Looked:
        looked = Looked.OVERTAKEN
        for _ in range(_ROUNDS):
            looked = self.look()
            if looked is not Looked.OVERTAKEN or self.stopping:
                break
        return Looked.LEFT if looked is Looked.OVERTAKEN else looked

    def run(self) -> None:
        """Until `stop`."""
        with Hearing(self._bell) as hearing:
            while not self.stopping and not self._retiring:
                self._listen(hearing)
                looked = self.look()
                self._wait(hearing, _GAP if looked is Looked.OVERTAKEN else self._terms.interval)

    def look(self) -> Looked:
        """Once: read anew where that is asked for, look, and carry out what may be."""
        if self._kept.doubted:
            self._tellings.forget()
            self._tried = None
        before = self.scope
        try:
            agreed = self._kept.agreed()
            if agreed is None:
                return Looked.LEFT
            self._tellings.over("kept")
            if self.scope is not before:
                self._tried = None
            looked = self._repair(agreed)
            self._alarms.hear(operate.alarms(self.scope, self._host), self._now().ticks)
        except (PlanChanged, AgreedOtherwise):
            return Looked.OVERTAKEN
        except Locked as error:
            self._tell(
                "busy", "", Said("waiting", f"an apply is under way, which goes first: {error.holder}")
            )
            return Looked.LEFT
        except LbkitError as error:
            if self.stopping:
                return Looked.LEFT
            said = Said("failed", f"could not look: {in_words(error)}", {"error": error.as_data()})
            self._tell("look", fingerprint(error), said)
            return Looked.FAILED
        self._tellings.over("busy")
        if self._tellings.over("look"):
            self._say(Said("well", "could look again"))
        return looked

    def _repair(self, agreed: Agreed) -> Looked:
        whole = operate.plan(self.scope, self._host)
        keeper = Keeper(
            BY,
            agreed.digest,  # the scope's too
            lambda plan: share_of(plan, only=self._terms.only, deletes=not agreed.ended),
        )
        share = keeper.share(whole)
        left = len(whole.changes) > len(share.changes)
        if left:
            self._tell("left", _same(decision.work(whole) - decision.work(share)), words.left(whole, share))
        else:
            self._tellings.over("left")
        if not share:
            self._tried = None
            if not left and not agreed.ended:
                # nothing is done: it is written down that what was agreed to is so
                operate.apply(self.scope, self._host, promised=share, keeper=keeper)
            if self._tellings.over("apply", "budget"):
                self._say(Said("well", "nothing is left to do" if left else "stands as declared again"))
            return Looked.LEFT if left else Looked.WELL
        return max(self._decide(share, keeper), Looked.LEFT if left else Looked.WELL, key=_graver)

    def _decide(self, share: Plan, keeper: Keeper) -> Looked:
        decided = decision.decide(
            share, budget=self._terms.budget, spent=self._spending(), tried=self._tried, now=self._now()
        )
        match decided:
            case Pause():
                return Looked.FAILED
            case Exhausted(left, until):
                what = _same(decision.work(share))
                self._tell(
                    "budget", f"{until}: {what}", words.exhausted(share, self._terms.budget, left, until)
                )
                return Looked.LEFT
        return self._carry_out(share, keeper)

    def _carry_out(self, share: Plan, keeper: Keeper) -> Looked:
        if self.stopping:
            return Looked.LEFT
        if self._tried is None or not decision.work(share) <= self._tried.left:
            self._announced = words.begun(share, self._heard)  # said when it begins: others may be first
        try:
            operate.apply(self.scope, self._host, promised=share, keeper=keeper, watch=self._goes_on)
        except (PlanChanged, AgreedOtherwise, Locked):
            raise
        except LbkitError as error:
            return self._failed(share, error)
        self._tried = None
        self._tellings.over("apply", "budget")
        self._say(
            Said("done", f"stands as declared: {len(share.changes)} done", {"done": len(share.changes)})
        )
        return Looked.WELL

    def _failed(self, share: Plan, error: LbkitError) -> Looked:
        if self.stopping:
            self._say(Said("stopped", "stopped on the way: what was done stays, the next one goes on"))
            return Looked.LEFT
        cause = error.cause if isinstance(error, ApplyFailed) else error
        if isinstance(error, NotAsDeclared):
            share = error.left
        print_of = fingerprint(cause)
        now = self._now()
        self._tried = decision.failed(print_of, share, self._tried, ticks=now.ticks, chance=self._chance())
        bug = "a bug of lbkit: " if isinstance(cause, Bug) else ""
        pause = round(self._tried.again - now.ticks)
        said = Said(
            "failed",
            f"{bug}{in_words(error)}; tried again in {pause} s and then ever more seldom",
            {"error": error.as_data(), "times": self._tried.times, "pause": pause},
        )
        self._tell("apply", print_of, said)
        return Looked.FAILED

    def _goes_on(self, event: Event) -> None:
        """Told by the apply, by several threads."""
        if event.kind == "begin":
            with self._lock:
                self._spending().append(self._now().wall)
                announced, self._announced = self._announced, None
                if announced:
                    self._say(announced)
                    self._heard = []
        if event.kind in {"begin", "step"} and self.stopping:
            raise Stopped("the watcher was to end", found="a signal", remedy="the next apply goes on")
        if event.kind == "done":
            self._say(words.done(event))

    def _spending(self) -> list[float]:
        """When each change was begun, by earlier watchers too."""
        if self._spent is None:
            journal = self._host.folder(self.scope.name) / "journal.jsonl"
            self._spent = decision.spent_of(read_journal(journal), BY)
        self._spent[:] = decision.counting(self._spent, self._now().wall)
        return self._spent

    def _listen(self, hearing: Hearing) -> None:
        if self._listens_to is not self.scope:
            hearing.drop()
            self._listens_to = self.scope
        failed = hearing.listen(operate.events(self.scope, self._host))
        for name, error in failed.items():
            said = f"looks every {self._terms.interval:g} s only, for {name} tells nothing: {in_words(error)}"
            self._tell(f"events {name}", fingerprint(error), Said("deaf", said))

    def _wait(self, hearing: Hearing, seconds: float) -> None:
        """Until the next look is due: after `seconds`, a pause's end, or something heard; but `_GAP` at least."""
        ticks = self._host.clock.monotonic
        began = ticks()
        due = began + seconds
        if self._tried is not None and self._tried.again > began:
            due = min(due, self._tried.again)
        heard: list[str] = []
        while not self.stopping and not self._retiring:
            left = (began + _GAP if heard else max(due, began + _GAP)) - ticks()
            if left <= 0:
                break
            heard += hearing.wait(left)
            if self._kept.doubted:
                break
        self._heard = [*dict.fromkeys([*self._heard, *filter(None, heard)])][-_REMEMBERED:]

    def _tell(self, topic: str, what: str, said: Said) -> None:
        if self._tellings.due(topic, what, self._now().ticks):
            self._say(said)

    def _now(self) -> Now:
        clock = self._host.clock
        return Now(clock.now().timestamp(), clock.monotonic())


_REMEMBERED = 5  # of what was heard, for the line that tells what came of it


def _same(work: frozenset[str]) -> str:
    """Their reasons may differ from look to look."""
    return ", ".join(sorted(work))


def _graver(looked: Looked) -> int:
    return (Looked.WELL, Looked.LEFT, Looked.FAILED).index(looked)
