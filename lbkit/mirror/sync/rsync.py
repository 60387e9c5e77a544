"""rsync, as the keeper calls it: what it would do, and the files that it is to get. It writes into trees that nobody reads yet."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, ClassVar

from lbkit.base.run import MissingProgram
from lbkit.mirror.sync.ended import TransferFailed, outcome_of, words_of
from lbkit.mirror.sync.fetching import Told, Tried, untold
from lbkit.mirror.sync.itemized import FORMAT, Item, count_of, item_of
from lbkit.mirror.sync.upstream import RsyncDaemon, Rsynced
from lbkit.mirror.tree.build import Lines, none

_DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
_LAST = 4000  # bytes of its words that an error tells
_WITH_A_GLANCE = 2  # connections
_AT_ONCE = 5000  # paths of one call: over a socket its time goes with their square (40,000: 20 s)

_TREE = (
    "--links",
    "--times",
    "--omit-dir-times",
    "--omit-link-times",
    "--safe-links",
    "--no-devices",
    "--no-specials",
    "--perms",
    "--chmod=D0755,Fu=rwX,Fgo=rX,Fug-s,F-t",
)
"""What a mirror has: files, and links that stay in the tree. Nobody's id, no special bit, nothing that others may write."""


class RsyncFailed(TransferFailed):
    def __init__(self, code: int, words: str, where: str) -> None:
        found = f"exit code {code}, {words_of(code)}: {words}" if words else words_of(code)
        super().__init__("rsync was to succeed", outcome_of(code), code, words, found, where)


@dataclass(frozen=True, slots=True)
class Rsync:
    """`bandwidth` in bytes a second; `silence` in seconds without a byte before it gives up, `connect` until a daemon takes the
    connection; `exclude` as rsync's patterns; `connections` are the most at once.
    """

    upstream: Rsynced
    exclude: Sequence[str] = ()
    bandwidth: int | None = None
    silence: float = 300.0
    connect: float = 30.0
    connections: int = 1
    program: str = "rsync"
    goes_on: ClassVar[bool] = True

    def compare(
        self,
        tree: Path,
        *,
        lines: Lines = none,
        below: str = "",
        contents: bool = False,
        tried: Tried = untold,
    ) -> Iterator[Item]:
        """What upstream has otherwise than the tree, of which nothing is changed. `below`: only in that folder.

        By size and time; with `contents` by content, which reads every file at both ends. Where upstream refuses that, as public
        mirrors may (rsyncd.conf(5), `refuse options`), that is told to `tried`, and nothing is found. RsyncFailed where it does not
        end well.
        """
        prefix = f"{below.strip('/')}/" if below else ""
        options = ["--delete", *(["--checksum"] if contents else [])]
        try:
            with self._looking(options, tree, prefix) as output:
                for line in output:
                    if (item := item_of(line)) is not None:
                        yield replace(item, path=prefix.encode() + item.path) if prefix else item
        except RsyncFailed as error:
            if not contents or "refuse --checksum" not in error.words:
                raise
            tried(error.code, error.words)

    def glance(self, tree: Path) -> tuple[list[Item], int] | None:
        items, count = [], 0
        if self.connections < _WITH_A_GLANCE:
            return None
        with self._looking(["--stats"], tree) as output:  # without --delete: it takes half as long again
            for line in output:
                if (item := item_of(line)) is not None:
                    items.append(item)
                elif (files := count_of(line)) is not None:
                    count = files - 1
        return items, count

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
        """These files and links, whose folders stand, into the tree. Each is told as it comes. What lies there already is held against upstream.

        `basis` is a tree that may have an older one of each: only what differs is sent. RsyncFailed as above; what came, came. It is
        one connection at a time, that goes on to its end: what a cut leaves is not tried again here.
        """
        rest, failed = iter(paths), None
        while some := list(islice(rest, _AT_ONCE)):
            try:
                self._get(some, tree, basis, told)
            except RsyncFailed as error:
                if error.outcome != "partial":
                    raise
                failed = failed or error  # the others may be there
        if failed is not None:
            raise failed

    def _get(self, paths: Iterable[bytes], tree: Path, basis: Path | None, told: Told) -> None:
        options = [
            "--files-from=-",
            "--from0",
            "--no-recursive",
            "--no-dirs",
            "--ignore-times",
            *_TREE,
            FORMAT,
        ]
        if self.bandwidth is not None:
            options.append(f"--bwlimit={max(1, self.bandwidth // 1024)}")  # KiB a second
        if basis is not None:
            options.append(f"--copy-dest={basis.absolute()}")  # to rsync a relative one is below `tree`
        source, below = self.upstream, b""
        if isinstance(source, RsyncDaemon) and source.path:
            # rsync 3.5.0's daemon, where it is not chrooted, finds no listed file below a folder of its module; rsync(1), --relative
            below = os.fsencode(f"{source.path}/./")
            source = replace(source, path="")
        with tempfile.TemporaryFile() as listed:
            listed.writelines(below + path + b"\0" for path in paths)
            listed.seek(0)
            with self._running([*options, source.source, f"{tree}/"], listed) as output:
                for line in output:
                    if (item := item_of(line)) is not None:
                        told(item)

    def settle(self) -> None:
        """Nothing is kept."""

    def top(self) -> int:
        """How many names lie at the top of upstream. RsyncFailed where it does not answer."""
        with self._running(["--list-only", "--dirs", self.upstream.source]) as output:
            return sum(1 for line in output if not line.endswith(b" .\n"))

    def _looking(
        self, words: Sequence[str], tree: Path, prefix: str = ""
    ) -> AbstractContextManager[IO[bytes]]:
        """What it says that it would do. What is excluded is neither found nor counted."""
        options = ["--recursive", *_TREE, FORMAT, "--dry-run", *words]
        options += [f"--exclude={pattern}" for pattern in self.exclude]
        return self._running([*options, f"{self.upstream.source}{prefix}", f"{tree}/{prefix}"])

    @contextmanager
    def _running(self, words: Sequence[str], stdin: IO[bytes] | None = None) -> Iterator[IO[bytes]]:
        if shutil.which(self.program) is None:
            raise MissingProgram(self.program)
        # it dies with the thread that waits for it: another program that goes on must not meet one that still writes
        argv = [*_DIES_WITH_US, self.program, *self.upstream.options]
        argv += [f"--timeout={max(1, round(self.silence))}", *words]
        if isinstance(self.upstream, RsyncDaemon):
            argv.append(f"--contimeout={max(1, round(min(self.connect, self.silence)))}")
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                argv,
                stdin=stdin or subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={
                    **os.environ,
                    "LC_ALL": "C",
                    "TZ": "UTC",
                },  # with the mark of the service that it is a part of
            )
            with process:
                assert process.stdout is not None  # noqa: S101 - PIPE
                try:
                    yield process.stdout
                except BaseException:
                    process.kill()
                    raise
            if process.returncode != 0:
                size = errors.seek(0, os.SEEK_END)
                errors.seek(max(0, size - _LAST))
                words = errors.read().decode(errors="replace").strip()
                raise RsyncFailed(process.returncode, words, self.upstream.source)
