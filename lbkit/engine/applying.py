"""Carry out a Plan as it stands: wave by wave, journalled, read back, stopped at the first failure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from lbkit.base.errors import Bug, Failure, LbkitError
from lbkit.base.host import Host
from lbkit.engine.book import IPAddress
from lbkit.engine.change import Change
from lbkit.engine.journal import Journal
from lbkit.engine.plan import Plan
from lbkit.engine.proof import Proof
from lbkit.engine.resource import Key
from lbkit.engine.room import Done, Room
from lbkit.engine.scope import Scope

Kind = Literal["begin", "step", "carried", "done"]  # carried out, and then read back: done


@dataclass(frozen=True, slots=True)
class Event:
    """`seconds` since the apply began. `detail` of a step: what is executed next. `of`: how many changes the plan has."""

    kind: Kind
    change: Change
    seconds: float
    detail: str = ""
    of: int = 0


Watcher = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Result:
    """What an apply came to. `done` and `not_done` together are the plan's changes. `proof`: where one was wanted.

    `notes`: what rooms told on the way that a person should know, though nothing failed.
    """

    plan: Plan
    done: tuple[Change, ...]
    not_done: tuple[Change, ...]
    seconds: float
    proof: Proof | None = None
    notes: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        return {
            "plan": self.plan.as_data(),
            "done": [str(change) for change in self.done],
            "not_done": [str(change) for change in self.not_done],
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
            **self.proof_as_data(),
        }

    def proof_as_data(self) -> dict[str, Any]:
        return {} if self.proof is None else {"proof": self.proof.as_data()}


class ApplyFailed(Failure):
    """An apply stopped at `cause`; `result` says what was done before and what was left."""

    def __init__(self, result: Result, cause: LbkitError, during: Sequence[Change]) -> None:
        self.result = result
        self.cause = cause
        self.during = tuple(during)
        what = ", ".join(str(change) for change in during[:5]) + (", …" if len(during) > 5 else "")
        done, left = len(result.done), len(result.not_done)
        super().__init__(
            f"{what}: {cause.wanted}" if what else cause.wanted,
            found=cause.found,
            where=cause.where,
            remedy=f"{cause.remedy or 'mend the cause'}; {done} of {done + left} changes are done and stay, "
            f"{left} were not: apply again to go on",
        )

    def as_data(self) -> dict[str, Any]:
        return {
            **super().as_data(),
            "cause": self.cause.as_data(),
            "during": [str(change) for change in self.during],
            "done": [str(change) for change in self.result.done],
            "not_done": [str(change) for change in self.result.not_done],
            "notes": list(self.result.notes),
            **self.result.proof_as_data(),
        }


class Several(Failure):
    """More than one thing went wrong before an apply stopped: changes of one wave run side by side."""

    def __init__(self, errors: Sequence[LbkitError]) -> None:
        first, *others = errors
        self.errors = (first, *others)
        lines = [first.found]
        for other in others[:5]:
            head = f"{other.where}: {other.wanted}" if other.where else other.wanted
            lines.append(f"and {head}: {other.found}" if other.found else f"and {head}")
        if len(others) > 5:
            lines.append(f"and {len(others) - 5} more errors")
        super().__init__(
            first.wanted, found="\n    ".join(filter(None, lines)), where=first.where, remedy=first.remedy
        )

    def as_data(self) -> dict[str, Any]:
        return {**super().as_data(), "errors": [error.as_data() for error in self.errors]}


def together(errors: Sequence[LbkitError]) -> LbkitError:
    """One error that tells of all of them, at least one; the first decides what is to be done first."""
    each = [
        single for error in errors for single in (error.errors if isinstance(error, Several) else (error,))
    ]
    return each[0] if len(each) == 1 else Several(each)


class PlanChanged(Failure):
    """Between the plan that a person agreed to and the apply, the world moved. Nothing was touched."""

    def __init__(self, promised: Plan, now: Plan) -> None:
        self.promised = promised
        self.now = now
        before, after = ({str(change) for change in plan.changes} for plan in (promised, now))
        differing = sorted(after ^ before) or ["the same changes, for other reasons or from another state"]
        super().__init__(
            "the plan that was agreed to was to be carried out",
            found="the world has changed since; now it differs by: " + ", ".join(differing[:5]),
            remedy="look at the new plan and agree to that",
        )

    def as_data(self) -> dict[str, Any]:
        return {**super().as_data(), "plan": self.now.as_data()}


class NotAsPlanned(Failure):
    """A change was carried out, but read back the world is not as wanted."""

    def __init__(self, change: Change, why: str) -> None:
        self.change = change
        super().__init__(
            f"after `{change}` the world was to be as planned",
            found=why,
            remedy="something else changes it, or a driver is wrong: apply again, then report it",
        )


class NotAsDeclared(Failure):
    """Every change was carried out and read back, and yet there is something to do: one undid another, or the world did."""

    def __init__(self, result: Result, left: Plan) -> None:
        self.result = result
        self.left = left
        said = [f"{change} ({change.reason})" for change in left.changes]
        more = f", and {len(said) - 5} more" if len(said) > 5 else ""
        super().__init__(
            f"after {len(result.done)} changes the world was to be as declared",
            found="there is more to do: " + ", ".join(said[:5]) + more,
            remedy="apply again; where it stays so, `lbkit explain` tells of each",
        )

    def as_data(self) -> dict[str, Any]:
        return {
            **super().as_data(),
            "done": [str(change) for change in self.result.done],
            "not_done": [str(change) for change in self.left.changes],
            "notes": list(self.result.notes),
            "plan": self.left.as_data(),
            **self.result.proof_as_data(),
        }


def carry_out(
    plan: Plan,
    rooms: Sequence[Room[Any]],
    scope: Scope,
    host: Host,
    *,
    journal: Journal,
    watch: Watcher = lambda _event: None,
) -> Result:
    """Carry out `plan`. Raises ApplyFailed at the first failure, after the changes under way have ended."""
    run = _Run(plan, rooms, scope, host, journal, watch)
    journal.write("start", changes=len(plan.changes))
    try:
        for wave in plan.waves:
            run.wave(wave)
    except ApplyFailed:
        raise  # it stands in the journal
    except BaseException as error:  # a bug, or Ctrl-C: what was under way is on record
        journal.write("stopped", error={"error": type(error).__name__, "found": str(error)})
        raise
    journal.write("end", changes=len(plan.changes), seconds=round(run.seconds, 3))
    return run.result


class _Run:
    def __init__(
        self,
        plan: Plan,
        rooms: Sequence[Room[Any]],
        scope: Scope,
        host: Host,
        journal: Journal,
        watch: Watcher,
    ) -> None:
        self.plan = plan
        self.rooms = rooms
        self.scope = scope
        self.host = host
        self.journal = journal
        self.watch = watch
        self.room_of = {kind: room for room in rooms for kind in room.kinds}
        self.done: list[Change] = []
        self.notes: list[str] = []
        self.began = host.clock.monotonic()
        self.lock = threading.Lock()

    @property
    def seconds(self) -> float:
        return self.host.clock.monotonic() - self.began

    @property
    def result(self) -> Result:
        done = {change.key for change in self.done}
        left = tuple(change for change in self.plan.changes if change.key not in done)
        return Result(self.plan, tuple(self.done), left, self.seconds, notes=tuple(self.notes))

    def tell(self, kind: Kind, change: Change, detail: str = "") -> None:
        self.watch(Event(kind, change, self.seconds, detail, len(self.plan.changes)))

    def wave(self, changes: list[Change]) -> None:
        by_room: dict[str, list[Change]] = {}
        for change in changes:
            by_room.setdefault(self.room_of[change.key.kind].name, []).append(change)
        if len(by_room) == 1:
            failures = [self._room(batch) for batch in by_room.values()]
        else:
            with ThreadPoolExecutor(len(by_room), thread_name_prefix="lbkit-room") as pool:
                failures = list(pool.map(self._room, by_room.values()))
        failed = [failure for failure in failures if failure is not None]
        if failed:
            error = together([error for error, _ in failed])
            self.journal.write("stopped", error=error.as_data())
            raise ApplyFailed(
                self.result, error, [change for _, during in failed for change in during]
            ) from error

    def _room(self, batch: list[Change]) -> tuple[LbkitError, list[Change]] | None:
        """Carry out one room's part of a wave and read it back; the error and what it interrupted, if any."""
        room = self.room_of[batch[0].key.kind]
        done = _Done(self)
        carried = done.carried
        error: LbkitError | None = None
        try:
            for change in batch:
                self.journal.write("begin", change)
                self.tell("begin", change)
            try:
                room.apply(batch, self.scope, self.host, done)
            except LbkitError as failure:
                error = failure
            acted = [change for change in batch if change.key in carried]
            self._read_back(room, acted)
            for change in acted:
                detail = carried[change.key]
                self.journal.write("done", change, executed=detail)
                with self.lock:
                    self.done.append(change)
                self.tell("done", change, detail)
        except LbkitError as failure:
            return together([error, failure] if error else [failure]), batch
        if error is None and len(acted) < len(batch):
            error = Bug(f"room {room.name!r} was to carry out every change of its wave")
        if error is not None:
            return error, [change for change in batch if change.key not in carried]
        return None

    def _read_back(self, room: Room[Any], acted: list[Change]) -> None:
        if not acted:
            return
        actual = {have.key: have for have in room.observe(self.scope, self.host)}
        for change in acted:
            have = actual.get(change.key)
            if change.want is None:
                if have is not None and have.owner == self.scope.name:
                    raise NotAsPlanned(change, "it still stands")
            elif have is None:
                raise NotAsPlanned(change, "it does not stand")
            elif have.owner != self.scope.name:
                raise NotAsPlanned(change, "it bears no owner mark of this topology")
            elif (verdict := room.judge_update(change.want, have)) is not None:
                raise NotAsPlanned(change, verdict.reason)


