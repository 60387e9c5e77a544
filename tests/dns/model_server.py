"""A server as RFC 2136 has it, for one zone in memory: what an update does, without a server."""

from __future__ import annotations

from collections.abc import Iterable

from lbkit.dns.edits import Edit, Unit
from lbkit.dns.zonedata import Rrset, ZoneData

Rrsets = dict[tuple[str, str], Rrset]


class PrerequisiteFailed(Exception):
    pass


def carried_out(zone: ZoneData, units: Iterable[Unit]) -> ZoneData:
    """`zone` after one message with `units` (section 3.2: all prerequisites first; 3.4: then records in order)."""
    units = list(units)
    for unit in units:
        _check(zone, unit)
    rrsets: Rrsets = dict(zone.rrsets)
    edits = [edit for unit in units for edit in unit.edits]
    for edit in edits:
        _remove(rrsets, edit)
    for edit in edits:
        _add(rrsets, edit)
    return ZoneData(zone.name, zone.serial + 1, rrsets)


def _check(zone: ZoneData, unit: Unit) -> None:
    for name in unit.unused:
        if any(owner == name for owner, _ in zone.rrsets):
            raise PrerequisiteFailed(f"YXDOMAIN {name}")
    for edit in unit.edits:
        found = zone.rrsets.get((edit.name, edit.kind))
        if (found.values if found else None) != (edit.before.values if edit.before else None):
            raise PrerequisiteFailed(f"NXRRSET {edit.name} {edit.kind}")


def _remove(rrsets: Rrsets, edit: Edit) -> None:
    found = rrsets.get((edit.name, edit.kind))
    if found is None:
        return
    left = found.values - set(edit.remove)
    if left:
        rrsets[edit.name, edit.kind] = Rrset(found.ttl, left)
    else:
        del rrsets[edit.name, edit.kind]


def _add(rrsets: Rrsets, edit: Edit) -> None:
    if not edit.add:
        return
    beside = {kind for name, kind in rrsets if name == edit.name}
    if any((kind == "CNAME") != (edit.kind == "CNAME") for kind in beside):
        return  # section 3.4.2.2: passed over without a word
    found = rrsets.get((edit.name, edit.kind))
    values = frozenset(edit.add) if edit.kind == "CNAME" or found is None else found.values | set(edit.add)
    rrsets[edit.name, edit.kind] = Rrset(edit.ttl, values)
