"""From what is desired and what was observed to a Plan."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from lbkit.base.errors import Failure, Mistake
from lbkit.base.host import Host
from lbkit.engine.again import looked
from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.diff import ForeignObject, diff
from lbkit.engine.limiting import that_can_be
from lbkit.engine.order import in_waves, natural
from lbkit.engine.plan import Plan
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.engine.room import Room
from lbkit.engine.scope import Scope


def make_plan(
    rooms: Sequence[Room[Any]],
    scope: Scope,
    host: Host,
    *,
    absent: bool = False,
    adopt: Collection[Key] = (),
    anew: Mapping[Key, Action] | None = None,
    partly: bool = False,
) -> Plan:
    """The changes that make the world as declared; with `absent`, those that leave nothing of the topology.

    `anew`: what is to be replaced or restarted though it stands as declared. Mistake where that cannot be done with it.
    What cannot be seen now is left alone, with a note; with `absent` that is a Failure.
    Raises ForeignObject with every foreign thing that stands in the way, before anything is touched.
    `partly`: who chooses a part of it (`selecting.chooser`) raises these, where they concern that part; what is foreign is adopted in this plan.
    """
    return looked(
        lambda: _make_plan(rooms, scope, host, absent=absent, adopt=adopt, anew=anew or {}, partly=partly)
    )


def _make_plan(
    rooms: Sequence[Room[Any]],
    scope: Scope,
    host: Host,
    *,
    absent: bool,
    adopt: Collection[Key],
    anew: Mapping[Key, Action],
    partly: bool,
) -> Plan:
    changes: list[Change] = []
    wanted: list[tuple[Room[Any], Desired]] = []
    foreign: list[Actual] = []
    notes: list[str] = []
    unseen: dict[Key, str] = {}
    for room in rooms:
        desired = [] if absent else list(room.desired(scope, host))
        wanted += [(room, want) for want in desired if want.within is not None or want.spare_for]
        actual = list(room.observe(scope, host))
        try:
            differing = diff(desired, actual, owner=scope.name, judge=room, adopt=adopt)
        except ForeignObject as error:
            in_the_way = [have for have in actual if have.key in set(error.keys)]
            if not partly:
                foreign += in_the_way
                continue
            differing = list(_beside(in_the_way, desired, actual, room, scope, adopt))
        changes += _with_asked(differing, desired, actual, room, scope, anew) if anew else differing
        unseen |= room.unseen(scope, host)
        if not absent:
            notes += room.notes(scope, host)
    if foreign:
        raise ForeignObject(scope.name, foreign)
    if absent and unseen and not partly:
        raise Failure(
            "nothing of the topology was to be left",
            found="; ".join(_of_unseen(unseen)),
            remedy="bring it back; or take it out of the topology's file: what stands there then stays",
        )
    changes = _with_replaced(changes, wanted, anew)
    changes = [*changes, *_spares(changes, wanted)]
    if unseen:
        changes = that_can_be(changes, lambda change: change.key not in unseen)
        notes += _of_unseen(unseen)
    return Plan(scope.name, in_waves(changes), tuple(notes))


def _beside(
    foreign: Sequence[Actual],
    desired: Iterable[Desired],
    actual: Iterable[Actual],
    room: Room[Any],
    scope: Scope,
    adopt: Collection[Key],
) -> Iterable[Change]:
    """The differences of all else; and of what is foreign that it would have to be taken over."""
    theirs = {have.key: have for have in foreign}
    yield from diff(
        [want for want in desired if want.key not in theirs],
        [have for have in actual if have.key not in theirs],
        owner=scope.name,
        judge=room,
        adopt=adopt,
    )
    for want in desired:
        if (have := theirs.get(want.key)) is not None:
            yield Change(want.key, Action.ADOPT, Impact.NONE, "it is somebody else's", want, have)


def _of_unseen(unseen: Mapping[Key, str]) -> Iterable[str]:
    why: dict[str, list[str]] = {}
    for key, reason in unseen.items():
        why.setdefault(reason, []).append(str(key))
    for reason, keys in why.items():
        yield f"{reason}: {', '.join(keys)} and all that needs {'it' if len(keys) == 1 else 'them'} left alone"


def _with_asked(
    changes: Sequence[Change],
    desired: Iterable[Desired],
    actual: Iterable[Actual],
    room: Room[Any],
    scope: Scope,
    anew: Mapping[Key, Action],
) -> list[Change]:
    """With what a person wants anew in the place of what is planned for that otherwise. What does not stand is made all the same."""
    standing = {have.key: have for have in actual if have.owner == scope.name}
    asked = []
    for want in desired:
        have = standing.get(want.key)
        if want.key not in anew or have is None:
            continue
        verdict = room.judge_anew(want, have, scope, anew)
        if verdict is None:
            raise Mistake(
                f"{want.key} was to be {_DONE[anew[want.key]]}",
                found="only machines can be",
                remedy=f"name the machine that it is on, such as machine/{want.within.name}"
                if want.within
                else "",
            )
        asked.append(
            Change(want.key, verdict.action, verdict.impact, verdict.reason, want, have, steps=verdict.steps)
        )
    keys = {change.key for change in asked}
    return [*(change for change in changes if change.key not in keys), *asked]


_DONE = {Action.REPLACE: "replaced", Action.RESTART: "restarted"}


def _with_replaced(
    changes: Sequence[Change],
    wanted: Sequence[tuple[Room[Any], Desired]],
    anew: Mapping[Key, Action],
) -> list[Change]:
    """What lives within a thing that is replaced is made anew in the new one, and goes with the old one; so it is where a
    person wants the thing restarted.
    """
    replaced = {
        change.key: change
        for change in changes
        if change.action is Action.REPLACE or (change.action is Action.RESTART and change.key in anew)
    }
    if not replaced:
        return list(changes)
    kept = [change for change in changes if change.within not in replaced]
    for room, want in wanted:
        by = replaced.get(want.within) if want.within else None
        if by is not None and (again := room.judge_again(want, by)) is not None:
            action = Action.RESTART if by.action is Action.RESTART else again.action
            kept.append(Change(want.key, action, again.impact, again.reason, want, None, steps=again.steps))
    return kept


def _spares(changes: Sequence[Change], wanted: Sequence[tuple[Room[Any], Desired]]) -> Iterable[Change]:
    """As many as may be used up, the first by their names, are made anew."""
    planned = {change.key for change in changes}
    made = {change.key: change for change in changes if change.action in {Action.CREATE, Action.REPLACE}}
    used: dict[frozenset[Key], int] = {}
    for room, want in sorted(wanted, key=lambda each: natural(each[1].key)):
        users = sorted(want.spare_for & made.keys())
        if used.get(want.spare_for, 0) >= len(users):
            continue
        used[want.spare_for] = used.get(want.spare_for, 0) + 1
        if want.key not in planned and (again := room.judge_again(want, made[users[0]])) is not None:
            yield Change(want.key, again.action, again.impact, again.reason, want, None, steps=again.steps)
