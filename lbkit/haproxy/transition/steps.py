"""What a transition does, step by step, as data. `lines` are what the plan shows and the journal repeats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lbkit.haproxy.runtime.command import Command

Names = tuple[str, ...]
"""Servers, each as "BACKEND/SERVER"."""


@dataclass(frozen=True, slots=True)
class Check:
    """HAProxy reads the wanted configuration, beside the running one, before anything is touched."""

    @property
    def lines(self) -> tuple[str, ...]:
        return ("check the new configuration (haproxy -c)",)


@dataclass(frozen=True, slots=True)
class Put:
    """Write these files, by their paths in HAProxy's folder.

    `marks`: of files that are still to go, for haproxy.cfg to name them until they are gone. Whoever goes on with a
    transition that was cut off finds them by it.
    """

    paths: tuple[str, ...]
    marks: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(f"write {path}" for path in self.paths)


@dataclass(frozen=True, slots=True)
class Discard:
    paths: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(f"remove {path}" for path in self.paths)


@dataclass(frozen=True, slots=True)
class Do:
    """Commands of the Runtime API, on one connection, each reply checked.

    `retry`: seconds for which a refusal is asked again (a server whose last connection is just ending).
    """

    commands: tuple[Command, ...]
    retry: float = 0.0

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(str(command) for command in self.commands)


@dataclass(frozen=True, slots=True)
class Replace:
    """All entries of a map or of an ACL's list at once: no request sees some old and some new."""

    kind: Literal["map", "acl"]
    path: str
    entries: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        count = len(self.entries)
        return (
            f"prepare {self.kind} {self.path}",
            f"add {self.kind} @new {self.path}: {count} entr{'y' if count == 1 else 'ies'}",
            f"commit {self.kind} @new {self.path}",
        )


@dataclass(frozen=True, slots=True)
class Certify:
    """Give the running process a certificate with its key, or who others are verified by; then write the file.

    `digest` is the content's. In that order: the file tells afterwards what the process was given.
    """

    path: str
    digest: str
    new: bool
    authority: bool = False

    @property
    def lines(self) -> tuple[str, ...]:
        kind = "ca-file" if self.authority else "cert"
        first = (f"new ssl {kind} {self.path}",) if self.new else ()
        return (
            *first,
            f"set ssl {kind} {self.path} (sha256:{self.digest[:12]})",
            f"commit ssl {kind} {self.path}",
            f"write {self.path}",
        )


@dataclass(frozen=True, slots=True)
class Forget:
    """Certificates of the running process that nothing uses any more."""

    paths: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(f"del ssl cert {path}" for path in self.paths)


@dataclass(frozen=True, slots=True)
class UntilUp:
    """Until HAProxy's own checks have passed. Who is not up after `seconds` is told, and gets no request."""

    servers: Names
    seconds: float

    @property
    def lines(self) -> tuple[str, ...]:
        return (
            f"wait until {listed(self.servers)} passed {_checks(self.servers)} ({self.seconds:g} s at most)",
        )


@dataclass(frozen=True, slots=True)
class UntilHeard:
    """Until each one's agent was asked, whatever it said; after `seconds` go on all the same."""

    servers: Names
    seconds: float = 5.0

    @property
    def lines(self) -> tuple[str, ...]:
        agents = "its agent was" if len(self.servers) == 1 else "their agents were"
        return (f"wait until {agents} asked: {listed(self.servers)} ({self.seconds:g} s at most)",)


@dataclass(frozen=True, slots=True)
class UntilUnchecked:
    """Until no check of the old address is under way: its result would be taken for the new one's."""

    servers: Names
    seconds: float

    @property
    def lines(self) -> tuple[str, ...]:
        return (f"wait until no check of {listed(self.servers)} is under way ({self.seconds:g} s at most)",)


@dataclass(frozen=True, slots=True)
class UntilIdle:
    """Until they have no session any more; after `seconds` go on all the same."""

    servers: Names
    seconds: float

    @property
    def lines(self) -> tuple[str, ...]:
        return (f"wait until requests to {listed(self.servers)} have ended ({self.seconds:g} s at most)",)


@dataclass(frozen=True, slots=True)
class Guard:
    """Another server of the backend must be up before `leaving` go, unless none of those is up either.

    `probed`: come with the next process; one that has passed its probe is as good as one that is up.
    """

    backend: str
    leaving: Names
    others: Names
    seconds: float
    probed: Names = ()

    @property
    def lines(self) -> tuple[str, ...]:
        return (
            f"see that {self.backend} has another server up before {listed(self.leaving)} leave{_s(self.leaving)}",
        )


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask servers at their wanted addresses what their health check asks.

    `must`: a server that fails, and whose old address still serves, ends the transition here. Without it, the
    state file has those that failed as down.
    """

    servers: Names
    seconds: float
    must: bool = False

    @property
    def lines(self) -> tuple[str, ...]:
        then = "" if self.must else ": only who passes begins up"
        return (f"probe {listed(self.servers)} as its check does ({self.seconds:g} s at most){then}",)


@dataclass(frozen=True, slots=True)
class Remember:
    """Write the server-state file: what the next process shall know of its servers, whenever it starts.

    `new` are those that the next process has and the running one has not, or has elsewhere.
    """

    new: Names = ()
    all_new: bool = False  # nothing runs: every server is
    handed: bool = False  # the next process begins at once: what agents said last is as good as new

    @property
    def lines(self) -> tuple[str, ...]:
        return ("write servers.state",)


@dataclass(frozen=True, slots=True)
class Reload:
    @property
    def lines(self) -> tuple[str, ...]:
        return ("reload, and see the new worker serve",)


@dataclass(frozen=True, slots=True)
class UntilLeft:
    """Until the workers before have left: they still send what is under way to servers that go now.

    After `seconds` go on all the same.
    """

    seconds: float

    @property
    def lines(self) -> tuple[str, ...]:
        return (f"wait until the worker before has left ({self.seconds:g} s at most)",)


@dataclass(frozen=True, slots=True)
class Start:
    """Whatever is left of an earlier process is stopped first."""

    @property
    def lines(self) -> tuple[str, ...]:
        return ("start HAProxy, and see it serve",)


Step = (
    Check
    | Put
    | Discard
    | Do
    | Replace
    | Certify
    | Forget
    | UntilUp
    | UntilHeard
    | UntilUnchecked
    | UntilIdle
    | Guard
    | Probe
    | Remember
    | Reload
    | UntilLeft
    | Start
)


def lines(steps: Iterable[Step]) -> tuple[str, ...]:
    return tuple(line for step in steps for line in step.lines)


def listed(names: Names, most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _s(names: Names) -> str:
    return "s" if len(names) == 1 else ""


def _checks(names: Names) -> str:
    return "its checks" if len(names) == 1 else "their checks"
