"""A mirror as it shall be, for who says so again and again: synced, rolled back, or released. What is so already is left alone.

`foresee` says what `reach` would do, and changes nothing. Both raise as `operations` do, and SyncHeld where a sync would be held back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lbkit.base.errors import Failure, Mistake
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.mirror import operations
from lbkit.mirror.answers import MirrorPlan, MirrorStatus, Synced
from lbkit.mirror.keeper.going_back import is_back, target
from lbkit.mirror.keeper.hold import Held
from lbkit.mirror.operations import WAIT, NotCommitted, SyncFailed, Watch, silent
from lbkit.mirror.seen import each_of
from lbkit.mirror.sync.runs import Run

State = Literal["synced", "rolled_back", "released"]

Unfinished = (SyncFailed, NotCommitted)
"""What is raised of a run that did not come to its end: its `synced` has the evidence."""

_EVERY = 0.5  # seconds
_KEPT = 500  # runs that a keeper has at most


@dataclass(frozen=True, slots=True)
class Wanted:
    """`anyway`: whatever a sync's guards say. `serial`: what is rolled back to; None: what stood before, if nothing is rolled back yet."""

    mirror: str
    state: State = "synced"
    anyway: bool = False
    serial: int | None = None

    def __post_init__(self) -> None:
        if self.anyway and self.state != "synced":
            raise Mistake("`anyway` was to be said of a sync", found=f"the state {self.state}")
        if self.serial is not None and self.state != "rolled_back":
            raise Mistake("a serial was to be said of a rollback", found=f"the state {self.state}")


@dataclass(frozen=True, slots=True)
class Came:
    """What came, or would come. `files`: how many a sync adds, changes and deletes. `to`: the generation whose content is gone back to.

    `held`: what held runs before. `plan` is of a sync that is foreseen, `synced` of a run that was.
    """

    mirror: str
    state: State
    changed: bool
    files: Mapping[str, int] | None = None
    to: int | None = None
    held: Mapping[str, Any] | None = None
    plan: MirrorPlan | None = None
    synced: Synced | None = None

    def as_data(self) -> dict[str, Any]:
        """`files`, `to` and `held` are the same, foreseen or done."""
        data: dict[str, Any] = {"mirror": self.mirror, "state": self.state, "changed": self.changed}
        if self.files is not None:
            data["files"] = dict(self.files)
        if self.to is not None:
            data["to"] = self.to
        if self.state == "released":
            data["held"] = self.held
        if self.plan is not None:
            data["plan"] = self.plan.as_data()
        return data if self.synced is None else {**self.synced.as_data(), **data}

    def before_and_after(self) -> tuple[str, str]:
        """In words, line by line; the same foreseen or done."""
        if not self.changed:
            return "", ""
        if self.state == "released":
            return f"runs: held{_since(self.held)}\n", "runs: as declared\n"
        if self.to is not None:
            return "", f"content: as generation {self.to}\nruns: held\n"
        return "", "".join(f"files {how}: {count}\n" for how, count in (self.files or {}).items())


class SyncHeld(Failure):
    """A sync would be held back. `plan` is what it would do, where that was looked at."""

    def __init__(self, mirror: str, found: str, remedy: str, plan: MirrorPlan | None = None) -> None:
        self.plan = plan
        super().__init__(f"mirror {mirror} was to be synced", found=found, remedy=remedy)

    def as_data(self) -> dict[str, Any]:
        data = super().as_data()
        return data if self.plan is None else {**data, "plan": self.plan.as_data()}


def foresee(scope: Scope, wanted: Wanted, host: Host | None = None, *, most: int = 100) -> Came:
    """`most` paths of each kind are named of a sync."""
    status = operations.status(scope, wanted.mirror, host)
    match wanted.state:
        case "released":
            return _released(wanted, status.held)
        case "rolled_back":
            to = _back(status, wanted)
            return Came(wanted.mirror, "rolled_back", to is not None, to=to)
    _refuse_held(wanted, status)
    plan = operations.plan(scope, wanted.mirror, host, most=most)
    if plan.objections and not wanted.anyway:
        raise SyncHeld(
            wanted.mirror,
            f"its guards want a person's word: {'; '.join(plan.objections)}",
            "look at what would change; where that is right, sync it anyway",
            plan,
        )
    counts = {"added": plan.added.files, "changed": plan.changed.files, "deleted": plan.deleted.files}
    return Came(wanted.mirror, "synced", bool(plan), counts, plan=plan)


