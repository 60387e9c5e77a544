"""Whether the keeper hears this node, and what the node's verdict is while it does not.

Each answer of the node has a number, and the keeper's next question names the last one that it heard: so the node knows that it was
heard, and when at the latest. The keeper counts from when it heard it, which is later: it never waits too short.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from lbkit.base.clock import Clock
from lbkit.mirror.talk.words import Verdict

_REMEMBERED = 64  # answers that may yet be named
LAPSES = 4.0
"""Seconds after those of the contact: where the keeper has died all nodes know it by then, and where it lives it has committed nothing
yet without this one (keeper/deciding.py, Policy.given_up)."""


@dataclass(slots=True)
class Contact:
    """`seconds` is for how long the keeper may be silent. A node that has just started was not heard yet."""

    clock: Clock
    seconds: float
    _sent: dict[int, float] = field(default_factory=dict, init=False)
    _next: int = field(
        default_factory=lambda: secrets.randbits(48), init=False
    )  # of no other process's answers
    _heard: float | None = field(default=None, init=False)

    def answer(self) -> int:
        """The number of an answer that is about to be sent."""
        self._next += 1
        self._sent[self._next] = self.clock.monotonic()
        for number in list(self._sent)[:-_REMEMBERED]:
            del self._sent[number]
        return self._next

    def heard(self, number: object) -> None:
        """The keeper says which answer it heard last."""
        if isinstance(number, int) and (sent := self._sent.get(number)) is not None:
            self._heard = max(sent, self._heard or sent)

    @property
    def kept(self) -> bool:
        """Whether the keeper heard this node within the time."""
        return self._heard is not None and self.clock.monotonic() - self._heard <= self.seconds

    @property
    def lapsed(self) -> bool:
        """Whether a keeper that lives may commit without this node from now on. So it is with one that was never heard."""
        return self._heard is None or self.clock.monotonic() - self._heard >= self.seconds + LAPSES


def verdict_of(
    told: Verdict, *, kept: bool, neighbours: Sequence[bool | None] | None, quorum: int
) -> Verdict:
    """What HAProxy is told. `told` is the keeper's last word, `neighbours` whether each of them is heard by the keeper; None of one that
    did not answer, and of all while they have not been asked since the keeper heard this node.

    A neighbour that is heard says that the keeper lives, and may commit what this node has not: it drains itself. So it does where those
    that do not answer, all of them heard by the keeper, would be a quorum. Else nobody can commit anything, and the last word holds.
    """
    if kept or told == "drain" or neighbours is None:
        return told
    if any(neighbours):
        return "drain"
    unknown = sum(each is None for each in neighbours)
    return told if unknown < quorum else "drain"
