"""The generations of one mirror on one machine's disk. One program writes here at a time.

    gen-N/               the tree of a generation; never changed once it stands
    gen-N.json           its record: a generation stands when this does, and the two others
    gen-N.manifest
    view-N/0, /1, ...    links to the generations that a reader of N finds: N itself, and those kept before it
    view-N/at-0/NAME     the same links, each alone in a folder under the mirror's name: what a web server has at /NAME/
    serial/N             link to view-N; of a generation that has gone, to `current`
    current              link to the view of the one that serves
    old-N/tree           what was a generation: nobody finds it any more, but who reads it may end
    old-N/manifest
    work/                what is being made
    lock                 held by the program that writes here
    left/                files that were got for a tree which came to nothing: the next one may have use for them

A generation comes to stand, and to serve, by one rename(2) each. Killed at any moment, `tidy` removes what is half.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from lbkit.base.errors import Bug, Failure
from lbkit.base.files import FileFailure, flush_folder, make_folder, read, write_atomic
from lbkit.base.lock import LINGER
from lbkit.mirror.tree import serial as serials
from lbkit.mirror.tree.build import Source
from lbkit.mirror.tree.disk import flush, is_there, lines, remove, written
from lbkit.mirror.tree.generation import Generation
from lbkit.mirror.tree.readers import is_read
from lbkit.mirror.tree.views import VIEW, Views

_LINGERS = "lingers"

_RECORD = re.compile(r"gen-([1-9][0-9]{0,9})\.json", re.ASCII)
_OLD = re.compile(r"old-([1-9][0-9]{0,9})", re.ASCII)
_GENERATION = re.compile(r"(?:gen|view)-([1-9][0-9]{0,9})(?:\.json|\.manifest)?", re.ASCII)


class Store:
    """Cheap to make. All methods raise Failure where the disk will not.

    What `publish` does may be done by another thread, while a generation is made. `name` is the mirror's: only who seals
    generations that a web server finds has to say it.
    """

    def __init__(self, root: Path, name: str = "tree") -> None:
        self.root = root
        self.name = name
        self._views = Views(root, name)
        self._claim: int | None = None

    def claim(self) -> None:
        """Nobody but this process writes here until it ends. Failure where another one does: two topologies may have one path.

        A program that was killed is waited for: a child that it had just forked holds its lock until it calls exec.
        """
        path = self.root / "lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise FileFailure("opened", path, error) from error
        deadline = time.monotonic() + LINGER
        while not _locked(descriptor):
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise Failure(
                    "generations were to be kept where no other program keeps its own",
                    found=f"another one has {self.root}",
                    remedy="give each topology's mirror a `path` of its own",
                )
            time.sleep(0.02)
        self._claim = descriptor

    def tree(self, serial: int) -> Path:
        return self.root / f"gen-{serial}"

    def manifest(self, serial: int) -> Path:
        return self.root / f"gen-{serial}.manifest"

    @property
    def work(self) -> Path:
        """A tree in the making; on the same disk."""
        return self.root / "work" / "tree"

    @property
    def left(self) -> Path:
        """Files that a killed or failed attempt got, at their paths. None of it is believed; there may be none."""
        return self.root / "left"

    @property
    def work_manifest(self) -> Path:
        return self.root / "work" / "manifest"

    def generations(self) -> list[Generation]:
        """All that stand, the oldest first (RFC 1982)."""
        names = [match for name in self._names() if (match := _RECORD.fullmatch(name))]
        found = [made for match in names if (made := self.find(int(match[1]))) is not None]
        return sorted(found, key=lambda each: -serials.behind(each.serial, found[0].serial))

    def find(self, serial: int) -> Generation | None:
        """None where it does not stand: also where somebody removed a part of it by hand, or a disk with faults left no record."""
        content = read(self._record(serial))
        if not content or not is_there(self.tree(serial)) or not is_there(self.manifest(serial)):
            return None
        try:
            data = json.loads(content)
        except ValueError:
            return None
        made = Generation.from_data(data, str(self._record(serial)))
        return made if made.serial == serial else None

    def serving(self) -> int:
        """The serial that readers get; 0 where nothing was published, or its tree is not there any more."""
        return self._views.serving()

    def lines(self, serial: int) -> Iterator[bytes]:
        """Of its manifest. Raises BadManifest while they are read, where it is none."""
        return lines(self.manifest(serial))

    def source(self, serial: int) -> Source:
        return Source(self.tree(serial), lambda: self.lines(serial))

    def trees(self) -> list[Source]:
        """All that lie here, with those that were generations: the next one is made of them."""
        olds = [self._old(serial) for serial in self._olds()]
        return [
            *(self.source(each.serial) for each in self.generations()),
            *(Source(old / "tree", partial(lines, old / "manifest")) for old in olds),
        ]

    def spare(self) -> int:
        """The newest of what were generations that nobody reads any more: it may be made into the next one. 0: none."""
        return next((serial for serial in self._olds() if not is_read([self._old(serial)])), serials.NONE)

    def begin(self) -> Source:
        """The tree in the making, as it is now: what the spare was, which is none from here on, or an empty one."""
        self._clear_work()
        held = self.root / "work" / "was"
        try:
            if spare := self.spare():
                os.rename(self._old(spare) / "manifest", held)
                os.rename(self._old(spare) / "tree", self.work)
                remove(self._old(spare))
                return Source(self.work, lambda: lines(held))
            self.work.mkdir(mode=0o755)
        except OSError as error:
            raise FileFailure("made", self.work, error) from error
        return Source(self.work, lambda: ())

    def began_as(self, serial: int) -> bool:
        """Whether the tree in the making was as that generation is, but for its trace, when it was begun."""
        return self._same(self.root / "work" / "was", serial)

    def linger(self) -> None:
        """All that comes into the tree in the making from here on outlives the attempt, where it comes to nothing (`left`).

        What is in `left` now goes: what there was use for is in the tree.
        """
        try:
            (self.root / "work" / _LINGERS).touch()
        except OSError as error:
            raise FileFailure("made", self.root / "work" / _LINGERS, error) from error
        remove(self.left)

    def is_ready(self, spare: int, serial: int) -> bool:
        """Whether that spare is as the generation is: it has its very manifest."""
        return self._same(self._old(spare) / "manifest", serial)

    def _same(self, manifest: Path, serial: int) -> bool:
        try:
            return os.path.samefile(manifest, self.manifest(serial))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise FileFailure("read", self.root, error) from error

    def set_aside(self, spare: int, serial: int) -> None:
        """The tree in the making, which is as that generation but for its trace, is a spare from here on."""
        aside = self.root / "work" / "aside"
        try:
            aside.mkdir(mode=0o755)
            os.link(self.manifest(serial), aside / "manifest")
            os.rename(self.work, aside / "tree")
            flush(aside)  # the next one is made of it by its manifest alone
            remove(self._old(spare))
            os.rename(aside, self._old(spare))
        except OSError as error:
            raise FileFailure("made", aside, error) from error

    def seal(self, generation: Generation, keep: int) -> None:
        """The tree in the making becomes that generation, with the manifest that lies beside it. Readers may ask for it by its
        serial; it does not serve yet. All of it is on the disk when this returns.
        """
        serial = generation.serial
        if self.find(serial) is not None:
            raise Bug("a generation was to be made once", found=f"{serial} stands", where=str(self.root))
        before = [each.serial for each in self.generations()]
        try:
            os.rename(self.work_manifest, self.manifest(serial))
            os.rename(self.work, self.tree(serial))
            self._views.make(serial, [serial, *reversed(before)][:keep])
            flush(self.root)  # all of it is on the disk before its record is anywhere
            write_atomic(self._record(serial), generation.as_json())
            flush_folder(self.root)
        except OSError as error:
            raise FileFailure("made", self.tree(serial), error) from error

    def publish(self, serial: int) -> None:
        """From here on readers get this one, which stands. Failure where it has just gone."""
        with self._views.alone:
            if self.find(serial) is None:
                raise Failure(
                    "a generation was to be published",
                    found=f"{serial} does not stand",
                    where=str(self.root),
                )
            self._views.flip(serial)

    def prune(self, keep: int, *, since: float | None = None) -> list[int]:
        """No reader finds generations any more that are older than the `keep` newest: their serials. What serves stays, and so does
        what was one of those, or served, at `since` (seconds since 1970; None: now): a client that reads it may be in the middle.

        Their trees go when nobody reads them; one of those is kept, as the spare.
        """
        standing = [each.serial for each in self.generations()]
        gone = []
        for serial, successor in zip(standing, standing[keep:], strict=False):
            with self._views.alone:  # nor does it come to serve in between
                if serial != self.serving() and (
                    since is None or self._found_until(serial, successor) <= since
                ):
                    self._retire(serial)
                    gone.append(serial)
        spare = self.spare()
        for serial in self._olds():
            if serial != spare and not is_read([self._old(serial)]):
                remove(self._old(serial))
        return gone

    def tidy(self) -> None:
        """Remove what a killed one left. To be called before anything is made."""
        self._clear_work()
        standing = {each.serial for each in self.generations()}
        for name in self._names():
            match = _GENERATION.fullmatch(name)
            if match and int(match[1]) not in standing:
                self._views.lead_on(int(match[1]))
                self._discard(name)
            elif name.startswith(".gen-"):  # a record that was just being written
                remove(self.root / name)
        for serial in {int(match[1]) for name in self._names() if (match := _OLD.fullmatch(name))} - {
            *self._olds()
        }:
            remove(self._old(serial))

    def _found_until(self, serial: int, successor: int) -> float:
        """When it was not among those any more that a reader finds, as that one came, and served no more; in seconds since 1970."""
        return max(map(written, (self._record(successor), self._views.by_serial(serial))))

    def _retire(self, serial: int) -> None:
        old = self._old(serial)
        try:
            self._views.lead_on(serial)
            os.unlink(self._record(serial))  # from here on it stands no more
            self._discard(f"{VIEW}{serial}")
            remove(old)
            old.mkdir()
            os.rename(self.tree(serial), old / "tree")
            os.rename(self.manifest(serial), old / "manifest")
        except OSError as error:
            raise FileFailure("removed", self.tree(serial), error) from error

    def _discard(self, name: str) -> None:
        """At once for who reads it: half a view would tell them that a file is not there."""
        gone = self.root / "work" / "gone"
        make_folder(gone.parent)
        remove(gone)
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.root / name, gone)
        remove(gone)

    def _old(self, serial: int) -> Path:
        return self.root / f"old-{serial}"

    def _olds(self) -> list[int]:
        """The newest first; of those that a killed one left half none."""
        found = [int(match[1]) for name in self._names() if (match := _OLD.fullmatch(name))]
        whole = [serial for serial in found if (self._old(serial) / "manifest").exists()]
        return sorted(whole, key=lambda serial: serials.behind(serial, whole[0]))

    def _clear_work(self) -> None:
        if (self.root / "work" / _LINGERS).exists() and self.work.exists():
            remove(self.left)
            try:
                os.rename(self.work, self.left)
            except OSError as error:
                raise FileFailure("made", self.left, error) from error
        remove(self.root / "work")
        make_folder(self.root / "work")

    def _record(self, serial: int) -> Path:
        return self.root / f"gen-{serial}.json"

    def _names(self) -> list[str]:
        try:
            return os.listdir(self.root)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise FileFailure("read", self.root, error) from error


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
