"""An apply as it goes: what is done line by line, and on a terminal what is under way."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.text import Text

from lbkit.engine.applying import Event
from lbkit.engine.change import Change
from lbkit.engine.plan import Plan
from lbkit.engine.resource import Key
from lbkit.faces.out import Out
from lbkit.faces.render.harmless import one_line
from lbkit.faces.render.words import ACTION_STYLES, SYMBOLS

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

_SHOWN = 3  # changes under way that one line has room for


class Progress:
    """`watch` is what `operate.apply` calls, from any thread. `done` is what was carried out and read back."""

    def __init__(self, plan: Plan, out: Out) -> None:
        self.done: list[Change] = []
        self._plan = plan
        self._out = out
        self._under_way: dict[Key, str] = {}
        self._lock = threading.Lock()
        self._live: Live | None = None
        self._reader_gone = False

    @property
    def not_done(self) -> list[Change]:
        done = {change.key for change in self.done}
        return [change for change in self._plan.changes if change.key not in done]

    def __enter__(self) -> Self:
        if self._plan and self._out.interactive:
            from rich.live import Live  # noqa: PLC0415 - for terminals only

            self._live = Live(
                console=self._out.console, get_renderable=self._bar, refresh_per_second=8, transient=True
            )
            self._live.start()
        elif self._plan and not self._out.json:
            self._out.write("\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def watch(self, event: Event) -> None:
        with self._lock:
            if event.kind == "begin":
                self._under_way[event.change.key] = str(event.change)
            elif event.kind == "done":
                self._under_way.pop(event.change.key, None)
                self.done.append(event.change)
                self._tell(event)

    def _tell(self, event: Event) -> None:
        if self._out.json or self._reader_gone:
            return
        change = event.change
        line = Text.assemble(
            ("done ", "dim"),
            (f"{SYMBOLS[change.action]} {one_line(str(change.key))}", ACTION_STYLES[change.action]),
            (f"  {event.seconds:.2f} s", "dim"),
            overflow="fold",
        )
        try:
            if self._live is not None:
                self._live.console.print(line)
            else:
                self._out.show(line)
        except BrokenPipeError:
            self._reader_gone = True  # who reads may go; what was agreed to is carried out all the same

    def _bar(self) -> Table:
        from rich.progress_bar import ProgressBar  # noqa: PLC0415 - for terminals only
        from rich.table import Table  # noqa: PLC0415 - for terminals only

        with self._lock:
            under_way = list(self._under_way.values())
            done = len(self.done)
        total = len(self._plan.changes)
        names = ", ".join(under_way[:_SHOWN]) + (
            f", and {len(under_way) - _SHOWN} more" if len(under_way) > _SHOWN else ""
        )
        row = Table.grid(padding=(0, 1))
        row.add_row(
            ProgressBar(total=total, completed=done, width=30),
            f"{done}/{total}",
            Text(one_line(names), style="dim", no_wrap=True, overflow="ellipsis"),
        )
        return row
