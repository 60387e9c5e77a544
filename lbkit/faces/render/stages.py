"""The stages of a long command as they go: a bar on a terminal, elsewhere a line for each."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from lbkit.faces.out import Out
from lbkit.faces.render.harmless import one_line
from lbkit.image.progress import Step

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Stages:
    """`watch` is told of each step. Goes to stderr, so that stdout has the result alone; with --json nothing is shown."""

    def __init__(self, out: Out) -> None:
        self._out = out
        self._stage = ""
        self._since = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if self._out.interactive:
            from rich.progress import (  # noqa: PLC0415 - for terminals only
                BarColumn,
                Progress,
                TextColumn,
                TimeElapsedColumn,
            )

            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=30),
                TimeElapsedColumn(),
            )
            self._bar = Progress(*columns, console=self._out.console, transient=True)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_stage()
        if self._bar is not None:
            self._bar.stop()

    def watch(self, step: Step) -> None:
        if step.stage != self._stage:
            self._end_stage()
            self._stage, self._since = step.stage, time.monotonic()
            if self._bar is not None:
                self._task = self._bar.add_task(one_line(step.stage), total=None)
        if self._bar is not None and self._task is not None and step.fraction is not None:
            self._bar.update(self._task, total=1.0, completed=step.fraction)

    def _end_stage(self) -> None:
        if not self._stage:
            return
        took = f"{self._stage}  {time.monotonic() - self._since:.1f} s"
        if self._bar is not None and self._task is not None:
            self._bar.remove_task(self._task)
            self._bar.console.print(one_line(took), markup=False, highlight=False, style="dim")
            self._task = None
        elif not self._out.json:
            sys.stderr.write(one_line(took) + "\n")
            sys.stderr.flush()
        self._stage = ""
