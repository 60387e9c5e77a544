"""Things as data: what is desired, and what was observed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

State = Mapping[str, Any]
"""Plain JSON data (and `Secret`, which prints as a digest): comparing two states is comparing two things."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Names one thing in the world: its kind, and its name among its kind ("machine", "lb-1")."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Desired:
    """One thing as it shall be.

    `requires` names things that must stand before this one is made, and may only go after it.
    `claims` are tokens that one thing at a time can hold ("address 10.80.0.10"): who takes one waits for
    the change that gives it up. `within` names the thing that it lives and dies with (a service's machine): where
    that is replaced, this is made anew. `last`: made after all else within the same, but what requires it. Of those
    with the same `turn` (a group's members) one at a time is changed, with all within the same that requires it.
    `spare_for`: where one of these is made or replaced, it may be made of this, which is then made anew, after all else.
    """

    key: Key
    state: State
    requires: frozenset[Key] = field(default=frozenset())
    claims: frozenset[str] = field(default=frozenset())
    within: Key | None = None
    last: bool = False
    turn: str = ""
    spare_for: frozenset[Key] = field(default=frozenset())


@dataclass(frozen=True, slots=True)
class Actual:
    """One thing as it is. `owner` is the topology in its owner mark; None: lbkit did not make it. `within`: what it
    lives and dies with.

    `free` says whether a topology may put its own on this key without taking anything over. None: its owner
    alone. True for what several share (an rrset with values of others), False where part of it is the
    topology's own and another part, which is another's, stands in the way. `called`: what people know it by, where
    its key does not say that. `any_of`: it goes before each of these, as before what it `requires`, but can do with
    one of them (HAProxy and its servers).
    """

    key: Key
    state: State
    owner: str | None
    requires: frozenset[Key] = field(default=frozenset())
    claims: frozenset[str] = field(default=frozenset())
    free: bool | None = None
    within: Key | None = None
    called: str = ""
    any_of: frozenset[Key] = field(default=frozenset())
