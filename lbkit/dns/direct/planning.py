"""The decision, pure: from a zone as it stands and what is asked of it to changes, and to the edits that make them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lbkit.base.errors import Failure
from lbkit.dns.direct.asked import Asked, Record
from lbkit.dns.direct.forms import OF_THE_SERVER, has_one_value
from lbkit.dns.edits import Edit, Unit
from lbkit.dns.names import MARK_LABEL, absolute
from lbkit.dns.ownership import mark_name, owners
from lbkit.dns.values import TYPES
from lbkit.dns.zonedata import Rrset, ZoneData
from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.plan import Plan
from lbkit.engine.resource import Actual, Desired, Key

Place = tuple[str, str]
Differences = Mapping[Place, Rrset | None]


class InTheWay(Failure):
    """What stands in the zone forbids what was asked. Nothing was touched."""

    def __init__(self, zone: str, obstacles: Iterable[str], remedy: str) -> None:
        self.obstacles = tuple(obstacles)
        super().__init__(
            f"the records of the zone {zone} were to be as the task says",
            found="; ".join(self.obstacles),
            remedy=remedy,
        )


class OfATopology(InTheWay):
    """The task would change what bears a topology's owner mark."""


class StandsOtherwise(InTheWay):
    """Rrsets stand that are not as asked, and the task is to fail then."""


@dataclass(frozen=True, slots=True)
class Decision:
    """`units` carry out the plan's changes, each at one name. `before` and `after` are how each rrset is that changes."""

    plan: Plan
    units: tuple[Unit, ...]
    before: Differences
    after: Differences


def decide(zone: ZoneData, asked: Asked) -> Decision:
    """Raises InTheWay, OfATopology, StandsOtherwise."""
    differing: dict[Place, Rrset | None] = {}
    obstacles: list[str] = []
    theirs: list[str] = []
    otherwise: list[str] = []
    for record in asked.records:
        have = zone.rrsets.get(record.place)
        want = _wanted(record, have, asked)
        if have is not None and want != have and asked.on_existing != "replace":
            otherwise.append(f"{' '.join(record.place)}, with TTL {have.ttl} and {_some(have.values)}")
            continue
        theirs += _of_topologies(zone, record.place, have, want)
        obstacles += _forbidden(record, have, want)
        if want != have:
            differing[record.place] = want
    if otherwise and asked.on_existing == "fail":
        remedy = "`on_existing: keep` leaves them, `on_existing: replace` has them as the task says"
        raise StandsOtherwise(zone.name, otherwise, remedy)
    notes = [f"stands otherwise, and stays so: {one}" for one in otherwise]
    if asked.prune:
        going, kept = _pruned(zone, asked)
        notes += kept
        differing |= dict.fromkeys(going)
    if theirs:
        remedy = "change it in the document of that topology, or leave it out here"
        raise OfATopology(zone.name, theirs, remedy)
    obstacles += _beside_a_cname(zone, differing)
    if obstacles:
        raise InTheWay(zone.name, obstacles, "remove what is in the way first, by a task with state absent")
    changes = tuple(_change(zone, place, want) for place, want in sorted(differing.items()))
    before = {place: zone.rrsets.get(place) for place in differing}
    return Decision(Plan("", changes, tuple(notes)), tuple(_units(zone, differing)), before, differing)


def place_of(change: Change) -> Place:
    _, name, kind = change.key.name.split(" ")
    return name, kind


def _wanted(record: Record, have: Rrset | None, asked: Asked) -> Rrset | None:
    standing = have.values if have else frozenset()
    if asked.absent:
        left = standing - record.values if record.values is not None else frozenset()
        return Rrset(have.ttl, left) if have and left else None
    values = record.values or frozenset()
    ttl = record.ttl if record.ttl is not None else have.ttl if have else asked.ttl
    return Rrset(ttl, values | standing if asked.append else values)


def _of_topologies(zone: ZoneData, place: Place, have: Rrset | None, want: Rrset | None) -> Iterator[str]:
    """What a topology has of this rrset, and would not have any more as it has it."""
    marked = owners(zone, *place)
    name, kind = place
    for value, topology in sorted(marked.items()):
        if want is None or value not in want.values:
            yield f"{name} {kind} {value} is of topology {topology}"
        elif have is not None and want.ttl != have.ttl:
            yield f"{name} {kind} has TTL {have.ttl} with {value} of topology {topology}, and all values of an rrset have one TTL"
            return


def _forbidden(record: Record, have: Rrset | None, want: Rrset | None) -> Iterator[str]:
    name, kind = record.place
    if want is not None and len(want.values) > 1 and has_one_value(kind):
        yield f"{name} {kind} has one value, and other ones stand: {', '.join(sorted(want.values))}"
    # servers pass over the removal of the last one without a word (RFC 2136 section 3.4.2.4)
    if record.place == ("@", "NS") and have and not (want and want.values & have.values):
        yield "@ NS would keep none of its name servers: add the new ones first, and remove the old by another task"


