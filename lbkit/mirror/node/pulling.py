"""Get a generation from a machine that has it: nothing of it is believed that its digest does not cover."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from lbkit.base.errors import Failure
from lbkit.base.files import make_folder
from lbkit.mirror.sync.project import TRACE
from lbkit.mirror.sync.rsync import Rsync, RsyncFailed
from lbkit.mirror.sync.syncing import leave_trace
from lbkit.mirror.sync.upstream import Rsynced
from lbkit.mirror.sync.watched import Unwatched, Watch
from lbkit.mirror.tree.build import Source, build, none
from lbkit.mirror.tree.difference import Difference
from lbkit.mirror.tree.generation import Generation
from lbkit.mirror.tree.left import take_over
from lbkit.mirror.tree.manifest import BadManifest, check, check_changes, entry_of, lines_of
from lbkit.mirror.tree.scan import hashed
from lbkit.mirror.tree.store import Store
from lbkit.mirror.tree.verify import Damage, damages, matches

_CONNECT, _SILENCE = 5.0, 60.0  # seconds: there are other sources, and one that is cut off says nothing
_SMALL = 4 << 20  # bytes: to find out what differs in files takes both ends longer than to send them
_TRIES = 2  # from each source, for a file that comes damaged


@dataclass(slots=True)
class Pulling:
    """Into one store. `keep` generations are found by readers."""

    project: str
    store: Store
    keep: int
    bandwidth: int | None = None
    progress: Callable[[int, int], None] = lambda _files, _size: None
    watch: Watch = field(default_factory=Unwatched)

    def prepare(
        self,
        wanted: Generation,
        sources: Sequence[Rsynced],
        *,
        of: int | None = None,
        lenders: Sequence[Source] = (),
        difference: Difference | None = None,
    ) -> None:
        """The generation stands here when this returns; it does not serve yet. Stands it already: nothing.

        `sources` are roots of stores, the best first. Raises Failure where none of them gives what the digest says. `of` is under which serial
        they have it, where that is another one. `lenders` are trees that files are linked from, before those of this store. `difference` is the manifest, where it is enough.
        """
        try:
            self._prepare(wanted, sources, wanted.serial if of is None else of, lenders, difference)
        except OSError as error:
            raise Failure(
                f"generation {wanted.serial} was to be got",
                found=str(error),
                where=str(self.store.root),
                remedy="free space or inodes on its disk; the next try begins anew",
            ) from error

    def _prepare(
        self,
        wanted: Generation,
        sources: Sequence[Rsynced],
        of: int,
        lenders: Sequence[Source],
        difference: Difference | None,
    ) -> None:
        found = self.store.find(wanted.serial)
        if found is not None and found.digest == wanted.digest:
            return
        if found is not None:
            raise Failure(
                f"generation {wanted.serial} was to be got",
                found=f"another one of that serial stands, {found.digest[:12]} and not {wanted.digest[:12]}",
                where=str(self.store.root),
                remedy="two masters made it; `lbkit mirror promote` says which is the one, or remove it here",
            )
        self.store.tidy()
        have = self.store.begin()
        with suppress(FileNotFoundError):
            (have.root / TRACE).unlink()
        self.watch.phase("build")
        changes = difference.write(self.store, wanted.digest) if difference is not None else None
        if changes is not None:
            check_changes(changes, self._lines)
        else:
            self._manifest(of, wanted.digest, sources)
        alike = difference is not None and changes is not None and self.store.began_as(difference.base)
        missing: list[bytes] = []
        standing = [self.store.source(each.serial) for each in reversed(self.store.generations())]
        lending = [*lenders, *standing[: self.keep]]
        build(have.root, have.lines, self._lines, lending, missing.append, changes if alike else None)
        missing = self._without_left(have.root, missing)
        self.store.linger()
        self.watch.phase("fetch", len(missing), sum(entry_of(line).size for line in missing))
        self._fetch(have.root, missing, [_below(source, f"gen-{of}") for source in sources])
        leave_trace(have.root, self.project, wanted)
        self.store.seal(wanted, self.keep)

    def verify(self, serial: int) -> Iterator[Damage]:
        """Everything of a generation that is not as its manifest says: each byte is read."""
        return damages(
            self.store.tree(serial), self.store.lines(serial), without=frozenset({os.fsencode(TRACE)})
        )

    def mend(self, serial: int, found: Sequence[Damage], sources: Sequence[Rsynced]) -> int:
        """Get anew just what is damaged, in this generation and wherever the same file lies in another. How many files.

        Raises Failure where not all of it could be got; what came is mended then, too.
        """
        work = self.store.root / "work" / "mended"
        lines = sorted({each.line for each in found if each.line is not None})
        files = [line for line in lines if entry_of(line).kind == "f"]
        try:
            self.store.tidy()
            make_folder(work)
            for line in files:
                (work / os.fsdecode(entry_of(line).path)).parent.mkdir(parents=True, exist_ok=True)
            try:
                self._fetch(work, files, [_below(source, f"gen-{serial}") for source in sources])
            finally:
                self._set_right(serial, found, lines)
                self._put(work, frozenset(line for line in files if matches(work, line)))
            self.store.tidy()
        except OSError as error:
            raise Failure(
                f"generation {serial} was to be mended",
                found=f"{error.strerror}: {os.fsdecode(error.filename or '')}",
                where=str(self.store.root),
                remedy="its disk may have faults",
            ) from error
        return len(files)

    def remanifest(self, generation: Generation, sources: Sequence[Rsynced]) -> None:
        """Get its manifest anew: the digest says which is the one."""
        try:
            self.store.tidy()
            self._manifest(generation.serial, generation.digest, sources)
            os.rename(self.store.work_manifest, self.store.manifest(generation.serial))
        except OSError as error:
            raise Failure(
                f"the manifest of generation {generation.serial} was to be mended",
                found=str(error),
                where=str(self.store.root),
                remedy="its disk may be full, or have faults",
            ) from error

    def _set_right(self, serial: int, found: Sequence[Damage], lines: Sequence[bytes]) -> None:
        """What takes no bytes of others: what is in no manifest goes, folders and links are made."""
        top = os.fsencode(self.store.tree(serial))
        for each in reversed(found):  # what is in a folder before it
            if each.fault == "foreign":
                _discard(os.path.join(top, each.path))
        for line in lines:
            entry = entry_of(line)
            here = os.path.join(top, entry.path)
            if entry.kind == "d" and (os.path.islink(here) or not os.path.isdir(here)):
                _discard(here)
                os.makedirs(here, mode=0o755)
            elif entry.kind == "l":
                _discard(here)
                os.makedirs(os.path.dirname(here), exist_ok=True)
                os.symlink(entry.target, here)

    def _put(self, work: Path, good: frozenset[bytes]) -> None:
        """In every tree that has such a line the damaged file is one: it goes from all of them, also from those that the next one is made of."""
        new = os.fsencode(self.store.root / "work" / "put")
        for tree in self.store.trees():
            for line in tree.lines():
                if line not in good:
                    continue
                path = entry_of(line).path
                here = os.path.join(os.fsencode(tree.root), path)
                os.makedirs(os.path.dirname(here), exist_ok=True)
                if os.path.isdir(here) and not os.path.islink(here):
                    _discard(here)
                _discard(new)
                os.link(os.path.join(os.fsencode(work), path), new)
                os.rename(new, here)

    def _lines(self) -> Iterator[bytes]:
        with self.store.work_manifest.open("rb") as stream:
            yield from lines_of(stream)

    def _manifest(self, serial: int, digest: str, sources: Sequence[Rsynced]) -> None:
        """Into the work folder; of what differs from the newest one here only that is sent."""
        name = f"gen-{serial}.manifest"
        failed: list[str] = []
        for source in sources:
            folder = self.store.work_manifest.parent / "got"
            folder.mkdir(exist_ok=True)
            got = folder / name
            got.unlink(missing_ok=True)
            basis = self.store.work_manifest.parent / "basis"
            basis.mkdir(exist_ok=True)
            newest = next(reversed(self.store.generations()), None)
            (basis / name).unlink(missing_ok=True)
            if newest is not None:
                os.link(self.store.manifest(newest.serial), basis / name)
            try:
                self._rsync(source).get([name.encode()], folder, basis=basis, told=lambda _: None)
            except RsyncFailed as error:
                failed.append(error.found)
                continue
            if hashed(os.fsencode(got))[1] != digest:
                failed.append(f"{source.source} gave another one than {digest[:12]}")
                continue
            os.rename(got, self.store.work_manifest)
            self._check()
            return
        raise Failure(
            f"the manifest of generation {serial} was to be got",
            found="; ".join(failed) or "there is nobody to get it from",
            remedy="the next try asks again; look at the master's rsync service",
        )

    def _without_left(self, tree: Path, lines: Sequence[bytes]) -> list[bytes]:
        """What is still to be got: of what an attempt before this one got, all that is as it should be lies in the tree now."""
        waiting = {entry_of(line).path: line for line in lines} if self.store.left.is_dir() else {}
        came = {
            waiting[path] for path in take_over(self.store.left, tree, waiting) if _came(tree, waiting[path])
        }
        return [line for line in lines if line not in came]

    def _rsync(self, source: Rsynced) -> Rsync:
        return Rsync(source, bandwidth=self.bandwidth, silence=_SILENCE, connect=_CONNECT)

    def _check(self) -> None:
        """It is the master's own, by its digest; that it leads nowhere else is asked all the same."""
        newest = next(reversed(self.store.generations()), None)
        try:
            check(self._lines, none if newest is None else partial(self.store.lines, newest.serial))
        except BadManifest:  # the one here may be what is damaged
            check(self._lines, none)

    def _fetch(self, tree: Path, lines: Sequence[bytes], sources: Sequence[Rsynced]) -> None:
        """Files that come otherwise than their line says are got again, at last from the next source."""
        left = list(lines)
        newest = next(reversed(self.store.generations()), None)
        small = self.bandwidth is None and sum(entry_of(line).size for line in lines) < _SMALL
        failed = ""
        away: list[Rsynced] = []
        count = size = 0
        for source in (source for source in sources for _ in range(_TRIES)):
            if not left:
                return
            if source in away:
                continue
            try:
                self._rsync(source).get(
                    (entry_of(line).path for line in left),
                    tree,
                    basis=self.store.tree(newest.serial) if newest and not small and not failed else None,
                    told=lambda item: self.watch.came(item.size),
                )
            except RsyncFailed as error:
                failed = error.found
                away.append(source)
            again = []
            for line in left:
                if _came(tree, line):
                    count, size = count + 1, size + entry_of(line).size
                    self.progress(count, size)
                else:
                    again.append(line)
            left = again
            failed = failed or f"{source.source} has {len(left)} files otherwise than the manifest says"
        if left:
            raise Failure(
                f"{len(lines)} files were to be got",
                found=f"{len(left)} did not come as they should: {os.fsdecode(entry_of(left[0]).path)}; {failed}",
                remedy="the next try asks again; `lbkit mirror verify` looks for damage on the machine that gave them",
            )


def _came(tree: Path, line: bytes) -> bool:
    """Whether it lies there as it should; what does not is removed. Mode and time are made as they should be."""
    wanted = entry_of(line)
    here = os.path.join(os.fsencode(tree), wanted.path)
    try:
        if hashed(here) == (wanted.size, wanted.sha256):
            status = os.lstat(here)
            if status.st_mode & 0o7777 != wanted.mode:
                os.chmod(here, wanted.mode)
            if status.st_mtime_ns // 10**9 != wanted.mtime:
                os.utime(here, (wanted.mtime, wanted.mtime))
            return True
    except OSError:
        pass
    _discard(here)
    return False


def _discard(path: bytes) -> None:
    try:
        os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
    except FileNotFoundError:
        return


def _below(source: Rsynced, name: str) -> Rsynced:
    return replace(source, path=f"{source.path}/{name}" if source.path else name)
