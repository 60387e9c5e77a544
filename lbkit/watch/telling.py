"""What is told of what goes on for long: once, again when it changes, and each hour. Pure but for its memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lbkit.base.errors import LbkitError

AGAIN = 3600.0  # seconds


@dataclass(frozen=True, slots=True)
class Said:
    """One line of the log. `event` is its kind; `data` has more of it, for programs."""

    event: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Tellings:
    _told: dict[str, tuple[str, float]] = field(default_factory=dict)

    def due(self, topic: str, what: str, ticks: float) -> bool:
        """Whether to tell now that `topic` is so; `what` differs where there is news."""
        before = self._told.get(topic)
        if before is not None and before[0] == what and ticks - before[1] < AGAIN:
            return False
        self._told[topic] = (what, ticks)
        return True

    def over(self, *topics: str) -> bool:
        """`topics` are so no longer; whether one of them had been told."""
        told = [self._told.pop(topic, None) for topic in topics]
        return any(told)

    def forget(self) -> None:
        """Tell all of it again: somebody asks."""
        self._told.clear()


def fingerprint(error: LbkitError) -> str:
    """The same for the same failure, though numbers in what was found differ from time to time."""
    return f"{type(error).__name__}: {error.where}: {error.wanted}"


def in_words(error: LbkitError) -> str:
    """The error as a part of one line."""
    head = f"{error.where}: {error.wanted}" if error.where else error.wanted
    parts = [head]
    if error.found:
        parts.append("found: " + " ".join(error.found.split()))
    if error.remedy:
        parts.append("to do: " + " ".join(error.remedy.split()))
    return "; ".join(parts)
