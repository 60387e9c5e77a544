"""Of a plan that leaves nothing the part that removes what a person names, and leaves the rest as it is. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lbkit.base.errors import Failure
from lbkit.engine.plan import Plan
from lbkit.engine.resource import Actual, Key


class StillNeeded(Failure):
    """What would stay needs what was to be removed. Nothing was touched.

    `needed`: by the key of what would stay, what it cannot do without.
    """

    def __init__(self, topology: str, needed: Mapping[Key, frozenset[Key]]) -> None:
        self.needed = dict(sorted(needed.items()))
        by_goner: dict[str, list[Key]] = {}
        for key, goners in self.needed.items():
            by_goner.setdefault(_words(goners), []).append(key)
        goners = frozenset[Key]().union(*needed.values())
        super().__init__(
            f"{_words(goners)} of {topology} {'was' if len(goners) == 1 else 'were'} to be removed, and nothing that needs it",
            found="; ".join(
                f"{_words(keys)} {'needs' if len(keys) == 1 else 'need'} {goner}"
                for goner, keys in by_goner.items()
            ),
            remedy="remove that first, or name it too; nothing was touched",
        )

    def as_data(self) -> dict[str, Any]:
        needed = {str(key): sorted(map(str, goners)) for key, goners in self.needed.items()}
        return {**super().as_data(), "needed": needed}


@dataclass(frozen=True, slots=True)
class Unseen:
    """Of something that is declared nobody can see now whether it stands: why, and what it would require."""

    why: str
    requires: frozenset[Key]


def removal(
    plan: Plan,
    names: Collection[str],
    things: Mapping[str, frozenset[Key]],
    unseen: Mapping[Key, Unseen] | None = None,
) -> Plan:
    """Of `plan`, which removes all that stands, the changes of what is named and of what lives and dies with it.

    What belongs to several things (one web server of two mirrors) goes with the last that stands. Raises StillNeeded where
    something that stays cannot do without what goes; where it goes on with one less, a note says so. What cannot be seen counts as
    if it stood, and cannot go: Failure.
    """
    unseen = unseen or {}
    if hidden := {key: unseen[key] for name in names for key in things[name] if key in unseen}:
        raise Failure(
            f"{_words(hidden)} of {plan.topology} {'was' if len(hidden) == 1 else 'were'} to be removed",
            found="; ".join(sorted({each.why for each in hidden.values()})),
            remedy="bring it back; or take it out of the topology's file: what stands there then stays",
        )
    stands = {change.key: change.have for change in plan.changes if change.have is not None}
    goes = {key for name in names for key in things[name]} & stands.keys()
    goes -= _of_others(names, things, goes, stands)
    while more := {key for key, have in stands.items() if have.within in goes} - goes:
        goes |= more
    stays = {key: have for key, have in stands.items() if key not in goes}
    for key, each in unseen.items():
        stays.setdefault(key, Actual(key, {}, plan.topology, each.requires))
    gone = frozenset[Key]().union(*things.values()) - stays.keys()
    needed = {key: missed for key, have in stays.items() if (missed := _missed(have, goes, gone))}
    if needed:
        raise StillNeeded(plan.topology, needed)
    notes = [
        f"{key} stays, and goes on without {_words(lost)}"
        for key, have in sorted(stays.items())
        if (lost := have.any_of & goes)
    ]
    kept = tuple(change for change in plan.changes if change.key in goes)
    return replace(plan, changes=kept, notes=(*plan.notes, *notes))


def _of_others(
    names: Collection[str], things: Mapping[str, frozenset[Key]], goes: set[Key], stands: Collection[Key]
) -> set[Key]:
    """Of what goes what belongs to things of the same kinds that stay. One stands where something does that is its alone.

    A thing that has another one whole (a group its machines) keeps nothing of it.
    """
    kinds = {_kind(name) for name in names}
    kin = {name: its for name, its in things.items() if _kind(name) in kinds}
    had = Counter(key for its in kin.values() for key in its)
    found: set[Key] = set()
    for other, its in kin.items():
        if other in names or not its & goes or any(kin[name] <= its for name in names):
            continue
        if any(had[key] == 1 and key in stands for key in its):
            found |= its & goes
    return found


def _kind(name: str) -> str:
    return name.partition("/")[0]


def _missed(have: Actual, goes: Collection[Key], gone: Collection[Key]) -> frozenset[Key]:
    """`gone`: all that stands no longer then. What is in no topology (a server elsewhere) is not of these."""
    missed = frozenset(key for key in have.requires if key in goes)
    any_of = frozenset(key for key in have.any_of if key in goes)
    return missed | any_of if any_of and all(key in gone for key in have.any_of) else missed


def _words(keys: Collection[Key]) -> str:
    return ", ".join(str(key) for key in sorted(keys))
