"""What a mirror's keeper answers, as types; `as_data` is JSON in the form of the keeper's own (keeper/control.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from lbkit.base.errors import Failure
from lbkit.mirror.sync.runs import Run
from lbkit.mirror.tree.generation import Generation

T = TypeVar("T")
Data = Mapping[str, Any]


class _AsData:
    __slots__ = ()

    def as_data(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload,no-any-return]


@dataclass(frozen=True, slots=True)
class Progress(_AsData):
    """Of a run, or of a look at what it would do: `rate` in bytes a second, `left` and `seconds` in seconds; None: nobody knows."""

    phase: str
    files: int
    of_files: int | None
    size: int
    of_size: int | None
    rate: int
    left: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Waiting(_AsData):
    """For this run, which is under way, to end; None: it just did."""

    run: Run | None


@dataclass(frozen=True, slots=True)
class Ended(_AsData):
    """The run came to its end; whether the nodes have what it made is still to come."""

    run: Run


@dataclass(frozen=True, slots=True)
class Committing(_AsData):
    serial: int
    committed: bool
    have: tuple[str, ...]
    serving: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verifying(_AsData):
    """`node` "" is the master. All None: it has not begun."""

    node: str
    serial: int | None
    files: int | None
    of_files: int | None
    size: int | None
    of_size: int | None
    damaged: int | None


@dataclass(frozen=True, slots=True)
class Verified(_AsData):
    """One machine, "" is the master. `left`: damaged files that were not mended; `first` of them as {"serial", "path", "fault"}; `failed`:
    why it could not be done to its end, "" where it was.
    """

    node: str
    files: int
    size: int
    damaged: int
    mended: int
    left: int
    first: tuple[dict[str, Any], ...]
    failed: str


Told = Progress | Waiting | Ended | Committing | Verifying | Verified


@dataclass(frozen=True, slots=True)
class Counted(_AsData):
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Sample(_AsData):
    """The first of the paths, not all."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    deleted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MirrorPlan(_AsData):
    """What a sync would do to the generation `against` (0: none stands); `relinked` is what stays as it is. `objections` of its guards:
    with one it would wait for a person.
    """

    mirror: str
    against: int
    added: Counted
    changed: Counted
    deleted: Counted
    before: Counted
    after: Counted
    relinked: Counted
    folders: int
    objections: tuple[str, ...]
    first: Sample

    def __bool__(self) -> bool:
        """Whether it would make a new generation, as far as a comparison tells."""
        return bool(self.added.files or self.changed.files or self.deleted.files or self.folders)


@dataclass(frozen=True, slots=True)
class Synced(_AsData):
    """`serial` is the newest generation's; `have` and `serving` are nodes. `held`: why runs are held from here on, None where they are not."""

    mirror: str
    run: Run
    serial: int
    committed: bool
    have: tuple[str, ...]
    serving: tuple[str, ...]
    held: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class NodeStatus(_AsData):
    """`heard` seconds ago; None: not since the keeper runs. `told` is the verdict that it has. `behind` generations; None: nothing is committed."""

    serving: int
    has: dict[str, str]
    heard: float | None
    told: str | None
    busy: str | None
    behind: int | None
    verify: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class MirrorStatus(_AsData):
    """See `status` in keeper/control.py. `running` is {"cause", "began", "run", "progress"}; `next` {"cause", "due"}."""

    mirror: str
    keep: int
    committed: dict[str, Any] | None
    newest: dict[str, Any] | None
    generations: tuple[Generation, ...]
    running: dict[str, Any] | None
    waiting: int
    wanted: int
    next: dict[str, Any]
    last: Run | None
    last_made: Run | None
    held: dict[str, Any] | None
    alarms: tuple[str, ...]
    troubles: dict[str, str]
    notes: tuple[str, ...]
    nodes: dict[str, NodeStatus]


@dataclass(frozen=True, slots=True)
class RunLog(_AsData):
    """One run with what rsync said of it."""

    run: Run
    words: str


@dataclass(frozen=True, slots=True)
class Verification(_AsData):
    mirror: str
    verified: tuple[Verified, ...]
    files: int
    damaged: int
    mended: int
    left: int
    failed: tuple[str, ...]


def told_of(said: Data) -> Told | None:
    """A line that is not the last; None: one that this lbkit does not know."""
    return _made(lambda: _told(said))


def _told(said: Data) -> Told | None:
    match said:
        case {"progress": progress}:
            return Progress(**_fields(Progress, progress))
        case {"waiting": run}:
            return Waiting(_run(run))
        case {"run": {} as run}:
            return Ended(Run.from_data(run))
        case {"committing": each}:
            return Committing(
                int(each["serial"]), bool(each["committed"]), tuple(each["have"]), tuple(each["serving"])
            )
        case {"verify": each}:
            return Verifying(**_fields(Verifying, each))
        case {"verified": {} as each}:
            return _verified(each)
    return None


def plan_of(mirror: str, said: Data) -> MirrorPlan:
    def made() -> MirrorPlan:
        parts = {name: Counted(**_fields(Counted, said[name])) for name in _COUNTED}
        first = Sample(**{name: tuple(said["first"][name]) for name in ("added", "changed", "deleted")})
        return MirrorPlan(
            mirror,
            int(said["against"]),
            **parts,
            folders=int(said["folders"]),
            objections=tuple(said["objections"]),
            first=first,
        )

    return _made(made)


_COUNTED = ("added", "changed", "deleted", "relinked", "before", "after")


def synced_of(mirror: str, said: Data) -> Synced:
    return _made(
        lambda: Synced(
            mirror,
            Run.from_data(said["run"]),
            int(said["serial"]),
            bool(said["committed"]),
            tuple(said["have"]),
            tuple(said["serving"]),
            said.get("held"),
        )
    )


def status_of(said: Data) -> MirrorStatus:
    def made() -> MirrorStatus:
        fields = _fields(MirrorStatus, said)
        return MirrorStatus(
            **{
                **fields,
                "generations": tuple(
                    Generation.from_data(each, "the keeper") for each in said["generations"]
                ),
                "last": _run(said["last"]),
                "last_made": _run(said["last_made"]),
                "alarms": tuple(said["alarms"]),
                "notes": tuple(said["notes"]),
                "nodes": {
                    name: NodeStatus(**_fields(NodeStatus, each)) for name, each in said["nodes"].items()
                },
            }
        )

    return _made(made)


def runs_of(said: Data) -> tuple[Run, ...]:
    return _made(lambda: tuple(Run.from_data(each) for each in said["runs"]))


def run_log_of(said: Data) -> RunLog:
    return _made(lambda: RunLog(Run.from_data(said["run"]), str(said["words"])))


def verification_of(mirror: str, said: Data) -> Verification:
    return _made(
        lambda: Verification(
            mirror,
            tuple(_verified(each) for each in said["verified"]),
            **{name: int(said[name]) for name in ("files", "damaged", "mended", "left")},
            failed=tuple(said["failed"]),
        )
    )


def _verified(said: Data) -> Verified:
    fields = _fields(Verified, said)
    return Verified(**{**fields, "first": tuple(said["first"])})


def _run(said: Any) -> Run | None:
    return None if said is None else Run.from_data(said)


def _fields(kind: Any, said: Data) -> dict[str, Any]:
    """Those that are known; a newer keeper may say more."""
    return {name: said[name] for name in kind.__slots__}


def _made(make: Callable[[], T]) -> T:
    try:
        return make()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Failure(
            "the keeper was to answer as this lbkit understands it",
            found=f"{type(error).__name__}: {error}"[:200],
            remedy="`lbkit apply` gives it this lbkit's program",
        ) from error
