"""What can be done with a zone by its primary and a key, for every face; no topology, lock or folder is needed.

>>> at = zones.ZoneServer("192.0.2.53", "example.org", key=zones.tsig_key("lbkit", secret_file=Path("tsig.key")))
>>> asked = zones.asked("example.org", [{"name": "www", "type": "A", "values": ["192.0.2.1"]}])
>>> zones.plan_records(at, asked)
>>> zones.apply_records(at, asked)
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from lbkit.base.clock import Clock, SystemClock
from lbkit.base.errors import LbkitError
from lbkit.dns.client import Client
from lbkit.dns.direct.asked import Asked, Keep, Record, asked, places, seconds
from lbkit.dns.direct.contents import ZoneContents, contents
from lbkit.dns.direct.finding import NoZoneFound, OfSeveralZones, zone_server_for
from lbkit.dns.direct.planning import Decision, InTheWay, OfATopology, StandsOtherwise, decide, place_of
from lbkit.dns.direct.server import ZoneServer, secondary, tsig_key
from lbkit.dns.errors import Refused, ServerFailure, ZoneMoved
from lbkit.dns.resolved import ResolvedServer
from lbkit.dns.settle import wait_until_served
from lbkit.engine.applying import ApplyFailed, NotAsPlanned, PlanChanged, Result
from lbkit.engine.change import Change
from lbkit.engine.plan import Plan

__all__ = [
    "Asked",
    "InTheWay",
    "Keep",
    "NoZoneFound",
    "OfATopology",
    "OfSeveralZones",
    "Record",
    "StandsOtherwise",
    "ZoneContents",
    "ZoneServer",
    "apply_records",
    "asked",
    "contents",
    "places",
    "plan_records",
    "secondary",
    "seconds",
    "tsig_key",
    "zone_server_for",
]

ATTEMPTS = 4
"""How often a zone that others change at the same moment is read and planned anew."""

SETTLE = 30.0
"""Seconds in which an update is served, by default."""

_PAUSE = 0.2  # seconds between readings: a server that signs or forwards does not tell when it is done


def plan_records(at: ZoneServer, wish: Asked) -> Plan:
    """What `apply_records` would do now. Raises InTheWay and ServerFailure."""
    with at.client() as primary:
        return decide(primary.transfer(), wish).plan


def apply_records(
    at: ZoneServer,
    wish: Asked,
    *,
    promised: Plan | None = None,
    wait_for: Sequence[ResolvedServer] = (),
    settle: float = SETTLE,
    clock: Clock | None = None,
) -> Plan:
    """Carry the plan out, which is made anew; what was done, once the zone is read back and as planned.

    Where `promised` is given and the plan is another one, PlanChanged is raised before anything is touched. A zone
    that moves between its reading and the update is planned anew, ATTEMPTS times in all. Then each of `wait_for`
    has to serve the zone's serial within `settle` seconds. Where something was done before it fails: ApplyFailed.
    """
    return _Work(at, wish, promised, wait_for, settle, clock or SystemClock()).carried_out()


class _Work:
    """One apply."""

    def __init__(
        self,
        at: ZoneServer,
        wish: Asked,
        promised: Plan | None,
        wait_for: Sequence[ResolvedServer],
        settle: float,
        clock: Clock,
    ) -> None:
        self.at = at
        self.wish = wish
        self.promised = promised
        self.wait_for = wait_for
        self.settle = settle
        self.clock = clock
        self.began = clock.monotonic()
        self.done: list[Change] = []
        self.left: tuple[Change, ...] = ()
        self.notes: tuple[str, ...] = ()

    @property
    def plan(self) -> Plan:
        return Plan("", (*self.done, *self.left), self.notes)

    def carried_out(self) -> Plan:
        try:
            serial = self._updated()
            wait_until_served(
                self.at.zone, serial, self.wait_for, self.at.serial, self.clock, self.settle, all_stand=True
            )
        except LbkitError as error:
            if not self.done:
                raise
            seconds = self.clock.monotonic() - self.began
            result = Result(self.plan, tuple(self.done), self.left, seconds, notes=self.notes)
            raise ApplyFailed(result, error, self.left) from error
        return self.plan

    def _updated(self) -> int:
        """The serial of the zone in which it is done."""
        for _ in range(ATTEMPTS - 1):
            with suppress(ZoneMoved):
                return self._attempt()
        return self._attempt()

    def _attempt(self) -> int:
        with self.at.client() as primary:
            decision = self._decided(primary)
            if not decision.plan:
                return primary.serial()
            try:
                self._sent(primary, decision)
            except (Refused, ZoneMoved):
                raise
            except ServerFailure:
                self._learn(decision)
                raise
            return self._read_back(primary, decision)

    def _decided(self, primary: Client) -> Decision:
        decision = decide(primary.transfer(), self.wish)
        self.left, self.notes = decision.plan.changes, decision.plan.notes
        if self.promised is not None and self.plan.as_data() != self.promised.as_data():
            raise PlanChanged(self.promised, self.plan)
        return decision

    def _sent(self, primary: Client, decision: Decision) -> None:
        for sent in primary.update(decision.units):
            names = {unit.name for unit in sent}
            self.done += [change for change in self.left if place_of(change)[0] in names]
            self.left = tuple(change for change in self.left if place_of(change)[0] not in names)

    def _learn(self, decision: Decision) -> None:
        """After an answer that was lost: what the server has done all the same, where it still says so."""
        with suppress(ServerFailure), self.at.client() as primary:
            rrsets = primary.transfer().rrsets
            stand = [
                change
                for change in self.left
                if rrsets.get(place_of(change)) == decision.after[place_of(change)]
            ]
            self.done += stand
            self.left = tuple(change for change in self.left if change not in stand)

    def _read_back(self, primary: Client, decision: Decision) -> int:
        """Once the zone is as planned. One that is still as it was may be signed apart, or have been forwarded."""
        deadline = self.clock.monotonic() + self.settle
        while True:
            data = primary.transfer()
            for change in decision.plan.changes:
                wanted, found = decision.after[place_of(change)], data.rrsets.get(place_of(change))
                if found == wanted:
                    continue
                as_it_was = found == decision.before[place_of(change)]
                if not as_it_was or self.clock.monotonic() >= deadline:
                    words = (
                        f"TTL {found.ttl}, {', '.join(sorted(found.values))}" if found else "no such rrset"
                    )
                    raise NotAsPlanned(change, words + (" as before" if as_it_was else ""))
                break
            else:
                return data.serial
            self.clock.sleep(_PAUSE)
