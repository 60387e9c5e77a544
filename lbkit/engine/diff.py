"""The keyed diff: pure, and the same for every noun. A room only judges what one difference means."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable
from typing import Protocol

from lbkit.base.errors import Bug, Failure
from lbkit.engine.change import Action, Change, Impact, Verdict
from lbkit.engine.resource import Actual, Desired, Key


class Judge(Protocol):
    """What a room knows of its kinds. All three are pure."""

    def judge_create(self, want: Desired) -> Verdict | None:
        """None: it comes by itself, with the thing that it is within."""
        ...

    def judge_update(self, want: Desired, have: Actual) -> Verdict | None:
        """None: `have` is as wanted. Anything in `have` that `want` does not speak of is no difference."""
        ...

    def judge_delete(self, have: Actual) -> Verdict | None:
        """None: it goes by itself, with the thing that it is within."""
        ...


class ForeignObject(Failure):
    """Things with wanted names stand already, and lbkit did not make them. Nothing was touched."""

    def __init__(self, topology: str, foreign: Iterable[Actual]) -> None:
        foreign = sorted(foreign, key=lambda have: have.key)
        self.keys = tuple(have.key for have in foreign)
        names = ", ".join(str(key) for key in self.keys)
        self.owners = {have.key: have.owner for have in foreign}
        owners = sorted({owner for owner in self.owners.values() if owner} - {topology})
        called = ", ".join(have.called for have in foreign if have.called)
        super().__init__(
            f"{names} {'was' if len(self.keys) == 1 else 'were'} to be made for topology {topology!r}",
            found=(f"{called}: " if called else "")
            + "already there, and "
            + (f"owned by {', '.join(owners)}" if owners else "not made by lbkit"),
            remedy="remove or rename it, or take it over with --adopt "
            + " --adopt ".join(shlex.quote(f"{key.kind}/{key.name}") for key in self.keys),
        )


def diff(
    desired: Iterable[Desired],
    actual: Iterable[Actual],
    *,
    owner: str,
    judge: Judge,
    adopt: Collection[Key] = (),
) -> list[Change]:
    """Changes that lead from `actual` to `desired`, in no order yet.

    What somebody else owns is never changed or deleted: where it stands on a wanted key it is a
    ForeignObject error, unless its key is in `adopt`; elsewhere it is passed over.
    """
    wanted: dict[Key, Desired] = {}
    for want in desired:
        if want.key in wanted:
            raise Bug(f"{want.key} is desired once", found="two resources of that key")
        wanted[want.key] = want
    changes: list[Change] = []
    foreign: list[Actual] = []
    seen: set[Key] = set()
    for have in actual:
        want_now = wanted.get(have.key)
        if want_now is None:
            if have.owner == owner and (gone := judge.judge_delete(have)) is not None:
                changes.append(_change(have.key, gone, None, have))
            continue
        seen.add(have.key)
        if have.owner == owner if have.free is None else have.free:
            verdict = judge.judge_update(want_now, have)
            if verdict is not None:
                changes.append(_change(have.key, verdict, want_now, have))
        elif have.key in adopt:
            verdict = judge.judge_update(want_now, have)
            impact = verdict.impact if verdict else Impact.NONE
            reason = "taken over as --adopt says" + (f"; {verdict.reason}" if verdict else "")
            steps = verdict.steps if verdict else ()
            changes.append(Change(have.key, Action.ADOPT, impact, reason, want_now, have, steps=steps))
        else:
            foreign.append(have)
    if foreign:
        raise ForeignObject(owner, foreign)
    for key, want in wanted.items():
        if key not in seen and (new := judge.judge_create(want)) is not None:
            changes.append(_change(key, new, want, None))
    return changes


def _change(key: Key, verdict: Verdict, want: Desired | None, have: Actual | None) -> Change:
    return Change(key, verdict.action, verdict.impact, verdict.reason, want, have, steps=verdict.steps)
