"""What a room (a noun) gives to the engine. A new noun is one folder with a Room, and one line in the register."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

from lbkit.base.host import Host
from lbkit.engine.book import IPAddress
from lbkit.engine.change import Action, Change, Impact, Verdict
from lbkit.engine.events import Events
from lbkit.engine.promise import Promise
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.engine.scope import Draft, Scope
from lbkit.engine.traffic import Traffic
from lbkit.engine.view import Check, Finding, Picture, Status

if TYPE_CHECKING:
    from pydantic import BaseModel  # slow to import, and direct operations need no model

S = TypeVar("S", bound="BaseModel")


class Done(Protocol):
    """What a room tells while it applies. From several threads at once, where it works so."""

    def __call__(self, change: Change, detail: str, /) -> None:
        """`change` is carried out; the text says what was executed, for the journal."""

    def step(self, change: Change, lines: Sequence[str], /) -> None:
        """What a change's next step executes is about to be: lines as in `Change.steps`, in its order."""

    def note(self, change: Change, text: str, /) -> None:
        """What a person should know of how it went, though it is no failure: a server that did not come up."""

    def aside(self, change: Change, addresses: Collection[IPAddress], /) -> AbstractContextManager[None]:
        """For as long as the block lasts no room sends traffic to what has one of these addresses: `Room.set_aside`."""


class Told(Protocol):
    """What a room that is asked for its part in another's change tells of that: as `Done.step` and `Done.note`."""

    def step(self, lines: Sequence[str], /) -> None: ...

    def note(self, text: str, /) -> None: ...


