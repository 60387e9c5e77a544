"""`lbkit demo`: the main job, step by step, in a sandbox."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lbkit.faces.arguments import Commands, command
from lbkit.faces.out import Out


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "demo",
        run,
        about="show the main job in a sandbox, step by step",
        more="Of a checkout's examples/web.yml: brought up by Ansible, used, broken, repaired and taken down. "
        "Exit code 1 where a promise was broken.",
    )
    parser.add_argument(
        "--svg",
        metavar="PATH",
        type=Path,
        default=Path("build/web.svg"),
        help="where its picture goes, by default build/web.svg",
    )
    parser.add_argument("--keep", action="store_true", help="once it stands, a shell inside to look around")


def run(options: argparse.Namespace, out: Out) -> int:
    from lbkit.base import sandbox  # noqa: PLC0415 - not for --help

    if not sandbox.inside():
        words = ["demo", "--svg", str(options.svg)]
        flags = {"--keep": options.keep, "--no-color": options.no_color, "--debug": options.debug}
        words += [flag for flag, given in flags.items() if given]
        return sandbox.enter([sys.executable, "-m", "lbkit", *words])
    from lbkit.faces.demo.story import tell  # noqa: PLC0415 - brings every room

    return tell(out, options.svg.absolute(), keep=options.keep)
