"""From a zone as it stands to what an update has to say: pure, so that a model of a server can test it.

RFC 2136: the prerequisites of a message are all checked before its first record is changed, and then its
records are carried out in order, all or none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from lbkit.base.errors import Failure
from lbkit.dns.ownership import MARK_TTL, holding, in_the_way, mark_name, mark_value
from lbkit.dns.zonedata import Rrset, ZoneData


@dataclass(frozen=True, slots=True)
class Edit:
    """Single values to remove from and to add to one rrset. `before` is the rrset that it was made for: a prerequisite."""

    name: str
    kind: str
    before: Rrset | None
    remove: tuple[str, ...]
    add: tuple[str, ...]
    ttl: int


@dataclass(frozen=True, slots=True)
class Unit:
    """What must go in one message: every edit at one name, and those of its marks.

    `unused` are names at which nothing stands yet, nor may when it is carried out: no CNAME either.
    """

    name: str
    edits: tuple[Edit, ...]
    unused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """What one change asks of one rrset: `values` empty where it goes. `adopt`: a person said to take it over."""

    name: str
    kind: str
    ttl: int
    values: frozenset[str]
    adopt: bool = False


class InTheWay(Failure):
    """What others have put where a change was to go, though the plan did not see it or adopting cannot mend it."""

    def __init__(self, zone: str, wish: Wish, found: Iterable[str]) -> None:
        super().__init__(
            f"{wish.name} {wish.kind} was to be changed in the zone {zone}",
            found=f"in the way, and not of this topology: {', '.join(found)}",
            remedy="remove or rename what is in the way, then look at a new plan",
        )


def units(zone: ZoneData, topology: str, wishes: Collection[Wish]) -> list[Unit]:
    """The edits that make `wishes` true in `zone`, by name; nothing for what is as wished. Raises InTheWay."""
    going = {(wish.name, wish.kind) for wish in wishes if not wish.values}
    by_name: dict[str, list[Edit]] = {}
    for wish in wishes:
        by_name.setdefault(wish.name, []).extend(_edits(zone, topology, wish, going))
    return [_unit(zone, name, edits) for name, edits in sorted(by_name.items()) if edits]


def _edits(zone: ZoneData, topology: str, wish: Wish, going: Collection[tuple[str, str]]) -> list[Edit]:
    have = holding(zone, topology, wish.name, wish.kind)
    taken, beside = in_the_way(zone, topology, have, wish.values, going) if wish.values else ([], [])
    if beside or (taken and not wish.adopt):
        raise InTheWay(zone.name, wish, [*taken, *beside])
    remove = (have.ours - wish.values) | (set(taken) - wish.values)
    add = wish.values - have.ours - set(taken)
    staying = set(have.others) - set(taken)
    ttl = have.rrset.ttl if have.rrset and staying else wish.ttl
    if have.rrset and have.rrset.ttl != ttl:
        add = wish.values  # adding a record that stands sets its TTL, RFC 2136 section 3.4.2.2
    marks = frozenset(mark_value(topology, value) for value in wish.values)
    standing = have.marks.values if have.marks else frozenset()
    theirs = {mark_value(owner, value) for value in taken for owner in [have.others[value]] if owner}
    ours = {mark_value(topology, value) for value in have.ours} | have.stale
    edits = [
        Edit(wish.name, wish.kind, have.rrset, tuple(sorted(remove)), tuple(sorted(add)), ttl),
        Edit(
            mark_name(wish.name, wish.kind),
            "TXT",
            have.marks,
            tuple(sorted((ours - marks) | theirs)),
            tuple(sorted(marks - standing)),
            have.marks.ttl if have.marks else MARK_TTL,
        ),
    ]
    if not any(edit.remove or edit.add for edit in edits):
        return []
    return edits  # an edit without changes stays: its prerequisite guards what the other one rests on


def _unit(zone: ZoneData, name: str, edits: list[Edit]) -> Unit:
    names = dict.fromkeys([name, *(edit.name for edit in edits)])
    unused = tuple(one for one in names if not zone.kinds_at(one))
    # removals first: what makes room at a name comes before what needs it
    order = sorted(edits, key=lambda edit: (bool(edit.add), edit.name, edit.kind))
    return Unit(name, tuple(order), unused)
