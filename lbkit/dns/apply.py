"""Carry changes out: the zone is read again, and only what still differs is sent, each message all or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lbkit.base.host import Host
from lbkit.dns.dial import client
from lbkit.dns.edits import Unit, Wish, units
from lbkit.dns.errors import ZoneMoved
from lbkit.dns.observe import zones
from lbkit.dns.resolved import ResolvedServer, ResolvedZone
from lbkit.dns.settle import wait_until_served, wait_until_shown
from lbkit.dns.tsig import TsigKey, read_key
from lbkit.engine.change import Action, Change
from lbkit.engine.room import Done
from lbkit.engine.scope import Scope

ATTEMPTS = 4
"""How often a zone that others change at the same moment is read and tried again."""

NOTHING = "nothing: it is so already"


def apply(changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
    by_zone: dict[str, list[Change]] = {}
    for change in changes:
        by_zone.setdefault(change.key.name.split(" ")[0], []).append(change)
    for zone in zones(scope):
        if zone.name in by_zone:
            _Work(zone, scope, host, done).carry_out(by_zone[zone.name])


def wish_of(change: Change) -> Wish:
    _, name, kind = change.key.name.split(" ")
    if change.want is None:
        return Wish(name, kind, 0, frozenset())
    state = change.want.state
    return Wish(name, kind, state["ttl"], frozenset(state["values"]), adopt=change.action is Action.ADOPT)


class _Work:
    """The changes of one zone."""

    def __init__(self, zone: ResolvedZone, scope: Scope, host: Host, done: Done) -> None:
        self.zone = zone
        self.scope = scope
        self.host = host
        self.done = done
        self.key: TsigKey = read_key(zone.key)

    def carry_out(self, changes: Sequence[Change]) -> None:
        pending = {(wish.name, wish.kind): (wish, change) for change in changes for wish in [wish_of(change)]}
        for attempt in range(1, ATTEMPTS + 1):
            try:
                serial = self._attempt(pending)
            except ZoneMoved:
                if attempt == ATTEMPTS:
                    raise
            else:
                break
        all_stand = any(change.want is not None for change in changes)
        wait_until_served(
            self.zone.name,
            serial,
            self.zone.servers[1:],
            self._serial,
            self.host.clock,
            self.zone.settle,
            all_stand=all_stand,
        )

    def _attempt(self, pending: dict[tuple[str, str], tuple[Wish, Change]]) -> int:
        """Bring about what is pending, taking out what is; the primary's serial after it."""
        with client(self.zone, self.zone.servers[0], self.key, self.scope, self.host) as primary:
            data = primary.transfer()
            todo = units(data, self.scope.name, [wish for wish, _ in pending.values()])
            ahead = {unit.name for unit in todo}
            for place in [place for place in pending if place[0] not in ahead]:
                self.done(pending.pop(place)[1], NOTHING)
            if not todo:
                return data.serial
            for sent in primary.update(todo):
                said = {unit.name: unit for unit in sent}
                for place in [place for place in pending if place[0] in said]:
                    self.done(pending.pop(place)[1], executed(said[place[0]], place[1]))
            wait_until_shown(primary, todo[-1], self.host.clock, self.zone.settle)
            return primary.serial()

    def _serial(self, server: ResolvedServer) -> int:
        with client(self.zone, server, None, self.scope, self.host) as asked:
            return asked.serial()


def executed(unit: Unit, kind: str) -> str:
    """What `unit` did to the rrset of that type, for the journal."""
    if all((edit.name, edit.kind) != (unit.name, kind) for edit in unit.edits):
        return NOTHING
    words: list[str] = []
    verbs: Mapping[str, str] = {"remove": "removed", "add": "added"}
    for edit in unit.edits:
        if (edit.name, edit.kind) != (unit.name, kind):
            continue
        words += [
            f"{verb} {', '.join(getattr(edit, field))}"
            for field, verb in verbs.items()
            if getattr(edit, field)
        ]
        if edit.add:
            words.append(f"TTL {edit.ttl}")
    return "; ".join(words) or "owner marks only"
