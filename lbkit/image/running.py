"""Long programs of a build: their output read line by line while they run, and their end ours."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from lbkit.base import syscalls
from lbkit.base.errors import Failure
from lbkit.base.run import CommandFailed, Completed, MissingProgram

_KEPT = 40  # lines of output that an error may show


def run_told(
    argv: Sequence[str],
    told: Callable[[str], None] = lambda _line: None,
    *,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run to the end; `told` gets each line of its output (stdout and stderr, ended by a line feed or a carriage return).

    It dies with this process. CommandFailed with its last words; Failure where the disk is full.
    """
    lines: deque[str] = deque(maxlen=_KEPT)
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(env) if env is not None else None,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is ours to tell
            preexec_fn=_die_with_us,  # noqa: PLW1509 - one thread; prctl has no other way in
        )
    except FileNotFoundError as error:
        raise MissingProgram(argv[0]) from error
    except OSError as error:
        raise Failure(f"{argv[0]} was to be run", found=error.strerror or str(error)) from error
    assert process.stdout is not None  # noqa: S101 - PIPE
    try:
        with process.stdout as output:
            for line in output:  # universal newlines: a carriage return ends one too
                lines.append(line.rstrip("\n"))
                told(lines[-1])
        code = process.wait()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if code != 0:
        raise _failed(argv, code, "\n".join(lines))


def _die_with_us() -> None:
    syscalls.die_with_parent(signal.SIGKILL)


def _failed(argv: Sequence[str], code: int, output: str) -> Failure:
    failed = CommandFailed(Completed(tuple(argv), code, "", output))
    if "No space left on device" in output or "not enough free space" in output:
        return Failure(
            f"{argv[0]} was to write its output",
            found="no space left on the file system",
            remedy="free space there, or set LBKIT_IMAGES to a folder that has some; nothing of it was kept",
        )
    return failed
