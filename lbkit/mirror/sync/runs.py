"""Runs as evidence: a file for each, written when it begins, and again when it ends. What a killed one began is told as such.

runs/ID.json   what it was and what came of it
runs/ID.log    what rsync said, its last part
wanted         how many times somebody asked for a run
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from lbkit.base.clock import Clock
from lbkit.base.errors import Failure
from lbkit.base.files import FileFailure, flush_folder, make_folder, read, write_atomic

Came = Literal["running", "made", "nothing", "held", "paused", "partial", "failed", "killed"]
"""made: a generation. nothing: upstream is as the newest one. held: its guards want a person's word. paused: the window
in which it may run ended, and the next one goes on. partial: upstream was in the middle of its own update, or part of it cannot be read. failed: it could not be carried out. killed: it never ended.
"""

KEPT = 500  # runs whose evidence is kept
LOG = 64 << 10  # bytes of rsync's words that are kept of one run

_WANTING = threading.Lock()  # several may push at once
_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9]{6}", re.ASCII)
_FORM, _STEP = "%Y%m%dT%H%M%SZ-%f", timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Try:
    """One call of rsync or curl: its exit code, and its last words."""

    code: int
    words: str


@dataclass(frozen=True, slots=True)
class Run:
    """`cause` is why it was: "schedule", "push", "person", "retry", "rollback", "promotion". Times are seconds since 1970, sizes bytes."""

    id: str
    cause: str
    began: float
    ended: float | None = None
    came: Came = "running"
    why: str = ""
    tries: tuple[Try, ...] = ()
    added: int = 0
    changed: int = 0
    deleted: int = 0
    fetched: int = 0  # bytes
    digest: str = ""
    before: int = 0  # serial
    after: int = 0

    def as_data(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Run:
        return cls(**{**data, "tries": tuple(Try(**each) for each in data["tries"])})


@dataclass(slots=True)
class Runs:
    """Those of one mirror, below a folder that is on a disk. One program writes."""

    folder: Path
    clock: Clock
    _last: str = field(default="", init=False)

    def begin(self, cause: str, before: int) -> Run:
        make_folder(self.folder / "runs")
        now = self.clock.now()
        run = Run(self._next(now), cause, now.timestamp(), before=before)
        self._write(run)
        return run

    def end(self, run: Run, came: Came, why: str = "", *, log: bytes = b"", **found: Any) -> Run:
        ended = replace(run, ended=self.clock.now().timestamp(), came=came, why=why, **found)
        if log:
            write_atomic(self.folder / "runs" / f"{run.id}.log", log[-LOG:])
        self._write(ended)
        self._forget()
        return ended

    def all(self) -> Iterator[Run]:
        """The newest first. One that never ended, and is not `running` now in this process, was killed: see `settle`."""
        for name in reversed(self._ids()):
            if (run := self.find(name)) is not None:
                yield run

    def find(self, name: str) -> Run | None:
        if not _ID.fullmatch(name) or (content := read(self._path(name))) is None:
            return None
        try:
            return Run.from_data(json.loads(content))
        except (ValueError, TypeError, KeyError):  # half a disk's file: it is no evidence
            return None

    def log(self, name: str) -> str:
        content = read(self.folder / "runs" / f"{name}.log") if _ID.fullmatch(name) else None
        return (content or b"").decode(errors="replace")

    def settle(self) -> list[Run]:
        """To be called when the program starts: what was running then was killed. Those runs."""
        killed = [run for run in self.all() if run.came == "running"]
        return [self.end(run, "killed", "the program that ran it ended before it did") for run in killed]

    def wanted(self) -> int:
        return self._number("wanted")

    def taken(self) -> int:
        return self._number("taken")

    def take(self, number: int) -> None:
        """A run ended that began when so many had been asked for."""
        make_folder(self.folder)
        write_atomic(self.folder / "taken", b"%d\n" % number)

    def want(self) -> int:
        """Somebody asks for a run. It is on the disk when this returns: whoever asked may be told so."""
        make_folder(self.folder)
        with _WANTING:
            number = self.wanted() + 1
            write_atomic(self.folder / "wanted", b"%d\n" % number)
            flush_folder(self.folder)
        return number

    def _number(self, name: str) -> int:
        content = read(self.folder / name)
        try:
            return int(content or b"0")
        except ValueError as error:
            raise Failure(
                "a number of runs was to be read",
                found=repr(content)[:100],
                where=str(self.folder / name),
                remedy="remove the file, and sync once",
            ) from error

    def _next(self, now: datetime) -> str:
        name = now.astimezone(UTC).strftime(_FORM)
        last = max([self._last, *self._ids()[-1:]])
        if name <= last:  # the clock went back, or stands
            name = (datetime.strptime(last, _FORM).replace(tzinfo=UTC) + _STEP).strftime(_FORM)
        self._last = name
        return name

    def _write(self, run: Run) -> None:
        write_atomic(self._path(run.id), json.dumps(run.as_data(), sort_keys=True).encode() + b"\n")

    def _path(self, name: str) -> Path:
        return self.folder / "runs" / f"{name}.json"

    def _ids(self) -> list[str]:
        try:
            return sorted(
                path.stem for path in (self.folder / "runs").glob("*.json") if _ID.fullmatch(path.stem)
            )
        except OSError as error:
            raise FileFailure("read", self.folder / "runs", error) from error

    def _forget(self) -> None:
        for name in self._ids()[:-KEPT]:
            for suffix in ("log", "json"):
                try:
                    (self.folder / "runs" / f"{name}.{suffix}").unlink(missing_ok=True)
                except OSError as error:
                    raise FileFailure("removed", self.folder / "runs" / f"{name}.{suffix}", error) from error
