"""What the keeper has the nodes do next, out of what it knows of them. Pure: no clock, no socket.

Prepare, then commit. A generation is committed when a quorum of the nodes that are heard has it, and nobody would serve what is too
old then. A node that has it not is told to drain first, and HAProxy, which asks every second, gets the time to hear that; one that
is not heard drains itself once it has heard nobody for `contact` seconds, which is waited for. Committed, it is written down
before anybody flips.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lbkit.mirror.talk.words import Verdict
from lbkit.mirror.tree import serial as serials

MASTER = ""
"""The master's name among the sources."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`quorum` nodes are needed to commit; `max_lag` generations a node may be behind; `floor` nodes serve whatever they have.

    `contact` is after how many seconds a node that hears nobody asks the others, and `asked_within` in how many more it has drained
    itself where it has to; `heard_within` in how many HAProxy has surely heard a verdict. `fan_out` nodes get from one source at a time.
    """

    quorum: int
    max_lag: int = 1
    floor: int = 1
    contact: float = 5.0
    fan_out: int = 4
    asked_within: float = 2.5
    heard_within: float = 2.5

    @property
    def given_up(self) -> float:
        """After so many seconds without a word from a node nobody is sent there."""
        return max(2 * self.contact, self.contact + self.asked_within + self.heard_within)

    @property
    def pause(self) -> float:
        """After so many seconds without a turn of the keeper's its nodes may have gone by its being dead."""
        return max(2.5, self.contact)


@dataclass(frozen=True, slots=True)
class Node:
    """What is known of one. `serving` is a serial, `has` are serials with their digests. `silent` seconds ago it was last heard; None:
    not since the keeper runs. `answers`: it has answered what it was asked last. `told` is the verdict that it has, None: nobody knows,
    as a word to it was not answered. `drained` seconds ago it was first known to have the verdict `drain` that it has had since; None: it
    may have another. `busy`: it gets something now, from there.
    """

    serving: int = serials.NONE
    has: Mapping[int, str] = field(default_factory=dict)
    silent: float | None = None
    told: Verdict | None = None
    busy: str | None = None
    drained: float | None = None
    answers: bool = True


@dataclass(frozen=True, slots=True)
class Known:
    """`committed` and `newest` are serial and digest, of what nodes are to serve and of the newest that the master has; None: none.
    `between` are those of the master's that came between the two and may yet be committed, the newest first: where generations come
    faster than nodes get them, nobody ever has the newest.

    `running` is for how many seconds the keeper runs, without a pause: what one before it told a node nobody knows, and for so long those
    that it hears can have said so to the others.
    """

    nodes: Mapping[str, Node]
    committed: tuple[int, str] | None
    newest: tuple[int, str] | None
    running: float = 0.0
    heard_within: float = 2.0  # seconds, for a node to count as heard
    between: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True, slots=True)
class Prepare:
    node: str
    serial: int
    sources: tuple[str, ...]  # names of nodes, or MASTER; the best first


@dataclass(frozen=True, slots=True)
class Flip:
    node: str
    serial: int


@dataclass(frozen=True, slots=True)
class Tell:
    node: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Decided:
    """In this order. `commit`: write down that this one is committed, and decide anew. `flip`: have them flip, and decide anew: who
    did is fresh, who did not is not. Then the rest. `alarms` are sentences for a person.
    """

    commit: tuple[int, str] | None = None
    prepare: tuple[Prepare, ...] = ()
    flip: tuple[Flip, ...] = ()
    tell: tuple[Tell, ...] = ()
    alarms: tuple[str, ...] = ()


def behind(node: Node, generation: tuple[int, str]) -> int:
    """How many generations it serves behind this one; none where it is the same content under an older serial."""
    if node.has.get(node.serving) == generation[1]:
        return min(0, serials.behind(node.serving, generation[0]))
    return serials.behind(node.serving, generation[0])


def inherited(known: Known, policy: Policy, *, trusting: bool) -> tuple[int, str] | None:
    """What a keeper before this one committed, and this one's disk knows nothing of. Nodes serve just what was committed: the newest that
    a quorum of them serves, or has left behind. `trusting`: that one of them serves; of a keeper whose disk knows nothing.
    """
    served = [
        (node.serving, node.has[node.serving]) for node in known.nodes.values() if node.serving in node.has
    ]
    for serial, digest in sorted(served, key=lambda each: serials.behind(each[0], served[0][0])):
        support = sum(serials.behind(other, serial) <= 0 for other, _ in served)
        if support >= (1 if trusting else policy.quorum):
            old = known.committed
            return (serial, digest) if old is None or serials.newer(serial, old[0]) else None
    return None


def decide(known: Known, policy: Policy) -> Decided:
    if known.newest and known.committed and serials.newer(known.committed[0], known.newest[0]):
        known = replace(
            known, newest=None, between=()
        )  # another master's is newer: nobody is to go back to what this one has
    verdicts, alarms = _verdicts(known, policy)
    commit = None
    if known.newest is not None and known.newest != known.committed:
        commit, more, waiting = _may_commit(known, policy)
        verdicts |= more
        alarms += waiting
    return Decided(
        commit,
        tuple(_prepare(known, policy)),
        tuple(_flip(known)),
        tuple(
            Tell(name, verdict)
            for name, verdict in sorted(verdicts.items())
            if _heard(known, name) and known.nodes[name].told != verdict
        ),
        tuple(alarms),
    )


