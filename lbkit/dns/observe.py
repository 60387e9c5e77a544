"""The zones as they stand: one transfer each, from the primary. Never changes anything."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.base.host import Host
from lbkit.dns.dial import client
from lbkit.dns.errors import Unreachable
from lbkit.dns.resolved import ResolvedZone, Zones
from lbkit.dns.tsig import read_key
from lbkit.dns.zonedata import ZoneData
from lbkit.engine.scope import Scope


def zones(scope: Scope) -> tuple[ResolvedZone, ...]:
    return tuple(scope.of("dns", Zones).by_name.values())


def transfer(zone: ResolvedZone, scope: Scope, host: Host) -> ZoneData | None:
    """The zone, or None where its primary is a machine of this topology that does not answer (yet, or any more).

    The key is read in any case: one that cannot be is found before anything is touched.
    """
    key = read_key(zone.key)
    primary = zone.servers[0]
    try:
        with client(zone, primary, key, scope, host) as asked:
            return asked.transfer()
    except Unreachable:
        if primary.machine is None:
            raise
        return None


def notes(scope: Scope, host: Host) -> Iterator[str]:
    """What a plan says of zones that cannot be read before their server stands."""
    for zone in zones(scope):
        primary = zone.servers[0]
        if primary.machine is None or not zone.rrsets:
            continue
        try:
            client(zone, primary, None, scope, host).close()
        except Unreachable:
            yield (
                f"zone {zone.name}: {primary} does not answer yet; the zone is read once it does, and what "
                "stands in it already is left as it is"
            )
