"""What can be done with a mirror while it runs: each asks its keeper. For every face; `promotion` has what is done without one.

All raise Mistake where the topology has no such mirror, KeeperAway where its keeper does not run, KeeperSilent where it hangs, and
KeeperFailed or KeeperRefused in the keeper's own words. `watch` is told how it goes on, in the caller's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lbkit.base.errors import Bug, Failure
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.mirror import asking
from lbkit.mirror.answers import (
    Data,
    MirrorPlan,
    MirrorStatus,
    RunLog,
    Synced,
    Told,
    Verification,
    plan_of,
    run_log_of,
    runs_of,
    status_of,
    synced_of,
    told_of,
    verification_of,
)
from lbkit.mirror.reach import keeper, mirror_of
from lbkit.mirror.resolved import ResolvedMirror
from lbkit.mirror.sync.runs import Run
from lbkit.mirror.talk.lines import Closed

Watch = Callable[[Told], None]

PROMPT = 15.0
"""Seconds for what a keeper answers at once. While it works it says something every half second."""

WAIT = 120.0
"""Seconds in which nodes have a new generation, by default; of a large one they may need longer."""


def silent(_told: Told) -> None:
    pass


class SyncFailed(Failure):
    """A run made no generation. `synced` has its evidence."""

    def __init__(self, synced: Synced, *, found: str, remedy: str) -> None:
        self.synced = synced
        super().__init__(
            f"mirror {synced.mirror} was to be synced",
            found=found,
            where=f"run {synced.run.id}",
            remedy=remedy,
        )

    def as_data(self) -> dict[str, Any]:
        return {**super().as_data(), "run": self.synced.run.as_data()}


class NotCommitted(Failure):
    """The generation stands on the master, and not enough nodes had it in time."""

    def __init__(self, synced: Synced, wait: float) -> None:
        self.synced = synced
        super().__init__(
            f"generation {synced.serial} of mirror {synced.mirror} was to be committed within {wait:g} s",
            found=f"{', '.join(synced.have) or 'no node'} has it",
            remedy="it is committed once enough nodes have it, without you; "
            f"`lbkit mirror status {synced.mirror}` says what they wait for",
        )

    def as_data(self) -> dict[str, Any]:
        return {**super().as_data(), "run": self.synced.run.as_data(), "have": list(self.synced.have)}


class KeeperSilent(Closed):
    """It is there, and took the question, but hangs; or ended in the middle of it."""

    def __init__(self, mirror: ResolvedMirror, error: Closed, patience: float) -> None:
        hangs = error.found == "timed out"
        super().__init__(
            f"the keeper of mirror {mirror.name} was to answer",
            found=f"not a word in {patience:g} s" if hangs else error.found,
            where=f"machine {mirror.master}",
            remedy=f"`lbkit explain {mirror.master}/{mirror.keeper}` names its process: where it hangs, end that, and `lbkit apply` starts it anew"
            if hangs
            else f"it was ended, or started anew: `lbkit mirror log {mirror.name}` tells what came of a run, which is tried again by itself",
        )


def plan(
    scope: Scope, name: str, host: Host | None = None, *, most: int = 100, watch: Watch = silent
) -> MirrorPlan:
    """What a sync would do now; nothing is changed. `most` paths of each kind are named."""
    return plan_of(name, _asked(scope, name, host, {"do": "plan", "most": most}, watch))


def sync(
    scope: Scope,
    name: str,
    host: Host | None = None,
    *,
    anyway: bool = False,
    wait: float = WAIT,
    watch: Watch = silent,
) -> Synced:
    """One run, after the one that is under way; `anyway`: whatever its guards say. `wait` seconds for the nodes, 0: not at all.

    SyncFailed where it came to nothing good, NotCommitted where the nodes took longer. A caller that goes away stops nothing.
    """
    synced = synced_of(name, _asked(scope, name, host, {"do": "sync", "anyway": anyway, "wait": wait}, watch))
    return _judged(synced, wait)


def rollback(
    scope: Scope,
    name: str,
    host: Host | None = None,
    *,
    serial: int | None = None,
    wait: float = WAIT,
    watch: Watch = silent,
) -> Synced:
    """The content of that generation (None: of the one before the committed) becomes the newest one's, and runs are held. Raises as `sync`."""
    synced = synced_of(
        name, _asked(scope, name, host, {"do": "rollback", "serial": serial, "wait": wait}, watch)
    )
    return _judged(synced, wait)


