"""Keys that a person presses while something is shown."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

Wait = Callable[[float], str]
"""Waits so many seconds, or for a key: which one it was, "" for none."""


@contextlib.contextmanager
def keys() -> Iterator[Wait]:
    """Of a terminal at stdin, which shows nothing of what is typed meanwhile. Ctrl-C stays what it is."""
    import select  # noqa: PLC0415 - for a terminal
    import termios  # noqa: PLC0415
    import tty  # noqa: PLC0415

    terminal = sys.stdin.fileno()

    def wait(seconds: float) -> str:
        if not select.select([terminal], [], [], max(0.0, seconds))[0]:
            return ""
        return os.read(terminal, 64).decode(errors="replace") or "q"  # nobody types there any more

    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        yield wait
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
