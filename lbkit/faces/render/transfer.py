"""A mirror's run as it goes: on a terminal a line with rate and time left, elsewhere a line for each part of it that ended."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from lbkit.faces.out import Out
from lbkit.faces.render.harmless import one_line
from lbkit.faces.render.sizes import files_words, size_words, time_words
from lbkit.mirror.answers import Committing, Ended, Progress, Told, Verified, Verifying, Waiting

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text


class Transfer:
    """`watch` is told by one thread. Goes to stderr, so that stdout has the result alone; with --json nothing is shown."""

    def __init__(self, out: Out) -> None:
        self._out = out
        self._live: Live | None = None
        self._lock = threading.Lock()
        self._line = ""
        self._last: Progress | None = None
        self._said = ""
        self._verifying: dict[str, Verifying] = {}

    def __enter__(self) -> Self:
        if self._out.interactive:
            from rich.live import Live  # noqa: PLC0415 - for terminals only

            self._live = Live(
                console=self._out.console, get_renderable=self._now, refresh_per_second=8, transient=True
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_phase()
        if self._live is not None:
            self._live.stop()

    def watch(self, told: Told) -> None:
        match told:
            case Progress():
                self._progress(told)
            case Waiting(run):
                if run is not None:
                    self._show(f"waits for its turn: a run by {run.cause} is under way", once=True)
            case Ended():
                self._end_phase()
            case Committing():
                have = ", ".join(told.have) or "no node"
                self._show(f"waits until generation {told.serial} is committed: {have} has it")
            case Verifying():
                self._verifying[told.node] = told
                parts = [verifying_words(each) for each in self._verifying.values() if each.files is not None]
                self._show("verify  " + ", ".join(parts))
            case Verified():
                self._verifying.pop(told.node, None)

    def _progress(self, told: Progress) -> None:
        if self._last is not None and self._last.phase != told.phase:
            self._end_phase()
        self._last = told
        self._show(progress_words(told))

    def _end_phase(self) -> None:
        last, self._last = self._last, None
        self._show("")
        if last is not None and last.phase:
            self._say(ended_words(last))

    def _show(self, line: str, *, once: bool = False) -> None:
        """What is under way. Off a terminal only what is to be told `once`."""
        with self._lock:
            self._line = line
        if once and line != self._said:
            self._said = line
            self._say(line)

    def _say(self, line: str) -> None:
        if self._live is not None:
            self._live.console.print(one_line(line), markup=False, highlight=False, style="dim")
        elif not self._out.json:
            sys.stderr.write(one_line(line) + "\n")
            sys.stderr.flush()

    def _now(self) -> Text:
        from rich.text import Text  # noqa: PLC0415 - for terminals only

        with self._lock:
            return Text(one_line(self._line), no_wrap=True, overflow="ellipsis")


def progress_words(told: Progress) -> str:
    parts = [told.phase or "begins", *_parts(told.files, told.of_files, told.size, told.of_size)]
    if told.rate:
        parts.append(f"{size_words(told.rate)}/s")
    if told.left is not None:
        parts.append(f"{time_words(told.left)} left")
    return "  ".join(parts)


def ended_words(told: Progress) -> str:
    parts = [told.phase, *_parts(told.of_files or told.files, None, told.of_size or told.size, None)]
    return "  ".join([*parts, time_words(told.seconds)])


def verifying_words(told: Verifying) -> str:
    parts = [told.node or "master", *_parts(told.files, told.of_files, told.size, told.of_size)]
    if told.damaged:
        parts.append(f"{told.damaged} damaged")
    return " ".join(parts)


def verified_words(told: Verified) -> str:
    name = told.node or "master"
    if told.failed:
        return f"{name}: could not be verified: {' '.join(told.failed.split())}"
    read = f"{name}: {files_words(told.files)}, {size_words(told.size)} read"
    if not told.damaged:
        return f"{read}: all as it should be"
    return f"{read}: {told.damaged} damaged, {told.mended} mended, {told.left} left as they are"


def _parts(files: int | None, of_files: int | None, size: int | None, of_size: int | None) -> list[str]:
    found = []
    if files or of_files:
        count = f"{files or 0:,}/{of_files:,} files" if of_files else files_words(files or 0)
        found.append(count)
    if size or of_size:
        found.append(f"{size_words(size or 0)}{f' of {size_words(of_size)}' if of_size else ''}")
    return found
