"""What the keeper's control is asked, and who answers it (control.py says what each request has, and what it gets)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lbkit.base.clock import Clock
from lbkit.base.errors import Failure, LbkitError, Mistake
from lbkit.mirror.keeper import planned
from lbkit.mirror.keeper.checking import EVERY, Checking
from lbkit.mirror.keeper.control import Request, Say
from lbkit.mirror.keeper.hold import Hold
from lbkit.mirror.keeper.rolling import Rolling
from lbkit.mirror.keeper.standing import Standing
from lbkit.mirror.keeper.turns import Asked, Turns
from lbkit.mirror.sync.changes import Changes
from lbkit.mirror.sync.runs import KEPT, Run, Runs
from lbkit.mirror.sync.syncing import Syncing
from lbkit.mirror.talk.lines import Message
from lbkit.mirror.tree.build import none

_MOST_PATHS = 10_000
_LONGEST_WAIT = 86_400.0  # seconds
_FLIPPED_WITHIN = 2.0  # seconds


@dataclass(slots=True)
class Desk:
    standing: Standing
    syncing: Syncing
    turns: Turns
    runs: Runs
    hold: Hold
    rolling: Rolling
    checking: Checking
    clock: Clock

    def requests(self) -> Mapping[str, Request]:
        return {
            "status": lambda _message, _say: self.standing.status(),
            "plan": self._plan,
            "sync": self._sync,
            "push": lambda _message, _say: {"wanted": self.turns.push()},
            "log": self._log,
            "run": self._run,
            "verify": self._verify,
            "rollback": self._rollback,
            "release": self._release,
        }

    def _plan(self, message: Message, say: Say) -> Message:
        most = int(_number(message, "most", 100, _MOST_PATHS))
        if not self.turns.alone.acquire(blocking=False):
            running = self.turns.running
            raise Failure(
                "what a sync would do was to be told",
                found=f"a run is under way, by {running[0]}" if running else "something else is under way",
                remedy="ask again when it has ended: `status` says how far it is",
            )
        came = _Work(self.syncing.plan, self.turns.alone)
        while not came.done.wait(EVERY):
            say({"progress": self.standing.progress.as_data()})
        changes = came.result()
        newest = next(reversed(self.syncing.store.generations()), None)
        serial = newest.serial if newest else 0
        lines = (lambda: self.syncing.store.lines(serial)) if newest else none
        objections = self.syncing.project.guard.objections(changes)
        return {"against": serial, **planned.told(changes, lines, objections, most)}

    def _sync(self, message: Message, say: Say) -> Message:
        anyway = _truth(message, "anyway")
        wait = _number(message, "wait", 0.0, _LONGEST_WAIT)

        def work() -> Run:
            self.hold.release()
            return self.syncing.sync("person", anyway=anyway)

        return self._follow(Asked("person", work, all_pushed=True), wait, say)

    def _rollback(self, message: Message, say: Say) -> Message:
        serial = message.get("serial")
        if serial is not None and (not isinstance(serial, int) or isinstance(serial, bool)):
            raise Mistake("a serial was to be named", found=repr(serial)[:100])
        wait = _number(message, "wait", 0.0, _LONGEST_WAIT)
        to = self.rolling.target(serial, self.standing.fleet.committed)
        held = self.rolling.held(to)  # before its turn comes: what is pushed until then waits, too
        last = self._follow(Asked("rollback", lambda: self.rolling.back(to)), wait, say)
        return {**last, "held": held.as_data()}

    def _release(self, _message: Message, _say: Say) -> Message:
        held = self.hold.release()
        self.turns.wake()
        return {"held": None if held is None else held.as_data()}

    def _follow(self, asked: Asked, wait: float, say: Say) -> Message:
        """Tell how far it is until it has ended, and then, for so long, until it is committed."""
        self.turns.ask(asked)
        while not asked.done.is_set():
            running = self.standing.running()
            if asked.begun:
                say({"progress": self.standing.progress.as_data()})
            else:
                say({"waiting": None if running is None else running["run"]})
            asked.done.wait(EVERY)
        run = asked.came()
        say({"run": run.as_data()})
        newest = next(reversed(self.syncing.store.generations()), None)
        if newest is None:
            return {"run": run.as_data(), "serial": 0, "committed": False, "have": [], "serving": []}
        deadline = self.clock.monotonic() + wait
        pause = threading.Event()
        while True:
            where = self.standing.where(newest.serial, newest.digest)
            left = deadline - self.clock.monotonic()
            if where["committed"]:  # those that have it flip to it at once: in the next moment they say so
                deadline = min(deadline, self.clock.monotonic() + _FLIPPED_WITHIN)
            if (where["committed"] and {*where["have"]} <= {*where["serving"]}) or left <= 0:
                return {"run": run.as_data(), **where}
            say({"committing": where})
            pause.wait(min(EVERY, left))

    def _log(self, message: Message, _say: Say) -> Message:
        last = int(_number(message, "last", 20, KEPT))
        found: list[Message] = []
        for run in self.runs.all():
            if len(found) >= last:
                break
            found.append(run.as_data())
        return {"runs": found}

    def _run(self, message: Message, _say: Say) -> Message:
        name = str(message.get("run"))
        run = self.runs.find(name)
        if run is None:
            raise Mistake("a run was to be named", found=repr(name)[:100], remedy="`log` names them")
        return {"run": run.as_data(), "words": self.runs.log(name)}

    def _verify(self, message: Message, say: Say) -> Message:
        only = message.get("only")
        if only is not None and not (isinstance(only, list) and all(isinstance(each, str) for each in only)):
            raise Mistake("nodes were to be named", found=repr(only)[:100])
        return self.checking.verify(only, say, mend=_truth(message, "mend"))


class _Work:
    """In a thread of its own, that lets go of what it holds when it has ended, whoever listens still."""

    def __init__(self, work: Callable[[], Changes], held: threading.Lock) -> None:
        self.done = threading.Event()
        self._held = held
        self._work = work
        self._came: Changes | None = None
        self._error: LbkitError | OSError | None = None
        threading.Thread(target=self._do, name="lbkit-plan", daemon=True).start()

    def result(self) -> Changes:
        if self._came is None:
            raise self._error or Failure("what a sync would do was to be told", found="the look at it ended")
        return self._came

    def _do(self) -> None:
        try:
            self._came = self._work()
        except (LbkitError, OSError) as error:
            self._error = error
        finally:
            self._held.release()
            self.done.set()


def _truth(message: Message, name: str) -> bool:
    found: Any = message.get(name, False)
    if not isinstance(found, bool):
        raise Mistake(f"`{name}` was to be true or false", found=repr(found)[:100])
    return found


def _number(message: Message, name: str, default: float, most: float) -> float:
    """From 0 on; more than `most` is that."""
    found: Any = message.get(name, default)
    if isinstance(found, bool) or not isinstance(found, int | float) or not found >= 0:
        raise Mistake(f"`{name}` was to be a number from 0 on", found=repr(found)[:100])
    return min(found, most)