def _verdicts(known: Known, policy: Policy) -> tuple[dict[str, Verdict], list[str]]:
    """Of all nodes, by what is committed. Of one that is not heard: what it would be told."""
    if known.committed is None:
        return dict.fromkeys(known.nodes, "drain"), []
    lag = {name: behind(node, known.committed) for name, node in known.nodes.items()}
    fresh = {name for name, behind in lag.items() if behind <= policy.max_lag}
    verdicts: dict[str, Verdict] = {name: "ready" if name in fresh else "drain" for name in known.nodes}
    serving = {name for name in fresh if _heard(known, name)}
    if len(serving) >= min(policy.floor, len(known.nodes)):
        return verdicts, []
    # the freshest of those that serve anything; all of one serial alike, or they would take turns
    others = sorted(
        (
            name
            for name in known.nodes
            if name not in serving and _heard(known, name) and known.nodes[name].serving
        ),
        key=lambda name: (lag[name], name),
    )
    lacking = policy.floor - len(serving)
    last = max((lag[name] for name in others[:lacking]), default=None)
    chosen = [name for name in others if last is not None and lag[name] <= last]
    verdicts |= dict.fromkeys(chosen, "ready")
    stale = [name for name in chosen if name not in fresh]
    words = f"of {policy.floor} nodes that must serve {len(serving)} are fresh"
    return verdicts, [
        f"{words}: {', '.join(stale)} serve what is older" if stale else f"{words}: there are no others"
    ]


def _may_commit(known: Known, policy: Policy) -> tuple[tuple[int, str] | None, dict[str, Verdict], list[str]]:
    """What may be committed now, the newer the better; what nodes are to be told before; and why it waits."""
    assert known.newest is not None  # noqa: S101 - asked only then
    drain: dict[str, Verdict] = {}
    prepared = [
        each
        for each in (known.newest, *known.between)
        if sum(_has(node, each) and _heard(known, name) for name, node in known.nodes.items())
        >= policy.quorum
    ]
    for generation in prepared:
        too_old = _too_old_after(known, policy, generation)
        told = [name for name in too_old if _heard(known, name) and not _has(known.nodes[name], generation)]
        if any(_may_serve(known, name, policy) for name in too_old if name not in told):
            continue  # it waits for those first: until then the others serve
        drain |= dict.fromkeys(told, "drain")
        if not any(_may_serve(known, name, policy) for name in too_old):
            return generation, drain, []
    unheard = sorted(name for name in known.nodes if not _heard(known, name))
    if not prepared and len(known.nodes) - len(unheard) < policy.quorum:
        words = f"it needs {policy.quorum} nodes, and nobody hears {', '.join(unheard)}"
        return None, {}, [f"{known.newest[0]} cannot be committed: {words}"]
    return None, drain, []


def _too_old_after(known: Known, policy: Policy, generation: tuple[int, str]) -> list[str]:
    """Who is to be drained once that one is committed. Who has it flips at once, where it answers."""
    nodes = {
        name: replace(node, serving=generation[0])
        if _has(node, generation) and node.answers and _heard(known, name)
        else node
        for name, node in known.nodes.items()
    }
    verdicts, _ = _verdicts(replace(known, nodes=nodes, committed=generation), policy)
    return [name for name, verdict in verdicts.items() if verdict == "drain"]


def _may_serve(known: Known, name: str, policy: Policy) -> bool:
    """Whether clients may still be sent there. Of one that is not heard: until it has drained itself."""
    node = known.nodes[name]
    if node.drained is not None and node.drained >= policy.heard_within:
        return False
    if _heard(known, name):
        return node.serving != serials.NONE
    return min(known.running, known.running if node.silent is None else node.silent) < policy.given_up


def _prepare(known: Known, policy: Policy) -> Iterable[Prepare]:
    """Who gets the newest next, from whom. Of those that must wait for a place nothing is said."""
    target = known.newest
    if target is None:
        return
    holders = [
        MASTER,
        *sorted(name for name, node in known.nodes.items() if _has(node, target) and _heard(known, name)),
    ]
    load = {holder: sum(node.busy == holder for node in known.nodes.values()) for holder in holders}
    for name, node in sorted(known.nodes.items()):
        if _has(node, target) or node.busy is not None or not _heard(known, name):
            continue
        best = _by_load(holders, load, name)
        if load[best[0]] >= policy.fan_out:
            return
        load[best[0]] += 1
        yield Prepare(name, target[0], tuple(best))


def _by_load(holders: Sequence[str], load: Mapping[str, int], name: str) -> list[str]:
    """The least busy first; the master as the last of those that are alike, for it has other work."""
    return sorted(
        (holder for holder in holders if holder != name), key=lambda each: (load[each], each == MASTER, each)
    )


def _flip(known: Known) -> Iterable[Flip]:
    if known.committed is None:
        return
    for name, node in sorted(known.nodes.items()):
        if _has(node, known.committed) and node.serving != known.committed[0] and _heard(known, name):
            yield Flip(name, known.committed[0])


def _has(node: Node, generation: tuple[int, str]) -> bool:
    return node.has.get(generation[0]) == generation[1]


def _heard(known: Known, name: str) -> bool:
    silent = known.nodes[name].silent
    return silent is not None and silent <= known.heard_within
