"""One sync: compare, judge, fetch, look again until upstream has stood still, and seal a generation. Readers see nothing of it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from pathlib import Path

from lbkit.base.clock import Clock
from lbkit.base.errors import Failure
from lbkit.base.files import FileFailure
from lbkit.mirror.sync.changes import Changes, changes_of
from lbkit.mirror.sync.ended import TransferFailed
from lbkit.mirror.sync.fetching import Paused
from lbkit.mirror.sync.glance import REFUSED, Glance
from lbkit.mirror.sync.itemized import Item
from lbkit.mirror.sync.project import TRACE, Project
from lbkit.mirror.sync.runs import LOG, Came, Run, Runs, Try
from lbkit.mirror.sync.watched import Unwatched, Watch
from lbkit.mirror.tree import serial as serials
from lbkit.mirror.tree.build import Lines, build, none
from lbkit.mirror.tree.generation import Generation
from lbkit.mirror.tree.left import take_over
from lbkit.mirror.tree.manifest import Entry, escaped, patched, path_of, stays_inside, write
from lbkit.mirror.tree.scan import hashed
from lbkit.mirror.tree.store import Store

PASSES = 4  # looks at an upstream that changes meanwhile, before a run is given up as partial

Progress = Callable[[int, int], None]
"""Told after each file: how many have come, and their bytes."""

Until = Callable[[str], datetime | None]
"""For a run of that cause, which begins now: when it is to stop where it can go on later; None: never."""

TRIES = 100  # of a run's failed ones so many are kept as evidence, the first


class Partial(Failure):
    """Upstream could not be had whole: it updates itself, or part of it cannot be read."""


class Held(Failure):
    """The guards want a person's word first."""


