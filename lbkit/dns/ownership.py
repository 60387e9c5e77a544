"""Which values in a zone are whose: one TXT record for each value that lbkit added (docs/adr/0005).

The mark of the value 192.0.2.1 of `shop A` in example.test, for topology web, is
`a.shop._lbkit.example.test. TXT "lbkit:web:rrset" "192.0.2.1"`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from lbkit.base.mark import mark, read_mark
from lbkit.dns.names import MARK_LABEL
from lbkit.dns.values import TYPES, quoted
from lbkit.dns.zonedata import Rrset, ZoneData

MARK_TTL = 300

_LONGEST_VALUE = 200  # octets; a longer one is marked by its hash, so that the mark stays one string of 255
_TEXT = re.compile(r'"([^"\\]*)" "((?:[^"\\]|\\["\\])*)"\Z')


def mark_name(name: str, kind: str) -> str:
    """Where the marks of an rrset are, relative to the zone. Apart from it: beside a CNAME no TXT may stand."""
    return f"{kind.lower()}.{MARK_LABEL}" if name == "@" else f"{kind.lower()}.{name}.{MARK_LABEL}"


def marked(name: str) -> tuple[str, str] | None:
    """The (name, type) whose marks are at `name`; None where it is no place of marks."""
    labels = name.split(".")
    if len(labels) < 2 or labels[-1] != MARK_LABEL or labels[0].upper() not in TYPES:
        return None
    return ".".join(labels[1:-1]) or "@", labels[0].upper()


def mark_value(topology: str, value: str) -> str:
    """The TXT value that says that `value` belongs to `topology`."""
    return f"{quoted(mark(topology, 'rrset').encode())} {quoted(_token(value).encode())}"


def _token(value: str) -> str:
    return value if len(value) <= _LONGEST_VALUE else "sha256:" + hashlib.sha256(value.encode()).hexdigest()


def _owner(text: str) -> str | None:
    match = _TEXT.match(text)
    found = read_mark(match[1]) if match else None
    return found.topology if found and found.path == "rrset" else None


@dataclass(frozen=True, slots=True)
class Holding:
    """One rrset as one topology sees it.

    `ours` are the values that stand and bear its mark, `others` those that stand otherwise, with the topology
    that marked them or None. `stale` are its marks (TXT values) of values that are gone.
    """

    name: str
    kind: str
    rrset: Rrset | None
    marks: Rrset | None
    ours: frozenset[str] = frozenset()
    others: Mapping[str, str | None] = field(default_factory=dict)
    stale: frozenset[str] = frozenset()


def holding(zone: ZoneData, topology: str, name: str, kind: str) -> Holding:
    rrset = zone.rrsets.get((name, kind))
    marks = zone.rrsets.get((mark_name(name, kind), "TXT"))
    if marks is None:
        return Holding(name, kind, rrset, None, others=dict.fromkeys(rrset.values) if rrset else {})
    owners = {text: _owner(text) for text in marks.values}
    mine = {text for text, owner in owners.items() if owner == topology}
    ours = frozenset(
        value for value in (rrset.values if rrset else ()) if mark_value(topology, value) in mine
    )
    others: dict[str, str | None] = {}
    known = {owner for owner in owners.values() if owner}
    for value in rrset.values - ours if rrset else ():
        others[value] = next((owner for owner in sorted(known) if mark_value(owner, value) in owners), None)
    stale = mine - {mark_value(topology, value) for value in ours}
    return Holding(name, kind, rrset, marks, ours, others, frozenset(stale))


def owners(zone: ZoneData, name: str, kind: str) -> dict[str, str]:
    """The values of an rrset that bear a topology's mark, each with that topology."""
    rrset = zone.rrsets.get((name, kind))
    marks = zone.rrsets.get((mark_name(name, kind), "TXT"))
    if rrset is None or marks is None:
        return {}
    found: dict[str, str] = {}
    for topology in sorted({owner for text in marks.values if (owner := _owner(text))}):
        for value in rrset.values:
            if mark_value(topology, value) in marks.values:
                found.setdefault(value, topology)
    return found


def held(zone: ZoneData, topology: str) -> frozenset[tuple[str, str]]:
    """Every (name, type) that bears a mark of `topology`."""
    found = set()
    for (name, kind), rrset in zone.rrsets.items():
        place = marked(name) if kind == "TXT" else None
        if place is not None and any(_owner(text) == topology for text in rrset.values):
            found.add(place)
    return frozenset(found)


def in_the_way(
    zone: ZoneData, topology: str, have: Holding, values: Container[str], going: Container[tuple[str, str]]
) -> tuple[list[str], list[str]]:
    """What hinders `values` at `have`: values of others, and other types at the name.

    The first can be taken over. The second cannot: a CNAME stands alone, and a server passes over what would
    break that without a word (RFC 2136 section 3.4.2.2). `going` are the rrsets that this topology gives up.
    """
    taken = sorted(value for value in have.others if have.kind == "CNAME" or value in values)
    beside = zone.kinds_at(have.name) - {have.kind}
    rivals = beside if have.kind == "CNAME" else beside & {"CNAME"}
    staying = []
    for kind in sorted(rivals):
        if (
            (have.name, kind) in going
            and kind in TYPES
            and not holding(zone, topology, have.name, kind).others
        ):
            continue
        staying.append(f"{have.name} {kind}")
    return taken, staying
