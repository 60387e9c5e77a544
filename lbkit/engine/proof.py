"""What clients met during an apply: how many requests were sent, and what became of them. Data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lbkit.base.errors import Failure

if TYPE_CHECKING:
    from lbkit.engine.applying import Result

Kind = Literal["fresh", "kept", "download"]
"""By a connection of its own, by one that is kept, or a long body."""

MOST_FAILURES = 20  # told one by one; all are counted


@dataclass(frozen=True, slots=True)
class Lost:
    """A request that failed, or a download that was cut.

    `at` is seconds since the apply began, of its end; `took` seconds. `step` says what was under way meanwhile.
    """

    target: str
    kind: Kind
    at: float
    took: float
    why: str
    step: str

    def as_data(self) -> dict[str, Any]:
        return {
            "target": self.target,
            "kind": self.kind,
            "at": round(self.at, 3),
            "took": round(self.took, 3),
            "why": self.why,
            "step": self.step,
        }


@dataclass(frozen=True, slots=True)
class Proven:
    """One target. `sent` is every request that counts; `failed` and `cut` (downloads that ended short) are of them.

    `slow`: whole, but later than `Proof.slow_after`. `slowest`: seconds, of the whole ones but downloads.
    `since`: seconds since the apply began from which on it counts, 0 where it answered before; None where it
    never did, and so nothing of it was promised.
    """

    target: str
    asked_from: str
    since: float | None
    sent: int = 0
    failed: int = 0
    slow: int = 0
    cut: int = 0
    slowest: float = 0.0
    downloads: int = 0  # that came whole

    def as_data(self) -> dict[str, Any]:
        return {
            "target": self.target,
            "from": self.asked_from,
            "since": None if self.since is None else round(self.since, 3),
            "sent": self.sent,
            "failed": self.failed,
            "slow": self.slow,
            "cut": self.cut,
            "slowest": round(self.slowest, 4),
            "downloads": self.downloads,
        }


@dataclass(frozen=True, slots=True)
class Proof:
    """`seconds` is how long was asked. `failures` are the first of them; `notes` what was not proved, and why."""

    targets: tuple[Proven, ...]
    seconds: float
    slow_after: float
    failures: tuple[Lost, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def sent(self) -> int:
        return sum(target.sent for target in self.targets)

    @property
    def failed(self) -> int:
        return sum(target.failed for target in self.targets)

    @property
    def slow(self) -> int:
        return sum(target.slow for target in self.targets)

    @property
    def cut(self) -> int:
        return sum(target.cut for target in self.targets)

    @property
    def slowest(self) -> float:
        return max((target.slowest for target in self.targets), default=0.0)

    @property
    def good(self) -> bool:
        """No request lost. True as well where nothing could be asked: `sent` and `notes` say so."""
        return not self.failed and not self.cut

    def summary(self) -> dict[str, Any]:
        return {
            "sent": self.sent,
            "failed": self.failed,
            "slow": self.slow,
            "cut": self.cut,
            "slowest": round(self.slowest, 4),
            "seconds": round(self.seconds, 3),
        }

    def as_data(self) -> dict[str, Any]:
        return {
            **self.summary(),
            "slow_after": self.slow_after,
            "targets": [target.as_data() for target in self.targets],
            "failures": [lost.as_data() for lost in self.failures],
            "notes": list(self.notes),
        }


class ProofFailed(Failure):
    """Everything was carried out, but clients lost requests meanwhile; `result.proof` tells of them."""

    def __init__(self, result: Result, proof: Proof) -> None:
        self.result = result
        self.proof = proof
        lost = proof.failed + proof.cut
        first = proof.failures[0]
        super().__init__(
            "no client was to lose a request during the apply",
            found=f"{lost} of {proof.sent} {'was' if lost == 1 else 'were'} lost, the first {first.at:.2f} s after "
            f"its begin, at {first.target}: {first.why}\n    failed at step: {first.step}"
            + _others(proof.failures),
            remedy=f"what was to be done is done, all {len(result.done)} changes; report it with the journal, where "
            "the plan did not say that it would be so",
        )

    def as_data(self) -> dict[str, Any]:
        return {
            **super().as_data(),
            "done": [str(change) for change in self.result.done],
            "not_done": [str(change) for change in self.result.not_done],
            "notes": list(self.result.notes),
            "proof": self.proof.as_data(),
        }


def _others(failures: Sequence[Lost]) -> str:
    """The further steps, each once, in order."""
    steps = list(dict.fromkeys(lost.step for lost in failures))[1:]
    return "".join(f"\n    and at step: {step}" for step in steps[:5])