@dataclass(slots=True)
class Syncing:
    project: Project
    store: Store
    runs: Runs
    clock: Clock
    progress: Progress = lambda _files, _size: None
    watch: Watch = field(default_factory=Unwatched)
    known: Callable[[], int] = lambda: serials.NONE  # the highest serial that anybody is known to have
    until: Until = lambda _cause: None
    _refused: bool = field(default=False, init=False)  # a second connection to upstream
    _log: bytearray = field(default_factory=bytearray, init=False)
    _tries: list[Try] = field(default_factory=list, init=False)

    def plan(self) -> Changes:
        """What a sync would do now. Changes nothing. Raises TransferFailed, Partial."""
        return self._planned()[1]

    def sync(self, cause: str, *, anyway: bool = False) -> Run:
        """Carry one out: a generation stands after it, or what stood before does alone. What came of it is in the run.

        `anyway`: the guards are not asked; a person did that. The new generation is not published: that is the committing's.
        """
        newest = self._newest()
        run = self.runs.begin(cause, newest.serial if newest else serials.NONE)
        self._log, self._tries = bytearray(), []
        try:
            self.store.tidy()
            self.store.prune(self.project.keep)  # and what leaves is made into the next one
            made = self._make(run, newest, anyway=anyway)
        except Held as error:
            return self.runs.end(run, "held", error.found)
        except TransferFailed as error:
            tries = (*self._tries, Try(error.code, error.words))
            came: Came = "partial" if error.outcome == "partial" else "failed"
            return self.runs.end(run, came, error.found, tries=tries, log=error.words.encode())
        except (Partial, Paused) as error:
            came = "partial" if isinstance(error, Partial) else "paused"
            return self.runs.end(run, came, error.found, tries=tuple(self._tries), log=bytes(self._log))
        except (Failure, OSError) as error:  # a full disk, wherever it was written to
            return self.runs.end(run, "failed", str(error), tries=tuple(self._tries), log=bytes(self._log))
        self.project.fetcher.settle()
        if made is None:
            return self.runs.end(run, "nothing", tries=(*self._tries, Try(0, "")))
        generation, changes, fetched = made
        usual = generation.serial == serials.after(run.before)
        return self.runs.end(
            run,
            "made",
            ""
            if usual
            else f"its serial is {generation.serial}: others have later ones than this disk knew of",
            log=bytes(self._log),
            tries=(*self._tries, Try(0, "")),
            added=changes.added.files,
            changed=changes.changed.files,
            deleted=changes.deleted.files,
            fetched=fetched,
            digest=generation.digest,
            after=generation.serial,
        )

    def _make(
        self, run: Run, newest: Generation | None, *, anyway: bool
    ) -> tuple[Generation, Changes, int] | None:
        items, changes = self._planned()
        first = changes
        before, known = newest.serial if newest else serials.NONE, self.known()
        same = newest is not None and not serials.outrun(before, known)
        if not changes and same:
            return None
        self._judge(changes, anyway=anyway)
        base = (lambda: self.store.lines(newest.serial)) if newest else none
        orders: dict[
            bytes, bytes | None
        ] = {}  # by escaped path its new line; None: it goes, or is not there yet
        count = size = 0
        until = self.until(run.cause)

        def now() -> Iterable[bytes]:
            """What the tree in the making has."""
            return patched(base(), _told(orders))

        self.watch.phase("build")
        have = self.store.begin()
        (have.root / TRACE).unlink(missing_ok=True)
        _take(orders, changes)
        build(
            have.root,
            have.lines,
            now,
            [self.store.source(newest.serial)] if newest else [],
            lambda line: orders.__setitem__(
                path_of(line), None
            ),  # somebody removed it by hand: it is fetched again
        )
        if self.project.fetcher.goes_on:
            take_over(self.store.left, have.root, changes.fetched)
        self.store.linger()
        for _ in range(PASSES):
            self.watch.phase("fetch", len(changes.fetched), changes.added.size + changes.changed.size)
            glance = Glance(
                self.project.fetcher, have.root, items, changes, self.clock, wanted=not self._refused
            )
            items, had = [], (count, size)  # a million of them need not be held while they come
            try:
                with glance:
                    for entry in self._fetched(have.root, changes, newest, until):
                        orders[escaped(entry.path)] = entry.line
                        count, size = count + 1, size + entry.size
                        glance.came(entry)
                        self.progress(count, size)
            except TransferFailed as error:
                if not glance.wanted or error.code != REFUSED:
                    raise
                self._refused, (count, size) = True, had
                continue
            self._refused = self._refused or glance.refused
            items = self._items(have.root, now, glanced=glance.stood_still)
            if not items or not (changes := changes_of(items, now)):
                break
            self._judge(changes, anyway=anyway)
            _clear(have.root, changes)
            _take(orders, changes)
        else:
            raise Partial(
                "upstream was to stand still", found=f"it changed while it was read, {PASSES} times in turn"
            )
        with self.store.work_manifest.open("wb") as to:
            summary = write(now(), to)
        if newest is not None and same and summary.digest == newest.digest:
            return None
        generation = Generation(
            serials.minted(before, known),
            summary.digest,
            summary.files,
            summary.size,
            self.clock.now().timestamp(),
            before,
            run.id,
        )
        leave_trace(have.root, self.project.name, generation)
        self.store.seal(generation, self.project.keep)
        return generation, first, size

    def _planned(self) -> tuple[list[Item], Changes]:
        newest = self._newest()
        lines = (lambda: self.store.lines(newest.serial)) if newest else none
        with self._compared(newest) as tree:
            items = self._items(tree, lines)
        return items, changes_of(items, lines)

    def _items(self, tree: Path, lines: Lines, *, glanced: bool = False) -> list[Item]:
        """`glanced`: by size and time nothing is otherwise, as is known."""
        self.watch.phase("compare")
        fetcher = self.project.fetcher
        found = () if glanced else fetcher.compare(tree, lines=lines, tried=self._tried)
        items = [item for item in found if item.path != TRACE.encode()]
        if marker := next((item for item in items if self.project.is_marker(item.path)), None):
            raise Partial(
                "upstream was to be whole",
                found=f"it updates itself: {os.fsdecode(marker.path)} is there",
                remedy="the next run looks again",
            )
        seen = {item.path for item in items}
        for stage in self.project.stages:
            if stage.contents and (not stage.folder or (tree / stage.folder).is_dir()):
                more = fetcher.compare(
                    tree, lines=lines, below=stage.folder, contents=True, tried=self._tried
                )
                items += [item for item in more if item.path not in seen and item.path != TRACE.encode()]
        return items

    def _fetched(
        self, tree: Path, changes: Changes, newest: Generation | None, until: datetime | None
    ) -> Iterator[Entry]:
        """What is to be fetched, stage by stage, as it came. Raises Partial where something did not."""
        basis = self.store.source(newest.serial) if newest else None
        for number in range(len(self.project.stages)):
            paths = [path for path in changes.fetched if self.project.stage_of(path) == number]
            if paths:
                self.project.fetcher.get(
                    paths,
                    tree,
                    basis=basis.root if basis else None,
                    lines=basis.lines if basis else none,
                    told=self._tell,
                    tried=self._tried,
                    until=until,
                )
                yield from (_came(tree, path) for path in paths)

    def _tell(self, item: Item) -> None:
        self.watch.came(item.size)
        self._log += b"%s %s\n" % (item.doing.encode(), escaped(item.path))
        if len(self._log) > 2 * LOG:  # of a million files too: no more is kept than the last part
            del self._log[:-LOG]

    def _tried(self, code: int, words: str) -> None:
        if len(self._tries) < TRIES:
            self._tries.append(Try(code, words))

    def _judge(self, changes: Changes, *, anyway: bool) -> None:
        objections = [] if anyway else self.project.guard.objections(changes)
        if objections:
            raise Held("a sync was to be small enough to go alone", found="; ".join(objections))

    def _newest(self) -> Generation | None:
        return next(reversed(self.store.generations()), None)

    @contextmanager
    def _compared(self, newest: Generation | None) -> Iterator[Path]:
        if newest is not None:
            yield self.store.tree(newest.serial)
            return
        with tempfile.TemporaryDirectory() as empty:
            yield Path(empty)


