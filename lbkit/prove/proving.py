"""Do something while clients ask all that is promised, and tell what they met."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from lbkit.base.errors import Bug, Failure
from lbkit.base.host import Host
from lbkit.engine.applying import ApplyFailed, NotAsDeclared, Result, Watcher
from lbkit.engine.journal import Journal
from lbkit.engine.plan import Plan
from lbkit.engine.promise import Promise
from lbkit.engine.proof import MOST_FAILURES, Lost, Proof, ProofFailed
from lbkit.engine.scope import Scope
from lbkit.prove.places import Place, place_of
from lbkit.prove.prober import Prober
from lbkit.prove.target import Target
from lbkit.prove.timeline import Timeline

RATE = 50.0  # requests a second, for each target
MOST_A_SECOND = 1000.0  # of all targets together
MOST_TARGETS = 64
SLOW_AFTER = 1.0  # seconds
SETTLES_WITHIN = 2.0  # seconds until each target answers or doesn't: what stands before the apply


def proved(
    act: Callable[[Watcher], Result],
    promises: Iterable[Promise],
    plan: Plan,
    scope: Scope,
    host: Host,
    *,
    journal: Journal,
    watch: Watcher,
    rate: float = RATE,
) -> Result:
    """What `act` comes to, with its proof. ProofFailed where a client lost a request.

    Where `act` fails, its error has the proof too, as far as it had come.
    """
    asked, notes = asking(promises, scope, host, plan)
    prober = Prober(
        asked, host.clock, rate=min(rate, MOST_A_SECOND / max(1, len(asked))), slow_after=SLOW_AFTER
    )
    timeline = Timeline(host.clock)
    prober.start(settle=SETTLES_WITHIN)
    began = host.clock.monotonic()

    def told() -> Proof:
        prober.stop()
        proof = proof_of(prober.targets, timeline, began=began, ended=host.clock.monotonic(), notes=notes)
        journal.write("proved", **proof.summary(), first=[lost.as_data() for lost in proof.failures[:1]])
        return proof

    try:
        result = act(timeline.watching(watch))
    except (ApplyFailed, NotAsDeclared) as error:
        try:
            error.result = replace(error.result, proof=told())
        except Bug as bug:
            raise error from bug  # what became of the changes is what matters most
        raise
    except BaseException:
        prober.stop(wait=False)
        raise
    result = replace(result, proof=told())
    if result.proof is not None and not result.proof.good:
        raise ProofFailed(result, result.proof)
    return result


def asking(
    promises: Iterable[Promise], scope: Scope, host: Host, plan: Plan
) -> tuple[list[tuple[Promise, Place]], list[str]]:
    """Each promise with the place to ask it from, and what is not asked, in words."""
    asked, notes = [], []
    promised = list(promises)
    for promise in promised[:MOST_TARGETS]:
        try:
            place = place_of(promise, scope, host, plan)
        except Failure as error:
            notes.append(f"{promise} was not asked: {error.found}")
            continue
        asked.append((promise, place))
        if not place.apart:
            notes.append(f"{promise} was asked from {place.name} itself: no other client stands there")
    if len(promised) > MOST_TARGETS:
        notes.append(f"of {len(promised)} targets the first {MOST_TARGETS} were asked")
    return asked, notes


def proof_of(
    targets: Sequence[Target],
    timeline: Timeline,
    *,
    began: float,
    ended: float,
    notes: Sequence[str] = (),
) -> Proof:
    lost = sorted(
        (
            Lost(
                target=str(target.promise),
                kind=attempt.kind,
                at=max(0.0, at - began),
                took=at - attempt.began,
                why=why,
                step=timeline.step(attempt.began, at),
            )
            for target in targets
            for attempt, at, why in target.tally.lost
        ),
        key=lambda each: each.at,
    )
    return Proof(
        targets=tuple(
            target.tally.proven(str(target.promise), target.place.name, began) for target in targets
        ),
        seconds=ended - began,
        slow_after=SLOW_AFTER,
        failures=tuple(lost[:MOST_FAILURES]),
        notes=(*notes, *_notes(targets, began)),
    )


def _notes(targets: Sequence[Target], began: float) -> Iterable[str]:
    if not targets:
        yield "nothing could be proved: nothing is declared that a client could ask"
        return
    standing = [target for target in targets if target.promised]
    if not standing:
        yield "nothing could be proved: no target answered before the apply or during it"
    for target in targets:
        since = target.tally.since
        if since is None:
            if standing:
                yield f"{target.promise} never answered: nothing of it was promised"
        elif since > began:
            yield f"{target.promise} first answered {since - began:.2f} s after the begin, and counts from then on"
        if target.nobody_there:
            yield f"{target.promise} was not asked {target.nobody_there} times: {target.place.name} was not there"
        if since is not None and target.promise.download and not target.tally.downloads + target.tally.cut:
            yield f"no download of {target.promise} came to its end"
    if standing and not any(target.promise.download for target in targets):
        yield "no downloads were tried: no frontend declares `prove: {download: /PATH}`"