class Room(ABC, Generic[S]):
    """One noun. `section` is its key at the top of the document, `model` what a person may write there.

    The language: `resolve` (pure). The decision: `desired` and the three `judge_*` (pure). The world:
    `observe` (reads only, in bulk) and `apply`. The view: `status`, `picture`, `explain`, `doctor`.
    """

    name: ClassVar[str]
    section: ClassVar[str]
    kinds: ClassVar[frozenset[str]]
    nouns: ClassVar[frozenset[str]] = frozenset()
    """The words of the language, beside `kinds`, that things are named by in `things`."""

    @property
    @abstractmethod
    def model(self) -> type[S]:
        """The pydantic type of the section; its defaults stand for a section that is not written."""

    def reserve(self, section: S, draft: Draft) -> None:
        """Claim in `draft.book` the addresses that the document pins, before any room allocates one."""

    @abstractmethod
    def resolve(self, section: S, draft: Draft) -> object:
        """The section with everything filled in: references looked up, addresses allocated, claims made.

        Says what is wrong in `draft.problems` and goes on; enters what others may refer to in `draft.book`.
        The value is what `Scope.of(name, type)` gives.
        """

    @abstractmethod
    def desired(self, scope: Scope, host: Host) -> Iterable[Desired]:
        """All that shall stand. Pure; of the host only facts are asked (`host.can_switch_user`, paths)."""

    @abstractmethod
    def observe(self, scope: Scope, host: Host) -> Iterable[Actual]:
        """All that stands of this room's kinds: what this topology owns, wanted or not, and what stands on a
        wanted key whoever owns it. Reads only; in bulk; works when nothing of the topology stands yet. Raises LookAgain
        where that shows that what a room told before is not so.
        """

    def unseen(self, scope: Scope, host: Host) -> Mapping[Key, str]:
        """Of what is desired that of which `observe` could not see whether it stands, and why: on a host that is down.

        It is left alone, with all that needs it, and the plan says so. Asked after `observe`.
        """
        return {}

    @abstractmethod
    def apply(self, changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
        """Carry out changes of one wave, in any order or in parallel; `done` after each.

        Idempotent: a change that a killed apply carried out half is carried out whole. Raises where
        changes failed (several: `engine.applying.together`), having called `done` for each that was carried out.
        """

    def summary(self, want: Desired) -> str:
        """What a new thing will be, in a few words; "" where its name says it all. Pure."""
        return ""

    def judge_create(self, want: Desired) -> Verdict | None:
        """None: nothing is to be done for it, as it comes with the thing that it is within."""
        words = self.summary(want)
        return Verdict(Action.CREATE, Impact.NONE, f"new: {words}" if words else "new")

    def judge_again(self, want: Desired, replaced: Change) -> Verdict | None:
        """What it takes to have `want` anew, as the thing that it is within is replaced; it may stand in the old one."""
        verdict = self.judge_create(want)
        if verdict is None:
            return None
        reason = f"{replaced.key} is {done_to(replaced)}; {verdict.reason.removeprefix('new: ')}"
        return replace(verdict, reason=reason)

    def judge_anew(
        self, want: Desired, have: Actual, scope: Scope, anew: Mapping[Key, Action]
    ) -> Verdict | None:
        """What it takes to have it replaced or restarted as a person asks for, though it may be as declared. None: it cannot be.

        `anew`: all that is asked for. Pure.
        """
        return None

    def judge_update(self, want: Desired, have: Actual) -> Verdict | None:
        fields = differing(want, have)
        if not fields:
            return None
        return Verdict(
            Action.UPDATE, Impact.DISRUPTIVE, f"{', '.join(fields)} differ{'s' if len(fields) == 1 else ''}"
        )

    def judge_delete(self, have: Actual) -> Verdict | None:
        """None: nothing is to be done, as it goes with the thing that it is within."""
        return Verdict(Action.DELETE, Impact.DISRUPTIVE, "it is no longer declared")

    def things(self, scope: Scope, keys: Collection[Key]) -> Mapping[str, frozenset[Key]]:
        """What a person can name of this room, as "KIND/NAME", with what of `keys` is to stand where that shall, and to go where
        that shall go. What belongs to several things of a kind goes with the last. Pure.

        `keys` are of all rooms: what is declared, and what a plan is about; or this room's rows of status.
        """
        return {f"{key.kind}/{key.name}": frozenset({key}) for key in keys if key.kind in self.kinds}

    def notes(self, scope: Scope, host: Host) -> Iterable[str]:
        """What the plan should say beside its changes."""
        return ()

    def status(self, scope: Scope, host: Host) -> Iterable[Status]:
        return ()

    def picture(self, scope: Scope) -> Picture:
        return Picture()

    def sample(self, scope: Scope, host: Host) -> Traffic:
        """The counters of all that carries traffic, as they are now: reads only, in bulk. For rates take two."""
        return Traffic()

    def explain(self, scope: Scope, host: Host, path: Sequence[str]) -> Sequence[Finding] | None:
        """Evidence on `path` ("shop", "web", "web-3"), or None where this room knows no such thing."""
        return None

    def explainable(self, scope: Scope) -> Iterable[str]:
        """The paths that `explain` knows, for completion and near misses."""
        return ()

    def holdable(self, scope: Scope) -> Iterable[str]:
        """The paths that a person can hold out of use ("shop/web/web-3"). Whoever has some respects `scope.holds`."""
        return ()

    def enact_hold(self, scope: Scope, host: Host, path: str) -> Sequence[Finding]:
        """Make what runs agree with whether `path`, one of the holdable, is in `scope.holds`: that and nothing else.

        What was done or could not be done yet, one for each place; Failure where what runs would not do it.
        """
        return ()

    def set_aside(
        self, scope: Scope, host: Host, addresses: Collection[IPAddress], told: Told
    ) -> AbstractContextManager[None]:
        """Keep traffic from what has one of these addresses for as long as the block lasts, as far as others can take it.

        Entered, what was under way there has ended; left, it gets traffic again. All of that within a bounded time, and
        no Failure: what could not be done is a note. Killed in between, the next plan undoes it.
        """
        return nullcontext()

    def promises(self, scope: Scope, host: Host) -> Iterable[Promise]:
        """What clients may expect to work at any time: `apply(prove=True)` asks it of what stands. Pure."""
        return ()

    def events(self, scope: Scope, host: Host) -> Mapping[str, AbstractContextManager[Events]]:
        """What tells at once that something of this topology may have changed, by a name for people; none: only to look tells.

        Entering one listens, and raises Failure where that cannot be now. Called often, entered seldom.
        """
        return {}

    def alarms(self, scope: Scope, host: Host) -> Mapping[str, str]:
        """What a person is to know of now though no apply mends it, in words, by the thing that it is of ("mirror debian").

        Asked with every look of a watcher: within seconds, whatever hangs, and in the same words while it is the same.
        """
        return {}

    def doctor(self, host: Host) -> Iterable[Check]:
        return ()


class RoomWithoutResources(Room[S]):
    """What its section declares is made by others: where it is needed, or where it is commissioned."""

    kinds = frozenset[str]()

    def desired(self, scope: Scope, host: Host) -> Iterable[Desired]:
        return ()

    def observe(self, scope: Scope, host: Host) -> Iterable[Actual]:
        return ()

    def apply(self, changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
        """Nothing is of its kinds."""


def done_to(change: Change) -> str:
    """To a thing that others live within, in a word."""
    return "restarted" if change.action is Action.RESTART else "replaced"


def differing(want: Desired, have: Actual) -> list[str]:
    """Names of the fields of `want.state` that `have.state` has otherwise or not at all."""
    missing = object()
    return [field for field, value in want.state.items() if have.state.get(field, missing) != value]
