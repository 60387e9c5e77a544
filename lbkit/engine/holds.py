"""Holds: what a person took out of use by hand, for a while. Kept in the topology's run folder (docs/adr/0007)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lbkit.base.errors import Failure, Mistake
from lbkit.base.files import make_folder, read, write_atomic

FILE = "holds.json"
SCHEMA = "lbkit.held/1"
LONGEST_REASON = 500  # characters
_TOLD = 10  # holds that a plan tells one by one


@dataclass(frozen=True, slots=True)
class Hold:
    """`path` is what is held ("shop/web/web-3"). `since` and `until` are ISO 8601 in UTC; None: until released."""

    path: str
    reason: str
    by: str
    since: str
    until: str | None = None

    def over(self, now: datetime) -> bool:
        return self.until is not None and datetime.fromisoformat(self.until) <= now

    def as_data(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        ends = f"until {_said(self.until)}" if self.until else "until it is released"
        return f"held by {self.by} {ends}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Holds:
    """Both by path. `expired` are those whose time is up, and that no apply has let go of yet."""

    in_force: Mapping[str, Hold] = field(default_factory=dict)
    expired: Mapping[str, Hold] = field(default_factory=dict)

    def with_(self, hold: Hold) -> Holds:
        left = self.without(hold.path)
        return Holds(dict(sorted({**left.in_force, hold.path: hold}.items())), left.expired)

    def without(self, path: str) -> Holds:
        return Holds(
            {other: hold for other, hold in self.in_force.items() if other != path},
            {other: hold for other, hold in self.expired.items() if other != path},
        )

    def notes(self, known: Iterable[str]) -> Iterator[str]:
        """What a plan says of them; `known` are the paths that can be held. Says nothing that time alone changes."""
        known = frozenset(known)
        notes = [
            f"{path} is {hold}"
            + ("" if path in known else f"; it is not declared: `lbkit release {path}` forgets it")
            for path, hold in self.in_force.items()
        ]
        notes += [
            f"{path} was held until {_said(hold.until)} ({hold.reason}), and is no longer"
            for path, hold in self.expired.items()
        ]
        yield from notes[:_TOLD]
        if len(notes) > _TOLD:
            yield f"{len(notes) - _TOLD} more holds: `lbkit hold --list` has them all"


def new_hold(path: str, *, reason: str, by: str, now: datetime, until: datetime | None) -> Hold:
    """A hold from `now` on. Mistake where the reason is none, or its end has passed."""
    if not reason.strip() or not reason.isprintable() or len(reason) > LONGEST_REASON:
        raise Mistake(
            f"a reason to hold {path} was to be one line of 1 to {LONGEST_REASON} characters",
            found=ascii(reason[:80]),
            remedy="say it to whoever finds the server drained: --reason 'disk fails'",
        )
    if not by.isprintable() or not by.strip():
        raise Mistake(f"a hold of {path} was to say by whom, by a name", found=ascii(by[:80]))
    if until is not None and until.tzinfo is None:
        raise Mistake(f"a hold of {path} was to end at a time with its time zone", found=until.isoformat())
    if until is not None and until <= now:
        raise Mistake(
            f"a hold of {path} was to end in the future", found=f"{_stamp(until)}; it is {_stamp(now)} now"
        )
    return Hold(path, reason.strip(), by, _stamp(now), _stamp(until) if until else None)


def person() -> str:
    """Who asks: the user that lbkit runs as, or who became that user by sudo."""
    import pwd  # noqa: PLC0415 - for those who hold something

    user = os.environ.get("SUDO_USER", "")
    if user and user.isprintable():
        return user
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def read_holds(folder: Path, now: datetime) -> Holds:
    """Those of a topology. Failure where the file cannot be understood: whom it drains is not to be guessed."""
    path = folder / FILE
    content = read(path)
    if content is None:
        return Holds()
    try:
        found = sorted(_holds(json.loads(content)), key=lambda hold: hold.path)
        over = {hold.path: hold.over(now) for hold in found}
    except (ValueError, TypeError, RecursionError) as error:
        raise Failure(
            f"{path} was to say which servers are held",
            found=str(error) or type(error).__name__,
            remedy="mend it, or remove it: then nothing is held",
        ) from error
    return Holds(
        {hold.path: hold for hold in found if not over[hold.path]},
        {hold.path: hold for hold in found if over[hold.path]},
    )


def write_holds(folder: Path, holds: Holds) -> None:
    """Have these and no others, at once or not at all. The caller has the topology's lock."""
    every = {**holds.in_force, **holds.expired}
    data = {"schema": SCHEMA, "holds": [every[path].as_data() for path in sorted(every)]}
    make_folder(folder)
    write_atomic(folder / FILE, (json.dumps(data, indent=1) + "\n").encode(), mode=0o640)


def _holds(data: Any) -> Iterator[Hold]:
    if not isinstance(data, dict) or data.get("schema") != SCHEMA or not isinstance(data.get("holds"), list):
        raise ValueError(f"no document of the form {SCHEMA}")
    for entry in data["holds"]:
        hold = Hold(**entry)
        texts = [hold.path, hold.reason, hold.by, hold.since, *([] if hold.until is None else [hold.until])]
        if not all(isinstance(text, str) and text.isprintable() for text in texts):
            raise ValueError("a hold that is no text")
        for time in texts[3:]:
            if datetime.fromisoformat(time).tzinfo is None:
                raise ValueError(f"a time without its zone: {time}")
        yield hold


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds")


def _said(stamp: str | None) -> str:
    return f"{datetime.fromisoformat(stamp):%Y-%m-%d %H:%M:%S} UTC" if stamp else ""
