"""Hold and release: the wish is written, then carried out at once, and nothing else. Under the topology's lock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lbkit.base.errors import LbkitError, Mistake
from lbkit.base.host import Host
from lbkit.base.problems import near
from lbkit.engine.holds import Hold, Holds, new_hold, person, read_holds, write_holds
from lbkit.engine.journal import Journal
from lbkit.engine.room import Room
from lbkit.engine.scope import Scope
from lbkit.engine.view import Finding

Rooms = Sequence[Room[Any]]


@dataclass(frozen=True, slots=True)
class Enacted:
    """What came of holding or releasing. `hold`: the one now in force, or that was. `done`: place by place."""

    hold: Hold
    done: tuple[Finding, ...]


def holdable(rooms: Rooms, scope: Scope) -> Iterator[str]:
    return (path for room in rooms for path in room.holdable(scope))


def new(
    rooms: Rooms, scope: Scope, host: Host, path: str, *, reason: str, by: str, until: datetime | None
) -> Hold:
    """A hold that can be meant, not written yet."""
    known = frozenset(holdable(rooms, scope))
    if path not in known:
        raise Mistake(
            f"{path!r} was to be held",
            found=f"nothing of that name that can be held in {scope.file}",
            remedy=near(path, known) or "a server can: LOAD_BALANCER/BACKEND/SERVER",
        )
    return new_hold(path, reason=reason, by=by or person(), now=host.clock.now(), until=until)


def hold(rooms: Rooms, scope: Scope, host: Host, made: Hold) -> Enacted:
    before = read_holds(host.folder(scope.name), host.clock.now())
    return _enact(rooms, scope, host, made, before.with_(made), "hold")


def release(rooms: Rooms, scope: Scope, host: Host, path: str, *, by: str) -> Enacted | None:
    """Also of what is no longer declared, and of a hold whose time is up. None: it was not held."""
    before = read_holds(host.folder(scope.name), host.clock.now())
    was = before.in_force.get(path) or before.expired.get(path)
    if was is None:
        known = {*holdable(rooms, scope), *before.in_force}
        if path not in known:
            raise Mistake(
                f"{path!r} was to be released",
                found=f"nothing of that name in {scope.file}",
                remedy=near(path, before.in_force or known) or "`lbkit hold --list` lists what is held",
            )
        return None
    return _enact(rooms, scope, host, was, before.without(path), "release", released_by=by or person())


def _enact(
    rooms: Rooms, scope: Scope, host: Host, subject: Hold, after: Holds, event: str, **more: Any
) -> Enacted:
    """The file first: killed in between, the next apply carries out what it says."""
    journal = Journal(host.folder(scope.name) / "journal.jsonl", host.clock)
    journal.write(event, **subject.as_data(), **more)
    write_holds(host.folder(scope.name), after)
    scope = replace(scope, holds=after.in_force)
    done: list[Finding] = []
    try:
        for room in rooms:
            if subject.path in room.holdable(scope):
                done += room.enact_hold(scope, host, subject.path)
    except LbkitError as error:
        journal.write("stopped", error=error.as_data())
        raise
    said = [" ".join(filter(None, (each.what, each.evidence))) for each in done]
    journal.write(f"{event} done", path=subject.path, executed=said)
    return Enacted(subject, tuple(done))
