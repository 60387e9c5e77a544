"""The Plan: one value that every face renders, and that apply carries out as it stands."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from lbkit.engine.change import Action, Change, Impact

PLAN_SCHEMA = "lbkit.plan/1"
"""Version of the JSON form. Fields may be added within a version; a meaning that changes takes a new one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`changes` in the order in which they are carried out; empty: the world is as declared."""

    topology: str
    changes: tuple[Change, ...] = ()
    notes: tuple[
        str, ...
    ] = ()  # what a person should know that is no change ("KVM does not work here, TCG is used")

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def waves(self) -> list[list[Change]]:
        return [list(wave) for _, wave in groupby(self.changes, key=lambda change: change.wave)]

    @property
    def impact(self) -> Impact:
        """The worst of all changes."""
        order = list(Impact)
        return max((change.impact for change in self.changes), key=order.index, default=Impact.NONE)

    def count(self, actions: Collection[Action]) -> int:
        return sum(change.action in actions for change in self.changes)

    def summary(self) -> dict[str, int]:
        return {str(action): n for action in Action if (n := self.count({action}))}

    def as_data(self) -> dict[str, Any]:
        """The documented JSON form: docs/plan-schema.md."""
        return {
            "schema": PLAN_SCHEMA,
            "topology": self.topology,
            "impact": str(self.impact),
            "summary": self.summary(),
            "changes": [change.as_data() for change in self.changes],
            "notes": list(self.notes),
        }
