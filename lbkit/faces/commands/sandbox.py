"""`lbkit sandbox -- COMMAND`: a world of its own for one command, gone when it ends."""

from __future__ import annotations

import argparse
import os

from lbkit.faces.arguments import Commands, command
from lbkit.faces.out import Out


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "sandbox",
        run,
        about="run a command in a sandbox: own network, processes and /run",
        more="Works as root and as an ordinary user; nothing of it is left when the command ends. "
        "Exit code: the command's.",
    )
    parser.add_argument(
        "argv",
        metavar="-- COMMAND",
        nargs=argparse.REMAINDER,
        help="by default your shell, to look around",
    )


def run(options: argparse.Namespace, _out: Out) -> int:
    from lbkit.base import sandbox  # noqa: PLC0415 - not for --help

    argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    return sandbox.enter(argv or [os.environ.get("SHELL") or "/bin/sh"])
