"""A node takes the place of a master that is lost: what each of them has, which one it is to be, and what is lost then.

The nodes' own programs are asked, on their machines; no keeper is. `choose` and `losses` are pure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cmp_to_key
from pathlib import PurePosixPath
from typing import Any, Literal

from lbkit.base.errors import Failure, LbkitError, Mistake
from lbkit.base.host import Host
from lbkit.base.problems import near
from lbkit.engine.scope import Scope
from lbkit.machine.handle import machine
from lbkit.mirror import operations
from lbkit.mirror.programs import data_folder
from lbkit.mirror.reach import mirror_of
from lbkit.mirror.resolved import ResolvedMirror
from lbkit.mirror.tree import serial as serials
from lbkit.mirror.tree.generation import Generation

_ASKED_WITHIN = 20.0  # seconds: a guest under emulation takes some to start a Python
_READ_WITHIN = 86_400.0  # seconds for all bytes of one generation
_ALIVE_WITHIN = 5.0  # seconds for a keeper's answer; one that hangs is lost, too
_AT_ONCE = 16

Depth = Literal["whole", "quick"]
"""How a generation is verified: every byte of it, or names and sizes."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one node has. `generations` the newest first; `serving`: a serial, 0 where nothing. `trouble`: why nothing is known of it."""

    node: str
    serving: int = serials.NONE
    generations: tuple[Generation, ...] = ()
    trouble: str = ""

    def find(self, serial: int) -> Generation | None:
        return next((each for each in self.generations if each.serial == serial), None)

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Survey:
    """`committed`: what the old master's disk says it committed, None where that cannot be read. `alive`: its keeper answers."""

    mirror: str
    master: str
    alive: bool
    committed: int | None
    nodes: tuple[Found, ...]

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Candidate:
    node: str
    generation: Generation

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the generation of a candidate is. `first`: {"path", "fault"} of some."""

    candidate: Candidate
    damaged: int
    first: tuple[dict[str, str], ...] = ()
    trouble: str = ""

    @property
    def whole(self) -> bool:
        return not self.damaged and not self.trouble

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


def survey(scope: Scope, name: str, host: Host | None = None) -> Survey:
    """Ask every node's machine, all at once. Never fails for one that does not answer: that is told."""
    host = host or Host()
    mirror = mirror_of(scope, name)
    with ThreadPoolExecutor(min(_AT_ONCE, len(mirror.nodes))) as pool:
        found = tuple(pool.map(lambda node: _found(scope, host, mirror, node), mirror.nodes))
    return Survey(
        name,
        mirror.master,
        _answers(scope, host, mirror),
        _committed(scope, host, mirror),
        found,
    )


def candidates(survey: Survey, node: str | None = None) -> list[Candidate]:
    """The best first: the newest generation, of those that have it one that serves it. `node`: what that one has alone."""
    if node is not None and all(each.node != node for each in survey.nodes):
        raise Mistake(
            f"{node!r} was to be a node of mirror {survey.mirror}",
            found="it is none",
            remedy=near(node, (each.node for each in survey.nodes)),
        )
    found = [
        (each, generation)
        for each in survey.nodes
        if node in {None, each.node}
        for generation in each.generations
    ]

    def order(one: tuple[Found, Generation], other: tuple[Found, Generation]) -> int:
        if one[1].serial != other[1].serial:
            return -1 if serials.newer(one[1].serial, other[1].serial) else 1
        return (other[0].serving == other[1].serial) - (one[0].serving == one[1].serial)

    return [Candidate(each.node, generation) for each, generation in sorted(found, key=cmp_to_key(order))]


def verify(
    scope: Scope, candidate: Candidate, name: str, host: Host | None = None, *, depth: Depth = "whole"
) -> Verdict:
    """Hold what the candidate has against its manifest, on its machine. What it cannot tell is its `trouble`."""
    words = [str(candidate.generation.serial), *(["quick"] if depth == "quick" else [])]
    mirror = mirror_of(scope, name)
    try:
        said = _asked(scope, host or Host(), mirror, candidate.node, "verify", words, timeout=_READ_WITHIN)
        return Verdict(candidate, int(said["damaged"]), tuple(said["first"]))
    except LbkitError as error:
        return Verdict(candidate, 0, (), error.found or str(error))