def status(scope: Scope, name: str, host: Host | None = None, *, patience: float = PROMPT) -> MirrorStatus:
    """`patience` seconds for the connection and for its answer, each."""
    said = _asked(scope, name, host, {"do": "status"}, silent, patience=patience)
    return status_of({"mirror": name, **said})


def log(
    scope: Scope, name: str, host: Host | None = None, *, last: int = 20, patience: float = PROMPT
) -> tuple[Run, ...]:
    """The newest first."""
    return runs_of(_asked(scope, name, host, {"do": "log", "last": last}, silent, patience=patience))


def run(scope: Scope, name: str, identity: str, host: Host | None = None) -> RunLog:
    return run_log_of(_asked(scope, name, host, {"do": "run", "run": identity}, silent, patience=PROMPT))


def verify(
    scope: Scope,
    name: str,
    host: Host | None = None,
    *,
    mend: bool = False,
    only: Sequence[str] | None = None,
    watch: Watch = silent,
) -> Verification:
    """Read everything that its machines have, and compare it with the manifests. `only`: of these nodes, "" is the master."""
    given = None if only is None else [_machine(scope, name, each) for each in only]
    return verification_of(
        name, _asked(scope, name, host, {"do": "verify", "mend": mend, "only": given}, watch)
    )


def release(scope: Scope, name: str, host: Host | None = None) -> dict[str, Any] | None:
    """Runs go on as declared. What was held; None: nothing."""
    held: dict[str, Any] | None = _asked(scope, name, host, {"do": "release"}, silent, patience=PROMPT).get(
        "held"
    )
    return held


def push(scope: Scope, name: str, host: Host | None = None) -> int:
    """There will be a run that begins after this call; nobody waits for it. The number of the push."""
    return int(_asked(scope, name, host, {"do": "push"}, silent, patience=PROMPT)["wanted"])


def _machine(scope: Scope, name: str, node: str) -> str:
    """As the keeper names it."""
    from lbkit.base.errors import Mistake  # noqa: PLC0415 - for who names one
    from lbkit.base.problems import near  # noqa: PLC0415

    mirror = mirror_of(scope, name)
    if node in mirror.nodes:
        return node
    if node in {"", mirror.master}:
        return ""
    raise Mistake(
        f"{node!r} was to be a machine of mirror {name}",
        found="it is neither its master nor one of its nodes",
        remedy=near(node, [mirror.master, *mirror.nodes]),
    )


def _asked(
    scope: Scope,
    name: str,
    host: Host | None,
    request: Data,
    watch: Watch,
    *,
    patience: float = asking.SILENCE,
) -> Data:
    mirror = mirror_of(scope, name)
    with keeper(scope, host or Host(), mirror, timeout=min(patience, 5.0)) as connection:
        try:
            for said in _lines(asking.ask(connection, request, silence=patience), watch):
                return said
        except Closed as error:
            raise KeeperSilent(mirror, error, patience) from error
    raise Bug("a keeper's answer was to have an end", found="it has none")


def _lines(said: Iterator[dict[str, Any]], watch: Watch) -> Iterator[dict[str, Any]]:
    for line in said:
        if "end" in line:
            yield line
        elif (told := told_of(line)) is not None:
            watch(told)


_WORDS = {
    "held": (
        "its guards want a person's word",
        "look at `lbkit mirror plan {name}`; where that is right, `lbkit mirror sync --anyway {name}`",
    ),
    "partial": (
        "upstream was not whole",
        "it is tried again by itself; nothing was published, and what serves serves on",
    ),
    "failed": ("it failed", "`lbkit mirror log {name} {run}` has rsync's words; what serves serves on"),
    "killed": ("its keeper ended before it did", "the keeper goes on by itself; or sync again"),
    "paused": ("the time in which it may run is over", "the next run goes on with what came"),
}


def _judged(synced: Synced, wait: float) -> Synced:
    if synced.run.came not in {"made", "nothing"}:
        words, remedy = _WORDS.get(synced.run.came, (f"it came out as {synced.run.came}", ""))
        raise SyncFailed(
            synced,
            found=f"{words}: {synced.run.why}" if synced.run.why else words,
            remedy=remedy.format(name=synced.mirror, run=synced.run.id),
        )
    if wait and synced.serial and not synced.committed:
        raise NotCommitted(synced, wait)
    return synced
