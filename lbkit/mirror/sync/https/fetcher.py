"""An upstream of the web as a sync wants it: its list says what there is, and what has other content needs no look at a file."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import quote

from lbkit.base.clock import Clock
from lbkit.base.errors import Failure
from lbkit.base.files import FileFailure, read
from lbkit.mirror.sync.ended import TransferFailed
from lbkit.mirror.sync.fetching import Told, Tried, untold
from lbkit.mirror.sync.https.curl import Answer, Curl, Order
from lbkit.mirror.sync.https.downloads import LONGEST_WAIT, TRIES, Downloads, retry_after
from lbkit.mirror.sync.https.ended import meaning_of, words_of
from lbkit.mirror.sync.https.exclusion import excluded_by
from lbkit.mirror.sync.https.kept import Kept, Wanted
from lbkit.mirror.sync.https.listed import BadList, Listed, folders_of, listed
from lbkit.mirror.sync.itemized import Item
from lbkit.mirror.sync.upstream import Web
from lbkit.mirror.tree.build import Lines, none
from lbkit.mirror.tree.manifest import entry_of
from lbkit.mirror.tree.scan import hashed

PARTIAL = "partial"
"""The folder of a store for what is not whole yet."""

CONNECTIONS = 4

_LARGEST_LIST = 256 << 20  # bytes
_HEADS = 100  # files whose sizes are asked for in one call


@dataclass(frozen=True, slots=True)
class _Found:
    """What upstream has: files by their paths, the folders that they are in, and the list as it came."""

    files: Mapping[bytes, Listed]
    folders: frozenset[bytes]
    content: bytes
    mtime: float


@dataclass(slots=True)
class Https:
    """`partial` is a folder on the store's disk, for what is not whole yet. `bandwidth` is of all connections together, in bytes a
    second; `silence` is after how many seconds without a byte one is given up; `exclude` as rsync's patterns.
    """

    upstream: Web
    partial: Path
    clock: Clock
    exclude: Sequence[str] = ()
    bandwidth: int | None = None
    connections: int = CONNECTIONS
    silence: float = 300.0
    goes_on: ClassVar[bool] = False
    pause: float = 1.0  # seconds before the first try again
    _last: _Found | None = field(default=None, init=False)
    _sizes: dict[str, int] = field(default_factory=dict, init=False)  # by digest, as upstream says them

    def compare(
        self,
        tree: Path,
        *,
        lines: Lines = none,
        below: str = "",
        contents: bool = False,
        tried: Tried = untold,
    ) -> Iterator[Item]:
        """By content, whatever is asked: the second look that `contents` is has nothing more to tell. Raises BadList, too."""
        if contents:
            return
        found = self._last = self._look(tried)
        items = [item for item in _items(found, lines) if _is_below(item.path, below)]
        new = [item.path for item in items if item.doing != "delete" and item.kind == "f"]
        self._ask_sizes([found.files[path] for path in new])
        for item in items:
            if item.doing == "delete" or item.kind == "d":
                yield item
            else:
                yield Item(item.doing, item.kind, item.path, self._size(found.files[item.path]))

    def glance(self, tree: Path) -> None:
        """The list says as much in one file, once all have come."""

    def get(
        self,
        paths: Iterable[bytes],
        tree: Path,
        *,
        basis: Path | None = None,
        lines: Lines = none,
        told: Told,
        tried: Tried = untold,
        until: datetime | None = None,
    ) -> None:
        """As the list said at the last comparison. What the basis has under any name is linked."""
        found = self._last or self._look(tried)
        top = os.fsencode(tree)
        kept = Kept(self.partial)
        kept.forget({each.sha256 for each in found.files.values()})
        wanted: dict[str, list[bytes]] = {}
        for path in paths:
            if path == self._list_path():
                _write(os.path.join(top, path), found)
                told(Item("add", "f", path, len(found.content)))
            else:
                wanted.setdefault(found.files[path].sha256, []).append(path)

        def came(sha256: str, file: bytes) -> None:
            for path in wanted.pop(sha256):
                _link(file, os.path.join(top, path))
                told(Item("add", "f", path, os.path.getsize(file)))

        if basis is not None:
            for sha256, file in _held(os.fsencode(basis), lines, wanted.keys()):
                if sha256 in wanted:
                    came(sha256, file)
        Downloads(
            Curl(self.upstream, self.silence),
            kept,
            self.clock,
            self.connections,
            self.bandwidth,
            self.pause,
            until,
        ).run(
            [self._wanted(found.files[same[0]]) for same in wanted.values()],
            lambda each, file: came(each.sha256, os.fsencode(file)),
            tried,
        )

    def settle(self) -> None:
        Kept(self.partial).forget(frozenset())

    def _wanted(self, one: Listed) -> Wanted:
        return Wanted(self._url(one.path), one.sha256, one.size, self._sizes.get(one.sha256))

    def _url(self, path: bytes) -> str:
        return f"{self.upstream.source}{quote(path, safe='/')}"

    def _size(self, one: Listed) -> int:
        return self._sizes.get(one.sha256, 0) if one.size is None else one.size

    def _list_path(self) -> bytes | None:
        """None: the list is on this machine, and no part of the mirror."""
        return None if self.upstream.digests.startswith("/") else self.upstream.digests.encode()

    def _look(self, tried: Tried) -> _Found:
        path = self._list_path()
        if path is None:
            where = self.upstream.digests
            content, mtime = read(Path(where)), 0.0
            if content is None:
                raise BadList("a list of files was to be read", found="there is none", where=where)
        else:
            where = self._url(path)
            content, mtime = self._fetch(where, tried)
        above = b"" if path is None or b"/" not in path else path.rpartition(b"/")[0] + b"/"
        excluded = excluded_by(self.exclude)
        files = {
            above + name: Listed(above + name, one.sha256, one.size)
            for name, one in listed(content, where).items()
            if not excluded(above + name)
        }
        if path is not None:
            if any(each.startswith(path + b"/") for each in files):
                raise BadList("a list was to be a file", found="it names files below itself", where=where)
            files[path] = Listed(path, hashlib.sha256(content).hexdigest(), len(content))
        return _Found(files, frozenset(folders_of(files)), content, mtime)

    def _fetch(self, url: str, tried: Tried) -> tuple[bytes, float]:
        for count in range(1, TRIES + 1):
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, "list")
                ended = Curl(self.upstream, self.silence).call([Order(url, file)], most=_LARGEST_LIST)
                if ended.code == 0:
                    try:
                        return file.read_bytes(), file.stat().st_mtime
                    except FileNotFoundError:  # curl makes no file of nothing
                        return b"", 0.0
            answer = ended.answers[-1] if ended.answers else Answer(0, {})
            words = f"{url}: {words_of(ended.code, ended.words)}"
            meaning = meaning_of(ended.code, answer.status)
            wait = max(retry_after(answer, self.clock.now()), self.pause * 2 ** (count - 1))
            if meaning in {"gone", "refused"} or count == TRIES or wait > LONGEST_WAIT:
                break
            tried(ended.code, words)
            self.clock.sleep(wait)
        outcome: Literal["refused", "cut"] = "refused" if meaning in {"gone", "refused"} else "cut"
        raise TransferFailed("the list of files was to come", outcome, ended.code, words, words, url)

    def _ask_sizes(self, files: Sequence[Listed]) -> None:
        """Of those whose list does not say them. Whoever does not answer is asked no more: the download will tell."""
        unknown = [each for each in files if each.size is None and each.sha256 not in self._sizes]
        parts = [unknown[number :: self.connections] for number in range(self.connections)]
        askers = [threading.Thread(target=self._ask, args=(part,), daemon=True) for part in parts if part]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()

    def _ask(self, files: Sequence[Listed]) -> None:
        curl = Curl(self.upstream, self.silence)
        for start in range(0, len(files), _HEADS):
            batch = files[start : start + _HEADS]
            try:
                ended = curl.call([Order(self._url(each.path)) for each in batch])
            except Failure:
                return
            for each, answer in zip(batch, ended.answers, strict=False):
                length = answer.headers.get("content-length", "")
                if answer.status == 200 and length.isascii() and length.isdigit():
                    self._sizes[each.sha256] = min(int(length), 1 << 62)
            if ended.code != 0:
                return


def _items(found: _Found, lines: Lines) -> Iterator[Item]:
    """What differs, without sizes. Of what becomes another kind of thing only that is told, as rsync does."""
    seen: set[bytes] = set()
    for line in lines():
        entry = entry_of(line)
        seen.add(entry.path)
        if (wanted := found.files.get(entry.path)) is not None:
            if entry.kind == "d":
                yield Item("add", "f", entry.path)
            elif entry.sha256 != wanted.sha256:
                yield Item("change", "f", entry.path)
        elif entry.path not in found.folders:
            yield Item("delete", "d" if entry.kind == "d" else "f", entry.path)
        elif entry.kind != "d":
            yield Item("add", "d", entry.path)
    for path in found.folders - seen:
        yield Item("add", "d", path)
    for path in found.files.keys() - seen:
        yield Item("add", "f", path)


def _is_below(path: bytes, folder: str) -> bool:
    below = folder.strip("/").encode()
    return not below or path.startswith(below + b"/")


def _held(basis: bytes, lines: Lines, wanted: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Of the wanted digests those that a tree has, and where; each is read, for a disk may have faults."""
    left = set(wanted)
    for line in lines() if left else ():
        entry = entry_of(line)
        if entry.kind != "f" or entry.sha256 not in left:
            continue
        file = os.path.join(basis, entry.path)
        try:
            whole = hashed(file)[1] == entry.sha256
        except OSError:
            continue
        if whole:
            left.discard(entry.sha256)
            yield entry.sha256, file


def _link(file: bytes, to: bytes) -> None:
    try:
        try:
            os.link(file, to, follow_symlinks=False)
        except OSError as error:
            if error.errno != 31:  # EMLINK: it has as many names as a file can have
                raise
            shutil.copy2(file, to)
    except OSError as error:
        raise Failure(
            "what was downloaded was to be put into the tree",
            found=f"{error.strerror}: {os.fsdecode(to)}",
            remedy="it stays where it is, for the next run",
        ) from error


def _write(to: bytes, found: _Found) -> None:
    try:
        with open(to, "xb") as stream:
            stream.write(found.content)
        os.chmod(to, 0o644)
        os.utime(to, (found.mtime, found.mtime))
    except OSError as error:
        raise FileFailure("written", Path(os.fsdecode(to)), error) from error
