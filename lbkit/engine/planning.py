"""From what is desired and what was observed to a Plan."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from lbkit.base.host import Host
from lbkit.engine.diff import ForeignObject, diff
from lbkit.engine.order import in_waves
from lbkit.engine.plan import Plan
from lbkit.engine.resource import Actual, Key
from lbkit.engine.room import Room
from lbkit.engine.scope import Scope


def make_plan(
    rooms: Sequence[Room[Any]],
    scope: Scope,
    host: Host,
    *,
    absent: bool = False,
    adopt: Collection[Key] = (),
) -> Plan:
    """The changes that make the world as declared; with `absent`, those that leave nothing of the topology.

    Raises ForeignObject with every foreign thing that stands in the way, before anything is touched.
    """
    changes = []
    foreign: list[Actual] = []
    notes: list[str] = []
    for room in rooms:
        desired = () if absent else room.desired(scope, host)
        actual = list(room.observe(scope, host))
        try:
            changes += diff(desired, actual, owner=scope.name, judge=room, adopt=adopt)
        except ForeignObject as error:
            keys = set(error.keys)
            foreign += [have for have in actual if have.key in keys]
        if not absent:
            notes += room.notes(scope, host)
    if foreign:
        raise ForeignObject(scope.name, foreign)
    return Plan(scope.name, in_waves(changes), tuple(notes))