def reach(
    scope: Scope, wanted: Wanted, host: Host | None = None, *, wait: float = WAIT, watch: Watch = silent
) -> Came:
    """`wait` seconds until nodes have what was made, 0: not at all. `watch` is told how a run goes on."""
    status = operations.status(scope, wanted.mirror, host)
    match wanted.state:
        case "released":
            held = operations.release(scope, wanted.mirror, host) if status.held else None
            return _released(wanted, held)
        case "rolled_back":
            to = _back(status, wanted)
            if to is None:
                _await_commit(scope, wanted.mirror, host or Host(), wait)
                return Came(wanted.mirror, "rolled_back", changed=False)
            synced = operations.rollback(scope, wanted.mirror, host, serial=to, wait=wait, watch=watch)
            return Came(wanted.mirror, "rolled_back", changed=True, to=to, synced=synced)
    _refuse_held(wanted, status)
    synced = operations.sync(scope, wanted.mirror, host, anyway=wanted.anyway, wait=wait, watch=watch)
    return Came(wanted.mirror, "synced", changed(synced), _files(synced.run), synced=synced)


def changed(synced: Synced) -> bool:
    """Whether a run did something, however it went on: it made a generation, or holds runs from here on."""
    return synced.run.came == "made" or synced.held is not None


@dataclass(frozen=True, slots=True)
class Told:
    """How one mirror is, as its keeper says it; `error` where that does not answer."""

    mirror: str
    status: MirrorStatus | None
    runs: tuple[Run, ...] = ()
    error: Failure | None = None

    def as_data(self) -> dict[str, Any]:
        return {
            "mirror": self.mirror,
            "status": None if self.status is None else self.status.as_data(),
            "runs": [run.as_data() for run in self.runs],
            "error": None if self.error is None else self.error.as_data(),
        }


def tell(scope: Scope, host: Host | None = None, *, mirror: str | None = None, last: int = 0) -> list[Told]:
    """Of every mirror, or of the one that is named, with its `last` runs. Of the one that is named a keeper's silence is raised."""
    if not 0 <= last <= _KEPT:
        raise Mistake(f"from 0 to {_KEPT} runs were to be told", found=str(last))
    if mirror is not None:
        return [_told(scope, host, mirror, last)]
    from lbkit.mirror.reach import mirrors_of  # noqa: PLC0415 - `reach` is another thing here

    def told(name: str) -> Told:
        try:
            return _told(scope, host, name, last)
        except Failure as error:
            return Told(name, None, error=error)

    return each_of(told, [each.name for each in mirrors_of(scope)])


def _told(scope: Scope, host: Host | None, name: str, last: int) -> Told:
    status = operations.status(scope, name, host)
    return Told(name, status, operations.log(scope, name, host, last=last) if last else ())


def _released(wanted: Wanted, held: Mapping[str, Any] | None) -> Came:
    return Came(wanted.mirror, "released", held is not None, held=held)


def _back(status: MirrorStatus, wanted: Wanted) -> int | None:
    """The serial to go back to; None: it is so already."""
    standing = tuple(reversed(status.generations))
    held = None if status.held is None else Held(**status.held)
    if is_back(standing, held, wanted.serial):
        return None
    committed = status.committed and (int(status.committed["serial"]), str(status.committed["digest"]))
    return target(standing, held, wanted.serial, committed or None).serial


def _refuse_held(wanted: Wanted, status: MirrorStatus) -> None:
    if status.held is not None:
        raise SyncHeld(
            wanted.mirror,
            f"runs are held{_since(status.held)}",
            f"where upstream is mended, release it: `lbkit mirror release {wanted.mirror}`, or the state `released`",
        )


def _since(held: Mapping[str, Any] | None) -> str:
    return f" since a {held['why']} to generation {held['serial']}" if held else ""


def _files(run: Run) -> dict[str, int]:
    return {"added": run.added, "changed": run.changed, "deleted": run.deleted}


def _await_commit(scope: Scope, name: str, host: Host, wait: float) -> None:
    """What a rollback made before, and nodes may not have yet."""
    deadline = host.clock.monotonic() + wait
    while wait:
        status = operations.status(scope, name, host)
        if status.newest is not None and status.committed == status.newest:
            return
        if host.clock.monotonic() >= deadline:
            serial = status.newest["serial"] if status.newest else 0
            have = [node for node, each in status.nodes.items() if str(serial) in each.has]
            raise Failure(
                f"generation {serial} of mirror {name} was to be committed within {wait:g} s",
                found=f"{', '.join(have) or 'no node'} has it",
                remedy=f"`lbkit mirror status {name}` says what they wait for",
            )
        host.clock.sleep(_EVERY)
