"""How a mirror is, as its keeper says it, or its nodes where that is silent; and the words for it.

No keeper or node that hangs is waited for longer than `PATIENCE`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from lbkit.base.errors import LbkitError
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.mirror import operations
from lbkit.mirror.answers import MirrorStatus, NodeStatus
from lbkit.mirror.reach import KeeperAway, verdict
from lbkit.mirror.resolved import ResolvedMirror
from lbkit.mirror.sync.runs import Run
from lbkit.mirror.tree import serial as serials

PATIENCE = 2.0  # seconds
FAILED = frozenset({"failed", "partial", "held", "killed"})
"""How a run may have come out that made nothing."""

ENDLESS = 1 << 30
"""Generations behind: it is of another master, or there is none."""

_AT_ONCE = 16

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Seen:
    """`status` None: the keeper does not answer, for `why`; `away`: it does not run. `verdicts` are the nodes' own words then."""

    mirror: ResolvedMirror
    status: MirrorStatus | None
    why: str = ""
    away: bool = False
    verdicts: dict[str, str | None] = field(default_factory=dict)


def see(scope: Scope, host: Host, mirror: ResolvedMirror) -> Seen:
    try:
        return Seen(mirror, operations.status(scope, mirror.name, host, patience=PATIENCE))
    except LbkitError as error:
        away, why = isinstance(error, KeeperAway), " ".join((error.found or error.wanted).split())
    said = each_of(lambda node: verdict(scope, host, mirror, node, timeout=PATIENCE / 2), mirror.nodes)
    return Seen(mirror, None, why, away, dict(zip(mirror.nodes, said, strict=True)))


def each_of(ask: Callable[[T], R], of: Sequence[T]) -> list[R]:
    """At once: what hangs is waited for once, not once for each."""
    if len(of) < 2:
        return [ask(each) for each in of]
    with ThreadPoolExecutor(min(_AT_ONCE, len(of)), thread_name_prefix="lbkit-mirror") as pool:
        return list(pool.map(ask, of))


UNHEARD = 10.0
"""Seconds without a word after which nobody knows any more how a node is."""


def serves(node: NodeStatus) -> bool:
    return node.told == "ready" and node.serving != 0


def node_words(node: NodeStatus) -> str:
    """What it serves, and whether it may."""
    if not node.serving:
        return "has nothing yet"
    lag = (
        ""
        if not node.behind or node.behind < 0
        else f", {node.behind} generation{'' if node.behind == 1 else 's'} behind"
        if node.behind < ENDLESS
        else ", of another master"
    )
    how = "serves" if node.told == "ready" else "is drained with"
    return f"{how} {node.serving}{lag}"


def committed_words(found: MirrorStatus) -> str:
    if found.committed is None:
        return "nothing is committed yet"
    committed = int(found.committed["serial"])
    newest = None if found.newest is None else int(found.newest["serial"])
    words = f"generation {committed} is committed"
    if newest is None or newest == committed:
        return words
    if serials.newer(newest, committed):
        return f"{words}, {newest} is on its way"
    return f"{words}, and the master has {newest} at most: the next run makes a later one"


def last_words(found: MirrorStatus) -> list[str]:
    """Where the last run came to nothing good."""
    last = found.last
    if last is None or last.came not in FAILED:
        return []
    return [
        f"the last run was {last.came}: {' '.join(last.why.split())}"
        if last.why
        else f"the last run was {last.came}"
    ]


def held_words(found: MirrorStatus) -> list[str]:
    if found.held is None:
        return []
    return [
        f"runs are held since a {found.held['why']} to {found.held['serial']}: `lbkit mirror release` lets them go on"
    ]


def next_words(found: MirrorStatus, now: datetime) -> str:
    due = found.next.get("due")
    if found.running is not None or found.held is not None:
        return ""
    if due is None:
        return "next run when somebody asks"
    left = due - now.timestamp()
    when = datetime.fromtimestamp(due, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"next run by {found.next['cause']} {'now' if left <= 0 else f'at {when}'}"


def run_words(run: Run) -> str:
    """One line of the evidence."""
    when = datetime.fromtimestamp(run.began, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    took = "" if run.ended is None else f", {run.ended - run.began:.1f} s"
    made = f", {run.before} -> {run.after}" if run.after else ""
    counts = f", +{run.added} ~{run.changed} -{run.deleted}" if run.after else ""
    why = f": {' '.join(run.why.split())}" if run.why else ""
    return f"{when} by {run.cause}: {run.came}{made}{counts}{took}{why}"


def generations_words(found: MirrorStatus) -> str:
    return "\n".join(
        f"{each.serial}: {each.files:,} files, {each.size:,} bytes, made "
        f"{datetime.fromtimestamp(each.made, UTC).strftime('%Y-%m-%d %H:%M:%S UTC')}"
        for each in found.generations
    )


def source_words(mirror: ResolvedMirror) -> str:
    """Without a name or password in it."""
    url = mirror.declared.upstream.url
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}" if separator else url
