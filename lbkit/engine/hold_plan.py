"""A hold, or its end, as a plan: nothing where it is in force as wanted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lbkit.base.errors import Mistake
from lbkit.base.host import Host
from lbkit.base.problems import near
from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.holding import Rooms, holdable, new
from lbkit.engine.holds import Hold, read_holds
from lbkit.engine.plan import Plan
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.engine.scope import Scope


@dataclass(frozen=True, slots=True)
class WantedHold:
    """`held` False: released. `until` has a time zone; `lasting`: seconds from when it is first held. None of both: until
    it is released.
    """

    path: str
    held: bool = True
    reason: str = ""
    until: datetime | None = None
    lasting: float | None = None
    by: str = ""

    def ends(self, now: datetime) -> datetime | None:
        return self.until if self.lasting is None else now + timedelta(seconds=self.lasting)


def plan_hold(rooms: Rooms, scope: Scope, host: Host, wanted: WantedHold) -> Plan:
    """At most one change. Mistake where nothing of that path can be held, or the hold cannot be meant."""
    now = host.clock.now()
    holds = read_holds(host.folder(scope.name), now)
    before = holds.in_force.get(wanted.path)
    if not wanted.held:
        before = before or holds.expired.get(wanted.path)
        if before is None:
            _known(rooms, scope, wanted.path)
            return Plan(scope.name)
        return _plan(scope, wanted.path, Action.DELETE, "released", before, None)
    new(rooms, scope, host, wanted.path, reason=wanted.reason, by=wanted.by, until=wanted.ends(now))
    if before is not None and before.reason == wanted.reason.strip() and _ends_alike(before, wanted):
        return Plan(scope.name)
    after: dict[str, Any] = {"reason": wanted.reason.strip()}
    if wanted.lasting is None:
        after["until"] = None if wanted.until is None else wanted.until.isoformat()
    else:
        after["seconds"] = wanted.lasting
    action = Action.CREATE if before is None else Action.UPDATE
    return _plan(scope, wanted.path, action, f"held: {wanted.reason.strip()}", before, after)


def _plan(
    scope: Scope, path: str, action: Action, reason: str, before: Hold | None, after: dict[str, Any] | None
) -> Plan:
    key = Key("hold", path)
    have = None if before is None else {"reason": before.reason, "until": before.until}
    change = Change(
        key,
        action,
        Impact.HITLESS,
        reason,
        None if after is None else Desired(key, after),
        None if have is None else Actual(key, have, owner=scope.name),
    )
    return Plan(scope.name, (change,))


def _ends_alike(before: Hold, wanted: WantedHold) -> bool:
    if wanted.lasting is not None:
        return before.until is not None  # it counts from then
    if before.until is None or wanted.until is None:
        return before.until is None and wanted.until is None
    return datetime.fromisoformat(before.until) == wanted.until.replace(microsecond=0)


def _known(rooms: Rooms, scope: Scope, path: str) -> None:
    known = frozenset(holdable(rooms, scope))
    if path not in known:
        raise Mistake(
            f"{path!r} was to be released",
            found=f"nothing of that name in {scope.file}",
            remedy=near(path, known) or "a server can be held: LOAD_BALANCER/BACKEND/SERVER",
        )
