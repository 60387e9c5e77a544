"""Where a command prints to: text for people, or one JSON document. rich is imported when text is first shown."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lbkit.base.errors import Failure, LbkitError
from lbkit.faces.render.harmless import one_line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_WIDE = 10_000  # columns: where no terminal sets a width, nothing is wrapped or cut


class Unwritable(Failure):
    """stdout takes nothing any more: a full disk, say."""


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Unwritable("the output was to be written", found=error.strerror or str(error)) from error


class Out:
    """`json`: one document on stdout and nothing else there. `color`: as far as the terminal has any."""

    def __init__(self, *, json: bool = False, color: bool = True, debug: bool = False) -> None:
        self.json = json
        self.color = color and not os.environ.get("NO_COLOR")
        self.debug = debug

    @property
    def interactive(self) -> bool:
        """Whether a person sits there: can be asked, and watches."""
        return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty() and not self.json

    @cached_property
    def console(self) -> Console:
        return self._console(stderr=False)

    def show(self, *parts: RenderableType) -> None:
        """Print for people. Off a terminal no line is wrapped, cut, or ends in spaces."""
        self._print(self.console, parts)

    def line(self, text: str, style: str = "") -> None:
        """One short line. Off a terminal rich is not even imported for it."""
        if sys.stdout.isatty():
            from lbkit.faces.render.words import word  # noqa: PLC0415 - brings rich

            self.show(word(text, style))
        else:
            self.write(one_line(text) + "\n")

    def document(self, data: Any) -> None:
        import json  # noqa: PLC0415 - not for --help

        self.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")

    def write(self, text: str) -> None:
        """Text as it is, whole."""
        with _writing():
            sys.stdout.write(text)
            sys.stdout.flush()

    def error(self, error: LbkitError) -> None:
        """The error in the form that was asked for: JSON on stdout, or text on stderr."""
        if self.json:
            self.document({"schema": "lbkit.error/1", "exit_code": error.exit_code, **error.as_data()})
        else:
            sys.stdout.flush()
            self.complain(error)

    def complain(self, error: LbkitError) -> None:
        """The error as text on stderr."""
        from lbkit.faces.render.error import error_text  # noqa: PLC0415 - brings rich

        self._print(self._console(stderr=True), (error_text(error),))

    def tell(self, *parts: RenderableType) -> None:
        """For people, on stderr: stdout has what a program reads."""
        self._print(self._console(stderr=True), parts)

    def warning(self, text: str) -> None:
        """What a person should know although the command goes on; on stderr."""
        from lbkit.faces.render.words import word  # noqa: PLC0415 - brings rich

        self._print(self._console(stderr=True), (word(f"warning: {text}", "yellow"),))

    def _console(self, *, stderr: bool) -> Console:
        from rich.console import Console  # noqa: PLC0415 - 0.1 s, for those who show something

        stream = sys.stderr if stderr else sys.stdout
        return Console(
            stderr=stderr,
            no_color=not self.color,
            markup=False,
            highlight=False,
            emoji=False,
            width=None if stream.isatty() else _WIDE,
        )

    def _print(self, console: Console, parts: tuple[RenderableType, ...]) -> None:
        with _writing(), console.capture() as captured:  # rich flushes the file at its end
            for part in parts:
                console.print(part)
        text = captured.get()
        if not console.file.isatty():
            text = "".join(line.rstrip() + "\n" for line in text.splitlines())
        if console.stderr:
            sys.stderr.write(text)
        else:
            self.write(text)
