"""A room whose world is a dictionary: the engine's promises are tested without a kernel."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.book import Book
from lbkit.engine.change import Change
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.engine.room import Done, Room
from lbkit.engine.scope import Draft, Scope

OWNER = "shop"


class Nothing(BaseModel):
    pass


@dataclass
class ModelRoom(Room[Nothing]):
    """`world` is what stands; `wanted` what shall. `fail_on`: carrying that key out raises. `lie_on`: nothing happens.

    `noted`: what is told of that key while it is carried out.
    """

    wanted: dict[Key, Desired] = field(default_factory=dict)
    world: dict[Key, Actual] = field(default_factory=dict)
    fail_on: Key | None = None
    lie_on: Key | None = None
    noted: dict[Key, str] = field(default_factory=dict)
    log: list[Change] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    name = "model"
    section = "things"
    kinds = frozenset({"thing", "part"})

    @property
    def model(self) -> type[Nothing]:
        return Nothing

    def resolve(self, section: Nothing, draft: Draft) -> None:
        return None

    def desired(self, scope: Scope, host: Host) -> Iterable[Desired]:
        return list(self.wanted.values())

    def observe(self, scope: Scope, host: Host) -> Iterable[Actual]:
        with self.lock:
            return [
                have for have in self.world.values() if have.owner == scope.name or have.key in self.wanted
            ]

    def apply(self, changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
        for change in changes:
            if text := self.noted.get(change.key):
                done.note(change, text)
            if change.key == self.fail_on:
                raise Failure(f"{change.key} was to be made", found="no more room")
            with self.lock:
                self.log.append(change)
                if change.key != self.lie_on:
                    if change.want is None:
                        self.world.pop(change.key, None)
                    else:
                        self.world[change.key] = stand(change.want, scope.name)
            done(change, f"did {change.action}")


def stand(want: Desired, owner: str | None = OWNER) -> Actual:
    return Actual(want.key, dict(want.state), owner, want.requires, want.claims)


def thing(name: str, value: Any = 1, *, requires: Iterable[str] = (), claims: Iterable[str] = ()) -> Desired:
    return Desired(
        Key("thing", name),
        {"value": value},
        frozenset(Key("thing", other) for other in requires),
        frozenset(claims),
    )


def room(*wanted: Desired, world: Iterable[Actual] = ()) -> ModelRoom:
    return ModelRoom(wanted={want.key: want for want in wanted}, world={have.key: have for have in world})


def scope() -> Scope:
    return Scope(OWNER, Path(), "shop.yml", {}, Book())