def leave_trace(tree: Path, project: str, generation: Generation) -> None:
    """The last file of a generation: whoever has it has all the others."""
    data = {
        "mirror": project,
        "serial": generation.serial,
        "digest": generation.digest,
        "files": generation.files,
        "size": generation.size,
        "made": generation.made,
    }
    try:
        with (tree / TRACE).open(
            "xb"
        ) as stream:  # it reaches the disk with all the others, when the tree is sealed
            os.fchmod(stream.fileno(), 0o644)
            stream.write(json.dumps(data, sort_keys=True).encode() + b"\n")
    except OSError as error:
        raise FileFailure("written", tree / TRACE, error) from error


def _take(orders: dict[bytes, bytes | None], changes: Changes) -> None:
    for path in chain(changes.gone, changes.fetched):
        orders[escaped(path)] = None
    for path in changes.folders:
        orders[escaped(path)] = Entry(path, "d").line


def _told(orders: dict[bytes, bytes | None]) -> Iterable[bytes]:
    """As `patched` takes them."""
    for path in sorted(orders):
        line = orders[path]
        yield b"-" + path + b"\n" if line is None else b"+" + line


def _clear(tree: Path, changes: Changes) -> None:
    """Of a tree in the making: what goes or comes anew is not there any more, new folders are."""
    top = os.fsencode(tree)
    for path in sorted({*changes.gone, *changes.fetched}, reverse=True):  # what is in a folder before it
        here = os.path.join(top, path)
        try:
            os.rmdir(here) if os.path.isdir(here) and not os.path.islink(here) else os.unlink(here)
        except FileNotFoundError:
            continue
    for path in changes.folders:
        os.mkdir(os.path.join(top, path), 0o755)


def _came(tree: Path, path: bytes) -> Entry:
    """What was fetched, by what lies there now: rsync's word is not asked."""
    here = os.path.join(os.fsencode(tree), path)
    try:
        status = os.lstat(here)
        if os.path.islink(here):
            target = os.readlink(here)
            if stays_inside(path, target):
                return Entry(path, "l", target=target)
            os.unlink(here)
            raise Partial(
                "links were to stay in the tree", found=f"{os.fsdecode(path)} leads to {os.fsdecode(target)}"
            )
        size, digest = hashed(here)
    except OSError as error:
        raise Partial(
            "all files were to come",
            found=f"{os.fsdecode(path)} did not: {error.strerror}",
            remedy="the next run tries again",
        ) from error
    return Entry(path, "f", status.st_mode & 0o777, int(status.st_mtime_ns // 10**9), size, digest)