def _pruned(zone: ZoneData, asked: Asked) -> tuple[list[Place], list[str]]:
    listed = {record.place for record in asked.records}
    going: list[Place] = []
    kept: dict[str, list[str]] = {}
    for name, kind in sorted(zone.rrsets):
        if (name, kind) in listed or kind in OF_THE_SERVER or (name, kind) == ("@", "NS"):
            continue
        if name == MARK_LABEL or name.endswith(f".{MARK_LABEL}"):
            continue
        if any(keep.covers(name, kind) for keep in asked.keep):
            continue
        topologies = sorted(set(owners(zone, name, kind).values()))
        for topology in topologies:
            kept.setdefault(topology, []).append(f"{name} {kind}")
        if not topologies:
            going.append((name, kind))
    notes = [
        f"of topology {topology}, so they stay: {', '.join(places)}"
        for topology, places in sorted(kept.items())
    ]
    return going, notes


def _beside_a_cname(zone: ZoneData, differing: Differences) -> Iterator[str]:
    """A server passes over what would put anything beside a CNAME, without a word (RFC 2136 section 3.4.2.2)."""
    kinds = {name: set(zone.kinds_at(name)) for name, _ in differing}
    for (name, kind), want in differing.items():
        (kinds[name].add if want else kinds[name].discard)(kind)
    for name, beside in sorted(kinds.items()):
        if "CNAME" in beside and len(beside) > 1:
            yield f"{name} would have {', '.join(sorted(beside))}, but a CNAME stands alone (RFC 1034 section 3.6.2)"


def _units(zone: ZoneData, differing: Differences) -> Iterator[Unit]:
    by_name: dict[str, list[Edit]] = {}
    for (name, kind), want in sorted(differing.items()):
        by_name.setdefault(name, []).extend(_edits(zone, name, kind, want))
    for name, edits in by_name.items():
        unused = () if zone.kinds_at(name) else (name,)
        # removals first: what makes room at a name comes before what needs it
        yield Unit(name, tuple(sorted(edits, key=lambda edit: (bool(edit.add), edit.kind))), unused)


def _edits(zone: ZoneData, name: str, kind: str, want: Rrset | None) -> Iterator[Edit]:
    have = zone.rrsets.get((name, kind))
    standing = have.values if have else frozenset()
    wanted = want.values if want else frozenset()
    add = wanted - standing
    if have and want and have.ttl != want.ttl:
        add = wanted  # adding a record that stands sets its TTL, RFC 2136 section 3.4.2.2
    ttl = want.ttl if want else 0
    yield Edit(name, kind, have, tuple(sorted(standing - wanted)), tuple(sorted(add)), ttl)
    marks = mark_name(name, kind)
    if have and kind in TYPES and len(absolute(marks, zone.name)) <= _LONGEST_NAME:
        # changes nothing: its prerequisite guards that no topology took a value over in the meantime
        yield Edit(marks, "TXT", zone.rrsets.get((marks, "TXT")), (), (), 0)


_LONGEST_NAME = 253


def _change(zone: ZoneData, place: Place, want: Rrset | None) -> Change:
    name, kind = place
    key = Key("rrset", f"{zone.name} {name} {kind}")
    have = zone.rrsets.get(place)
    before = Actual(key, _state(have), None) if have else None
    after = Desired(key, _state(want)) if want else None
    if have is None:
        assert want is not None  # noqa: S101 - what is neither here nor wanted is no difference
        reason = f"new: {_some(want.values)}"
        return Change(key, Action.CREATE, Impact.NONE, reason, after, None, steps=tuple(_steps(None, want)))
    going = have.values - (want.values if want else frozenset())
    if want is None:
        reason = f"removes {_some(going)}, and with it the rrset"
        return Change(
            key, Action.DELETE, Impact.DISRUPTIVE, reason, None, before, steps=tuple(_steps(have, None))
        )
    reasons = []
    if coming := want.values - have.values:
        reasons.append(f"adds {_some(coming)}")
    if going:
        reasons.append(f"removes {_some(going)}, which resolvers may keep for {have.ttl} s")
    if want.ttl != have.ttl:
        reasons.append(f"TTL {want.ttl} instead of {have.ttl}")
    impact = Impact.HITLESS if going else Impact.NONE
    return Change(
        key, Action.UPDATE, impact, "; ".join(reasons), after, before, steps=tuple(_steps(have, want))
    )


def _steps(have: Rrset | None, want: Rrset | None) -> Iterator[str]:
    standing = have.values if have else frozenset()
    wanted = want.values if want else frozenset()
    yield from (f"remove {value}" for value in sorted(standing - wanted))
    yield from (f"add {value}" for value in sorted(wanted - standing))
    if want and (have is None or have.ttl != want.ttl):
        yield f"TTL {want.ttl}"


def _state(rrset: Rrset) -> dict[str, object]:
    return {"ttl": rrset.ttl, "values": sorted(rrset.values)}


def _some(values: Iterable[str]) -> str:
    found = [value if len(value) <= 60 else value[:57] + "..." for value in sorted(values)]
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
