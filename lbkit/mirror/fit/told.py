"""What a look at a machine finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lbkit.base.errors import LbkitError


@dataclass(frozen=True, slots=True)
class Fit:
    """One thing that a mirror asks of its machine: whether it is so, what was found, and how to mend it."""

    name: str
    good: bool
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.found}" + (f"; to do: {self.remedy}" if self.remedy else "")


def refused(name: str, error: LbkitError) -> Fit:
    return Fit(name, False, error.found or error.wanted, error.remedy)


def objections(found: Iterable[Fit]) -> str:
    """All that is wrong, a line each; "" where nothing is."""
    return "\n".join(f"  {each}" for each in found if not each.good)
