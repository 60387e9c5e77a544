"""Run a program and tell all of how it went. Never through a shell: argv lists only."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lbkit.base.errors import Failure


@dataclass(frozen=True, slots=True)
class Completed:
    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str


class CommandFailed(Failure):
    """A program ended with another code than 0, or not in time."""

    def __init__(self, completed: Completed, *, remedy: str = "") -> None:
        self.completed = completed
        words = (completed.stderr.strip() or completed.stdout.strip())[-2000:]
        super().__init__(
            f"`{' '.join(completed.argv)}` was to succeed",
            found=f"exit code {completed.returncode}" + (f": {words}" if words else ""),
            remedy=remedy,
        )


class MissingProgram(Failure):
    def __init__(self, program: str, *, remedy: str = "") -> None:
        self.program = program
        super().__init__(
            f"the program {program!r} was to be run",
            found="it is not installed, or not on PATH",
            remedy=remedy or "`lbkit doctor` says which package brings it",
        )


class Runner(Protocol):
    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        check: bool = True,
    ) -> Completed:
        """Run to the end, at most `timeout` seconds; CommandFailed unless it returns 0 or `check` is off."""
        ...


class LocalRunner:
    """Runs programs on this host, in the network namespace of the calling thread."""

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        check: bool = True,
    ) -> Completed:
        try:
            done = subprocess.run(
                list(argv),
                input=stdin or "",
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                env=dict(env) if env is not None else None,
                cwd=cwd,
                check=False,
            )
        except FileNotFoundError as error:
            if cwd is not None and error.filename == cwd:
                raise Failure(f"{argv[0]} was to run in {cwd}", found="no such folder") from error
            raise MissingProgram(argv[0]) from error
        except PermissionError as error:
            if not stands(argv[0], env):  # only a folder of PATH may not be read
                raise MissingProgram(argv[0]) from error
            raise Failure(f"{argv[0]} was to be run", found="no permission to execute it") from error
        except subprocess.TimeoutExpired as error:
            late = Completed(tuple(argv), -1, _text(error.stdout), f"no end after {timeout:g} s")
            raise CommandFailed(late) from error
        completed = Completed(tuple(argv), done.returncode, done.stdout, done.stderr)
        if check and completed.returncode != 0:
            raise CommandFailed(completed)
        return completed


def stands(program: str, env: Mapping[str, str] | None = None) -> bool:
    """Whether there is a file of that name, executable or not, where exec(3) looks for it."""
    if "/" in program:
        return os.path.lexists(program)
    return any(os.path.lexists(os.path.join(folder, program)) for folder in os.get_exec_path(env))


def _text(output: str | bytes | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""
