"""Rooms that have a language and nothing else: what they declare is real, the world they see is empty."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from pydantic import BaseModel

from lbkit.base.host import Host
from lbkit.engine.change import Change
from lbkit.engine.resource import Actual, Desired
from lbkit.engine.room import Done, Room
from lbkit.engine.scope import Draft, Scope
from lbkit.machine import resolve as machine_resolve
from lbkit.machine.spec import Machines
from lbkit.network import resolve as network_resolve
from lbkit.network.spec import Networks
from lbkit.topology import register


class Language(Room[Any]):
    kinds = frozenset()
    section_model: ClassVar[type[BaseModel]]
    meaning: ClassVar[Any]

    @property
    def model(self) -> type[Any]:
        return self.section_model

    def reserve(self, section: Any, draft: Draft) -> None:
        self.meaning.reserve(section, draft)

    def resolve(self, section: Any, draft: Draft) -> object:
        return self.meaning.resolve(section, draft)

    def desired(self, scope: Scope, host: Host) -> Iterable[Desired]:
        return ()

    def observe(self, scope: Scope, host: Host) -> Iterable[Actual]:
        return ()

    def apply(self, changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
        raise AssertionError("nothing is to be applied")


class NetworkLanguage(Language):
    name = "network"
    section = "networks"
    section_model = Networks
    meaning = network_resolve


class MachineLanguage(Language):
    name = "machine"
    section = "machines"
    section_model = Machines
    meaning = machine_resolve


@contextmanager
def registered(*rooms: Room[Any]) -> Iterator[None]:
    """Have these rooms in the register, one line each, as if each had a folder."""
    before = register.ROOMS
    names = []
    for room in rooms:
        module = types.ModuleType(f"tests.rooms_of_now.{room.name}")
        module.ROOM = room  # type: ignore[attr-defined]
        sys.modules[module.__name__] = module
        names.append(module.__name__)
    register.ROOMS = tuple(names)
    register.rooms.cache_clear()
    try:
        yield
    finally:
        register.ROOMS = before
        register.rooms.cache_clear()
        for name in names:
            del sys.modules[name]
