"""What counts of one target, and how: pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from lbkit.engine.proof import MOST_FAILURES, Kind, Proven
from lbkit.prove.exchange import Outcome


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """One request. `began`: when it was due, by the monotonic clock."""

    kind: Kind
    began: float


@dataclass(slots=True)
class Tally:
    """A target is promised from its first good answer on: `since`. What was asked before that does not count."""

    slow_after: float
    since: float | None = None
    settled: bool = False  # anything has come of asking it, good or bad
    sent: int = 0
    failed: int = 0
    cut: int = 0
    slow: int = 0
    downloads: int = 0
    unfinished: int = 0  # downloads that had not ended when nobody waited any more
    slowest: float = 0.0
    lost: list[tuple[Attempt, float, str]] = field(
        default_factory=list
    )  # the first of them, with when and why

    def counts(self, attempt: Attempt) -> bool:
        return self.since is not None and attempt.began >= self.since

    def add(self, attempt: Attempt, outcome: Outcome, now: float, *, answered: float | None = None) -> None:
        """`answered`: when what was asked was there, where that is not now."""
        self.settled = True
        if not outcome.why and self.since is None and attempt.kind != "download":
            self.since = now
            self.sent = 1
            return
        if not self.counts(attempt):
            return
        self.sent += 1
        if outcome.why:
            if attempt.kind == "download" and outcome.cut:
                self.cut += 1
            else:
                self.failed += 1
            if len(self.lost) < MOST_FAILURES:
                self.lost.append((attempt, now, outcome.why))
        elif attempt.kind == "download":
            self.downloads += 1
        else:
            took = (now if answered is None else answered) - attempt.began
            self.slowest = max(self.slowest, took)
            self.slow += took > self.slow_after

    def proven(self, target: str, asked_from: str, began: float) -> Proven:
        """`began`: when the apply did."""
        return Proven(
            target=target,
            asked_from=asked_from,
            since=None if self.since is None else max(0.0, self.since - began),
            sent=self.sent,
            failed=self.failed,
            slow=self.slow,
            cut=self.cut,
            slowest=self.slowest,
            downloads=self.downloads,
        )
