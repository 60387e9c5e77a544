"""One change of a plan, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lbkit.base.secrets import Secret
from lbkit.engine.resource import Actual, Desired, Key, State


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"  # taken down and made anew
    RESTART = "restart"  # stands as wanted, but does not run; or a person asks for it
    ADOPT = "adopt"  # somebody else's, taken over by a person's word
    DELETE = "delete"


class Impact(StrEnum):
    """What a client of the service notices; ordered from nothing to an outage."""

    NONE = "none"
    HITLESS = "hitless"
    RELOAD = "reload"
    DISRUPTIVE = "disruptive"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a room says of one difference: what to do, what that costs, and why.

    `steps`: one by one what will be done, where a room plans so closely; the journal has the same lines.
    """

    action: Action
    impact: Impact
    reason: str
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """`want` is None when the thing goes, `have` is None when it is new. `wave` counts from 0."""

    key: Key
    action: Action
    impact: Impact
    reason: str
    want: Desired | None
    have: Actual | None
    wave: int = 0
    steps: tuple[str, ...] = ()

    @property
    def before(self) -> State | None:
        return self.have.state if self.have else None

    @property
    def after(self) -> State | None:
        return self.want.state if self.want else None

    @property
    def within(self) -> Key | None:
        """What it lives and dies with: replaced, it takes all of that with it, and both are one piece of work."""
        thing = self.want or self.have
        return thing.within if thing else None

    def __str__(self) -> str:
        return f"{self.action} {self.key}"

    def as_data(self) -> dict[str, Any]:
        """The change in the plan's documented JSON form."""
        return {
            "resource": {"kind": self.key.kind, "name": self.key.name},
            "action": str(self.action),
            "impact": str(self.impact),
            "reason": self.reason,
            "wave": self.wave,
            "steps": list(self.steps),
            "before": plain(self.before),
            "after": plain(self.after),
        }


def plain(value: Any) -> Any:
    """`value` as JSON can hold it, secrets as their digests."""
    if isinstance(value, Secret):
        return repr(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "items"):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(inner) for inner in value), key=str)
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return str(value)
