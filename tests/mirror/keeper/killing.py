"""Work that is killed before any one of the steps that change a disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

_STEPS = ("link", "rename", "replace", "unlink")


def kills(work: Callable[[], object]) -> Iterator[int]:
    """Does the work in a process of its own, that is killed before its first step; then before its second; until one comes to its end.

    Yields after each that was killed the number of the step: what is on the disk then is what it left.
    """
    step = 0
    while True:
        step += 1
        child = os.fork()
        if child == 0:
            try:
                _kill_before(step)
                work()
                os._exit(0)
            except BaseException as error:  # noqa: BLE001 - another process's: it is told by its exit
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            return
        assert code == 9, f"at step {step}: {code}"
        yield step


def _kill_before(step: int) -> None:
    left = step

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*given: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os._exit(9)
            return call(*given, **named)

        return counting

    for name in _STEPS:
        setattr(os, name, counted(getattr(os, name)))
