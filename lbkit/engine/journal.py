"""What ran: one JSON line for each step, in the topology's own folder, written before and after the step."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lbkit.base.clock import Clock
from lbkit.base.files import FileFailure, make_folder
from lbkit.engine.change import Change


class Journal:
    """Append-only. A step whose line cannot be written (a full disk) is not begun.

    `by`: the program that acts unattended, in each line; "" where a person does.
    """

    def __init__(self, path: Path, clock: Clock, by: str = "") -> None:
        self.path = path
        self._clock = clock
        self._by = by
        make_folder(path.parent)

    def write(self, event: str, change: Change | None = None, **more: Any) -> None:
        line: dict[str, Any] = {"time": self._clock.now().isoformat(), "pid": os.getpid(), "event": event}
        if self._by:
            line["by"] = self._by
        if change is not None:
            line |= {
                "kind": change.key.kind,
                "name": change.key.name,
                "action": str(change.action),
                "impact": str(change.impact),
                "reason": change.reason,
                "wave": change.wave,
            }
        line |= more
        try:
            # one write() of one line: O_APPEND keeps lines of parallel writers whole
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                data = (json.dumps(line, ensure_ascii=False) + "\n").encode()
                if os.write(descriptor, data) != len(data):
                    raise OSError(28, os.strerror(28))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise FileFailure("written", self.path, error) from error


class PassingJournal(Journal):
    """Of a destroy, which takes the journal with the rest: a full disk must not keep it from making room."""

    def write(self, event: str, change: Change | None = None, **more: Any) -> None:
        with contextlib.suppress(FileFailure):
            super().write(event, change, **more)


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """The lines that are whole; a line cut short by a kill is passed over."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    for line in text.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            yield record
