"""Put changes in a safe order: waves, each of which may run in parallel once the wave before is done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from lbkit.base.errors import Bug
from lbkit.engine.change import Action, Change
from lbkit.engine.resource import Desired, Key


def in_waves(changes: Iterable[Change]) -> tuple[Change, ...]:
    """`changes` with their waves set, sorted by wave and key.

    A change comes after the making of what it will require, and before the removal of what it required.
    A claim (an address, say) is taken after the change that gives it up. Two changes that swap a claim
    would wait for each other: there the claim yields, never a requirement. What is `last` within a thing comes after
    all else within it, but what requires it. Of those that take turns the next waits for the one before, and for what
    stands on that. A spare comes after all that it may be a spare for.
    """
    by_key = {change.key: change for change in changes}
    required = {key: _after_requirements(change, by_key) for key, change in by_key.items()}
    for change in by_key.values():
        if change.have is not None:
            for needed in change.have.requires | change.have.any_of:
                goner = by_key.get(needed)
                if goner is not None and goner.action is Action.DELETE:
                    required[needed].add(change.key)
    for change in by_key.values():
        if change.want is not None and change.want.last:
            required[change.key] |= _before_last(change.key, change.want.within, by_key)
        if change.want is not None and change.want.spare_for:
            required[change.key] |= {key for key in by_key if _concerns(by_key[key], change.want.spare_for)}
    for key, before in _after_turns(by_key).items():
        required[key] |= before
    claimed = _after_claims(by_key)
    wave_of: dict[Key, int] = {}
    remaining = set(by_key)
    wave = 0
    while remaining:
        ready = {key for key in remaining if not (required[key] | claimed[key]) & remaining}
        if not ready:
            ready = {key for key in remaining if not required[key] & remaining}
            # only those whose claims wait in a circle: taking the smallest alone breaks it
            ready = {min(ready)} if ready else set()
        if not ready:
            circle = ", ".join(str(key) for key in sorted(remaining))
            raise Bug("requirements were to form no circle", found=circle)
        for key in ready:
            wave_of[key] = wave
        remaining -= ready
        wave += 1
    placed = [replace(change, wave=wave_of[key]) for key, change in by_key.items()]
    return tuple(sorted(placed, key=lambda change: (change.wave, change.key)))


def _after_requirements(change: Change, by_key: dict[Key, Change]) -> set[Key]:
    if change.want is None:
        return set()
    return {
        needed
        for needed in change.want.requires
        if needed != change.key and needed in by_key and by_key[needed].action is not Action.DELETE
    }


def _before_last(last: Key, within: Key | None, by_key: dict[Key, Change]) -> set[Key]:
    return set(_inside(within, by_key)) - {last} - _standing_on(last, within, by_key)


def _concerns(change: Change, keys: frozenset[Key]) -> bool:
    return change.key in keys or (change.want is not None and change.want.within in keys)


def _after_turns(by_key: dict[Key, Change]) -> dict[Key, set[Key]]:
    """By key, what is to be done before it is its turn."""
    turns: dict[str, list[Desired]] = {}
    for change in by_key.values():
        if change.want is not None and change.want.turn:
            turns.setdefault(change.want.turn, []).append(change.want)
    return {
        after.key: {before.key} | _standing_on(before.key, before.within, by_key)
        for each in turns.values()
        for before, after in pairwise(sorted(each, key=lambda want: natural(want.key)))
    }


def _standing_on(key: Key, within: Key | None, by_key: dict[Key, Change]) -> set[Key]:
    """What within the same requires it, or what requires that."""
    inside, found = _inside(within, by_key), {key}
    while more := {each for each, want in inside.items() if want.requires & found} - found:
        found |= more
    return found - {key}


def _inside(within: Key | None, by_key: dict[Key, Change]) -> dict[Key, Desired]:
    return {
        key: change.want
        for key, change in by_key.items()
        if change.want is not None and change.want.within == within
    }


def natural(key: Key) -> tuple[str, int, str]:
    """For sorting: lb-2 before lb-10."""
    return key.kind, len(key.name), key.name


def _after_claims(by_key: dict[Key, Change]) -> dict[Key, set[Key]]:
    givers: dict[str, set[Key]] = {}
    for change in by_key.values():
        if change.have is not None:
            kept = change.want.claims if change.want else frozenset()
            for token in change.have.claims - kept:
                givers.setdefault(token, set()).add(change.key)
    after: dict[Key, set[Key]] = {key: set() for key in by_key}
    for change in by_key.values():
        for token in change.want.claims if change.want else ():
            after[change.key] |= givers.get(token, set()) - {change.key}
    return after