def choose(
    candidates: Iterable[Candidate], verified: Callable[[Candidate], Verdict]
) -> tuple[Candidate | None, list[Verdict]]:
    """The first that is whole, and how all were that were looked at."""
    seen = []
    for each in candidates:
        verdict = verified(each)
        seen.append(verdict)
        if verdict.whole:
            return each, seen
    return None, seen


def losses(survey: Survey, chosen: Candidate) -> list[str]:
    """What is lost, as far as anybody knows, each in a sentence."""
    said = []
    had = chosen.generation.serial
    served = serials.highest(each.serving for each in survey.nodes)
    committed = serials.highest([served, survey.committed or serials.NONE])
    if committed != serials.NONE and serials.newer(committed, had):
        who = [each.node for each in survey.nodes if each.find(committed)]
        where = f"{', '.join(who)} has it" if who else "no node that answers has it"
        said.append(
            f"generation {committed} was committed, and {where}: "
            f"clients go back from it to what generation {had} has, until the next sync"
        )
    else:
        newer = {
            generation.serial
            for each in survey.nodes
            for generation in each.generations
            if serials.newer(generation.serial, had)
        }
        said += [
            f"generation {serial} was fetched and never committed: it is fetched anew"
            for serial in sorted(newer)
        ]
    silent = [each.node for each in survey.nodes if each.trouble]
    if silent:
        said.append(f"what {', '.join(silent)} has is not known: no answer from there")
    if survey.committed is None:
        said.append(
            f"what {survey.master} had fetched and no node had yet is lost, if there was anything: the next sync fetches it anew"
        )
    return said


def without(survey: Survey, nodes: Sequence[str]) -> Survey:
    """The survey without what these have."""
    return replace(survey, nodes=tuple(each for each in survey.nodes if each.node not in nodes))


def _found(scope: Scope, host: Host, mirror: ResolvedMirror, node: str) -> Found:
    try:
        said = _asked(scope, host, mirror, node, "show", [], timeout=_ASKED_WITHIN)
        generations = tuple(Generation.from_data(each, f"machine {node}") for each in said["generations"])
        return Found(node, int(said["serving"]), generations)
    except LbkitError as error:
        return Found(node, trouble=" ".join((error.found or error.wanted).split()))


def _asked(
    scope: Scope,
    host: Host,
    mirror: ResolvedMirror,
    node: str,
    do: str,
    words: Sequence[str],
    *,
    timeout: float,
) -> dict[str, Any]:
    """Of the program that its service has there; it need not run."""
    there = machine(scope, host, node)
    argv = ("/usr/bin/python3", "-I", "-S", "mirror.pyz", "node", do, "config.json", *words)
    try:
        done = there.execute(argv, timeout=timeout, cwd=there.folder(mirror.node), check=False)
    except OSError as error:  # there is no such folder
        raise _unasked(node, error.strerror or str(error)) from error
    if done.returncode != 0:
        raise _unasked(node, (done.stderr or done.stdout).strip()[-500:])
    try:
        found: dict[str, Any] = {"serving": 0, "generations": [], "damaged": 0, "first": []}
        found |= json.loads(done.stdout)
    except (ValueError, TypeError) as error:
        raise _unasked(node, f"it said what makes no sense: {done.stdout[:100]!r}") from error
    return found


def _unasked(node: str, found: str) -> Failure:
    return Failure("a node's store was to be looked at", found=found, where=f"machine {node}")


def _answers(scope: Scope, host: Host, mirror: ResolvedMirror) -> bool:
    try:
        operations.status(scope, mirror.name, host, patience=_ALIVE_WITHIN)
    except LbkitError:
        return False
    return True


def _committed(scope: Scope, host: Host, mirror: ResolvedMirror) -> int | None:
    """Of the old master's disk, where that can be read still."""
    file = PurePosixPath(data_folder(mirror, mirror.master, mirror.keeper)) / "runs" / "committed"
    try:
        there = machine(scope, host, mirror.master)
        done = there.execute(
            ["cat", str(file)], timeout=_ASKED_WITHIN, cwd=there.folder(mirror.keeper), check=False
        )
        return int(json.loads(done.stdout)["serial"]) if done.returncode == 0 else None
    except (LbkitError, OSError, ValueError, TypeError, KeyError):
        return None
