"""Of a plan the part that a person names: by the things of the language, or by kinds of resources. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from lbkit.base.errors import Mistake
from lbkit.base.host import Host
from lbkit.base.problems import near
from lbkit.engine.change import Action
from lbkit.engine.diff import ForeignObject
from lbkit.engine.limiting import part
from lbkit.engine.plan import Plan
from lbkit.engine.removing import Unseen, removal
from lbkit.engine.resource import Key
from lbkit.engine.room import Room
from lbkit.engine.scope import Scope
from lbkit.engine.view import Status

Things = Mapping[str, frozenset[Key]]
"""What belongs to each thing that a person can name, by "KIND/NAME": `Room.things` of all rooms."""


def rooms_of(rooms: Iterable[Room[Any]], only: Collection[str]) -> list[Room[Any]]:
    """Those that have kinds of things that `only` names."""
    kinds = [pattern.partition("/")[0] for pattern in only]
    return [
        room
        for room in rooms
        if any(fnmatchcase(word, kind) for word in room.kinds | room.nouns for kind in kinds)
    ]


def rows_of(
    rooms: Iterable[Room[Any]], scope: Scope, rows: Sequence[Status], only: Collection[str]
) -> list[Status]:
    """Of rows of status those of what `only` names."""
    things = things_of(rooms, scope, [row.key for row in rows])
    wanted = {key for pattern in only for name in matching(pattern, things) for key in things[name]}
    return [row for row in rows if row.key in wanted]


def named(key: Key, patterns: Collection[str]) -> bool:
    """Whether one of them names this very resource: patterns of KIND, or of KIND/NAME (fnmatch)."""
    return any(
        fnmatchcase(f"{key.kind}/{key.name}" if "/" in pattern else key.kind, pattern) for pattern in patterns
    )


def chooser(
    rooms: Sequence[Room[Any]],
    scope: Scope,
    host: Host,
    only: Collection[str],
    *,
    absent: bool,
    adopt: Collection[Key] = (),
) -> Callable[[Plan], Plan]:
    """What makes of a plan (with `partly`) the part of it that `only` names; of one with `absent` what can go without the rest.

    ForeignObject where something of that part is somebody else's, and not in `adopt`.
    """
    if not only:
        return lambda plan: plan
    wanted = {want.key: want for room in rooms for want in room.desired(scope, host)}
    words = {word for room in rooms for word in room.kinds | room.nouns}

    def chosen(plan: Plan) -> Plan:
        things = things_of(rooms, scope, wanted.keys() | {change.key for change in plan.changes})
        if absent:
            unseen = {
                key: Unseen(why, wanted[key].requires if key in wanted else frozenset())
                for key, why in unseen_of(rooms, scope, host).items()
            }
            return removal(plan, _found(plan, only, things, words), things, unseen)
        its = selected(plan, only, things)
        foreign = [each for each in its.changes if each.action is Action.ADOPT and each.key not in adopt]
        if foreign:
            raise ForeignObject(scope.name, [each.have for each in foreign if each.have is not None])
        return its

    return chosen


def unseen_of(rooms: Iterable[Room[Any]], scope: Scope, host: Host) -> dict[Key, str]:
    """What nobody could see when the rooms looked last, and why."""
    return {key: why for room in rooms for key, why in room.unseen(scope, host).items()}


def resources(
    rooms: Sequence[Room[Any]], scope: Scope, host: Host, patterns: Collection[str]
) -> frozenset[Key]:
    """What is declared of the things that `patterns` name, and is of their own kind: a machine itself, of a group its machines."""
    if not patterns:
        return frozenset()
    declared = {want.key for room in rooms for want in room.desired(scope, host)}
    things = things_of(rooms, scope, declared)
    names = _found(Plan(scope.name), patterns, things)
    return frozenset(key for name in names for key in things[name] if key.kind == name.partition("/")[0])


def things_of(rooms: Iterable[Room[Any]], scope: Scope, keys: Collection[Key]) -> Things:
    """All that can be named, with what of `keys` belongs to it."""
    found: dict[str, frozenset[Key]] = {}
    for room in rooms:
        for name, its in room.things(scope, keys).items():
            found[name] = found.get(name, frozenset()) | its
    return found


def selected(plan: Plan, only: Collection[str], things: Things) -> Plan:
    """The changes of what `only` names, and those that these need. Mistake where one of them names nothing."""
    names = _found(plan, only, things)
    wanted = frozenset[Key]().union(*(things[name] for name in names))
    return part(plan, lambda change: change.key in wanted)


def _found(
    plan: Plan, only: Collection[str], things: Things, words: Collection[str] = frozenset()
) -> frozenset[str]:
    """The names of things that `only` names. Mistake where one names nothing, but for a NAME that may be gone: of one of `words`."""
    found: set[str] = set()
    for pattern in only:
        names = matching(pattern, things)
        if not names and pattern.partition("/")[0] not in words:
            known = {*things, *(name.partition("/")[0] for name in things), *words}
            raise Mistake(
                f"{pattern!r} was to name a part of {plan.topology}",
                found="nothing of that name is declared, or stands",
                remedy=near(pattern, known) or "name it as KIND or KIND/NAME, as `lbkit plan` does",
            )
        found |= names
    return frozenset(found)


def matching(pattern: str, names: Iterable[str]) -> set[str]:
    """Of `names` ("KIND/NAME") what a pattern of KIND or of KIND/NAME (fnmatch) means; a name means itself alone."""
    names = list(names)
    if pattern in names:
        return {pattern}
    if "/" in pattern:
        return {name for name in names if fnmatchcase(name, pattern)}
    return {name for name in names if fnmatchcase(name.partition("/")[0], pattern)}
