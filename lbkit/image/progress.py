"""What is under way while an image is made; told to whoever watches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """`fraction` (0 to 1) of this stage is done, or None where nobody knows."""

    stage: str
    fraction: float | None = None


Watch = Callable[[Step], None]


def unwatched(step: Step) -> None:
    """For callers that show nothing."""
