"""The command line: `lbkit COMMAND`. Parses, hands over to one module for each command, and ends in one place.

Nothing heavy is imported before a command needs it (`lbkit --help` is a whole process in well under 0.15 s).
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from typing import NoReturn

from lbkit import __version__
from lbkit.base.errors import Mistake
from lbkit.faces.commands import (
    apply,
    demo,
    doctor,
    explain,
    graph,
    hold,
    image,
    import_,
    keygen,
    machine,
    mirror,
    plan,
    sandbox,
    scale,
    schema,
    status,
    top,
    validate,
    watch,
)
from lbkit.faces.ending import ended
from lbkit.faces.out import Out

_COMMANDS = (
    validate,
    schema,
    plan,
    apply,
    scale,
    status,
    top,
    hold,
    watch,
    graph,
    explain,
    doctor,
    machine,
    image,
    mirror,
    import_,
    sandbox,
    demo,
    keygen,
)


_OBJECTS_UNTIL_COLLECTION = 50_000
"""Of Python's 700: a document of 10,000 servers is a million objects, none of them in a circle, and to look at all of
them again and again is a third of the time that it takes to read."""


class Usage(Mistake):
    """The command line itself cannot be meant."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong as every other mistake is said: exit code 64, and as JSON where that is asked for."""

    def error(self, message: str) -> NoReturn:
        raise Usage(message, where=self.prog, remedy=f"`{self.prog} --help` says what it takes")


def parser() -> tuple[argparse.ArgumentParser, list[str]]:
    """The parser, and the names of the commands."""
    top = _Parser(
        prog="lbkit",
        description="Load balancers on plain Linux hosts, declared in one file.",
        epilog="Exit codes: 0 done or nothing to do, 2 `plan` has changes, 1 failure, 64 a mistake in what was "
        "written, 70 a bug of lbkit, 130 interrupted.",
    )
    top.add_argument("--version", action="version", version=f"lbkit {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add(commands)
    return top, list(commands.choices)


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of one command line; `argv` without the program's name."""
    gc.set_threshold(_OBJECTS_UNTIL_COLLECTION)
    words = list(sys.argv[1:] if argv is None else argv)
    # before the options are parsed: a mistake among them is told in the form that they ask for
    before_command = words[: words.index("--")] if "--" in words else words
    out = Out(
        json="--json" in before_command,
        color="--no-color" not in before_command,
        debug="--debug" in before_command,
    )

    def command() -> int:
        top, names = parser()
        _refuse_unknown(words, names)
        options = top.parse_args(words)
        code: int = options.run(options, out)
        return code

    return ended(command, out)


def _refuse_unknown(words: Sequence[str], names: Sequence[str]) -> None:
    """A near miss for a command's name, which argparse does not tell."""
    if not words or words[0].startswith("-") or words[0] in names:
        return
    from lbkit.base.problems import near  # noqa: PLC0415 - not for --help

    raise Usage("a command of lbkit was to be given", found=repr(words[0]), remedy=near(words[0], names))