class _Done:
    """What a room tells of its part of a wave, as it goes."""

    def __init__(self, run: _Run) -> None:
        self.run = run
        self.carried: dict[Key, str] = {}

    def __call__(self, change: Change, detail: str, /) -> None:
        with self.run.lock:
            self.carried[change.key] = detail
        self.run.tell("carried", change, detail)

    def step(self, change: Change, lines: Sequence[str], /) -> None:
        self.run.journal.write("step", change, lines=list(lines))
        self.run.tell("step", change, "; ".join(lines))

    def note(self, change: Change, text: str, /) -> None:
        with self.run.lock:
            self.run.notes.append(f"{change.key}: {text}")

    @contextmanager
    def aside(self, change: Change, addresses: Collection[IPAddress], /) -> Iterator[None]:
        told = _Told(self, change)
        with ExitStack() as stack:
            for room in self.run.rooms:
                stack.enter_context(room.set_aside(self.run.scope, self.run.host, addresses, told))
            yield


@dataclass(frozen=True, slots=True)
class _Told:
    done: Done
    change: Change

    def step(self, lines: Sequence[str], /) -> None:
        self.done.step(self.change, lines)

    def note(self, text: str, /) -> None:
        self.done.note(self.change, text)


def one_by_one(
    changes: Sequence[Change], act: Callable[[Change], str], done: Done, *, workers: int = 8
) -> None:
    """For rooms whose changes do not go in bulk: `act` on each, in parallel; the first failure stops what has not begun."""
    in_turn([[change] for change in changes], act, done, workers=workers)


def in_turn(
    rows: Sequence[Sequence[Change]], act: Callable[[Change], str], done: Done, *, workers: int = 8
) -> None:
    """`act` on the changes of each row one after the other, on rows in parallel; the first failure stops the rest."""
    stop = threading.Event()

    def carry(row: Sequence[Change]) -> LbkitError | None:
        for change in row:
            if stop.is_set():
                return None
            try:
                detail = act(change)
            except LbkitError as error:
                stop.set()
                return error
            done(change, detail)
        return None

    with ThreadPoolExecutor(max(1, min(workers, len(rows))), thread_name_prefix="lbkit") as pool:
        errors = [error for error in pool.map(carry, rows) if error]
    if errors:
        raise together(errors)
