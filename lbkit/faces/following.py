"""A long operation told as it goes to whoever reads a file meanwhile: lines of JSON, for faces that are not where it runs.

A line is `{"line", "seconds", "key", "state", "text"}`: `line` is its number, from 1, `seconds` is since the operation began, `key` says
what it is of, and `text` are words of that, which `begins`, `goes on` or is `done`. They are names and counts, and never values. Who
reads makes the file: until it is there, lines wait.
"""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from lbkit.engine.applying import Event
    from lbkit.image.progress import Step
    from lbkit.mirror.answers import Told

State = Literal["begins", "goes on", "done"]

EVERY = 0.3  # seconds between two writes
GOES_ON = 2.0  # seconds between two lines of one thing that goes on
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Following:
    """`applied`, `step` and `run` are told what is under way, from any thread; they never wait. `file` None: nobody follows.

    Nothing that befalls the file is the operation's trouble: where it cannot be written, nothing is told.
    """

    def __init__(self, file: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._clock = clock
        self._began = clock()
        self._lock = threading.Lock()
        self._waiting: list[str] = []
        self._lines = 0
        self._ended = threading.Event()
        self._writer = threading.Thread(
            target=self._write_on, args=[file], name="lbkit-following", daemon=True
        )
        self._done = 0
        self._stage = ""
        self._told = 0.0

    def __enter__(self) -> Self:
        if self._file is not None:
            self._writer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._end_stage()
        if self._file is not None:
            self._ended.set()
            self._writer.join()

    def applied(self, event: Event) -> None:
        """Of `operate.apply`. A change is done here once it is carried out: what reads it back may come with others."""
        if event.kind == "begin":
            self._tell(str(event.change), "begins", str(event.change))
        elif event.kind == "carried":
            with self._lock:
                self._done += 1
                done = self._done
            self._tell(str(event.change), "done", f"{event.change}: {done} of {event.of}")

    def step(self, step: Step) -> None:
        """Of an image."""
        self._in_stage(step.stage)
        if step.fraction is not None:
            self._goes_on(f"{step.stage} {step.fraction:.0%}")

    def run(self, told: Told) -> None:
        """Of a mirror."""
        from lbkit.faces.render.transfer import progress_words  # noqa: PLC0415 - of one operation
        from lbkit.mirror.answers import Committing, Ended, Progress, Waiting  # noqa: PLC0415

        match told:
            case Waiting(run) if run is not None:
                self._in_stage(f"waits for its turn: a run by {run.cause} is under way")
            case Progress():
                self._in_stage(told.phase)
                self._goes_on(progress_words(told))
            case Committing():
                self._in_stage(f"nodes get generation {told.serial}")
                self._goes_on(f"generation {told.serial}: {', '.join(told.have) or 'no node'} has it")
            case Ended():
                self._end_stage()

    def _in_stage(self, stage: str) -> None:
        if stage != self._stage:
            self._end_stage()
            self._stage = stage
            if stage:
                self._tell(stage, "begins", stage)

    def _end_stage(self) -> None:
        stage, self._stage = self._stage, ""
        if stage:
            self._tell(stage, "done", stage)

    def _goes_on(self, text: str) -> None:
        now = self._clock()
        if self._stage and now - self._told >= GOES_ON:
            self._told = now
            self._tell(self._stage, "goes on", text)

    def _tell(self, key: str, state: State, text: str) -> None:
        if self._file is None:
            return
        line: dict[str, Any] = {"key": key, "state": state, "text": text}
        with self._lock:
            self._lines += 1
            line = {"line": self._lines, "seconds": round(self._clock() - self._began, 2), **line}
            self._waiting.append(json.dumps(line) + "\n")

    def _write_on(self, file: Path) -> None:
        while not self._ended.wait(EVERY):
            self._write(file)
        self._write(file)

    def _write(self, file: Path) -> None:
        with self._lock:
            lines, self._waiting = self._waiting, []
        if not lines:
            return
        try:
            descriptor = os.open(file, FLAGS)
        except OSError:
            with self._lock:  # nobody has made it yet, or it is gone again
                self._waiting[:0] = lines
            return
        try:
            found = os.fstat(descriptor)
            # a file of one's own that has no other name: nobody has the lines go elsewhere
            if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink == 1:
                os.write(descriptor, "".join(lines).encode())
        except OSError:
            return  # a full disk
        finally:
            os.close(descriptor)
