"""How every command ends: exit codes, errors, Ctrl-C, a reader that went away, and bugs. In this one place."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from lbkit.base.errors import Bug, LbkitError
from lbkit.faces.out import Out, Unwritable

INTERRUPTED = 130  # 128 and SIGINT, as shells count
NO_READER = 141  # 128 and SIGPIPE


class Interrupted(LbkitError):
    """Ctrl-C; `done` and `not_done` say how far it had come."""

    exit_code = INTERRUPTED

    def __init__(self, wanted: str, *, done: list[str], not_done: list[str]) -> None:
        self.done = done
        self.not_done = not_done
        if not done and not not_done:  # a command that changes nothing, or had not begun to
            super().__init__(wanted, found="interrupted")
            return
        super().__init__(
            wanted,
            found=f"interrupted: {len(done)} changes are done and stay, {len(not_done)} are not",
            remedy="apply again to go on",
        )

    def as_data(self) -> dict[str, Any]:
        return {**super().as_data(), "done": self.done, "not_done": self.not_done}


def ended(command: Callable[[], int], out: Out) -> int:
    """Run `command` to its exit code, whatever happens."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # no name in the world stops the output
    try:
        return _told(command, out)
    except BrokenPipeError:
        _drop_output()
        return NO_READER
    except Unwritable as error:
        _drop_output()
        out.complain(error)
        return error.exit_code


def _drop_output() -> None:
    """What is left in the buffer must go somewhere when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _told(command: Callable[[], int], out: Out) -> int:
    try:
        code = command()
        out.write("")
    except (BrokenPipeError, SystemExit, Unwritable):
        raise
    except LbkitError as error:
        out.error(_with_traceback(error, error, out) if isinstance(error, Bug) else error)
        return error.exit_code
    except KeyboardInterrupt:
        out.error(Interrupted("the command was to end", done=[], not_done=[]))
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the outermost place: what nobody foresaw is a bug, told as one
        bug = Bug("lbkit was to work", found=f"{type(error).__name__}: {error}")
        out.error(_with_traceback(bug, error, out))
        return Bug.exit_code
    return code


def _with_traceback(bug: Bug, error: BaseException, out: Out) -> Bug:
    """`bug` with the way to report it; the traceback is printed where --debug asks, else kept in a file."""
    import traceback  # noqa: PLC0415 - not for --help

    text = "".join(traceback.format_exception(error))
    where = "the traceback above"
    if out.debug:
        sys.stderr.write(text)
    else:
        where = _kept(text) or "what --debug prints"
    return Bug(
        bug.wanted,
        found=bug.found,
        where=bug.where,
        remedy=f"this is lbkit's mistake, not yours: report it with {where} and `lbkit doctor --json`; "
        "what was done stays, and to apply again is safe",
    )


def _kept(text: str) -> str | None:
    import tempfile  # noqa: PLC0415 - not for --help

    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="lbkit-bug-", suffix=".txt", delete=False, encoding="utf-8", errors="replace"
        ) as stream:
            stream.write(text)
    except OSError:
        return None
    return stream.name
