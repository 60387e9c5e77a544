"""`lbkit demo`: the main job, step by step, in a sandbox."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lbkit.faces.arguments import Commands, command
from lbkit.faces.out import Out

_BUILD_WAIT = 3600.0  # seconds for another build of it to end


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "demo",
        run,
        about="show the main job in a sandbox, step by step",
        more="Of a checkout's examples/web.yml: brought up by Ansible, used, broken, repaired and taken down. "
        "Exit code 1 where a promise was broken.",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--vm",
        action="store_true",
        help="of examples/web-vm.yml: its HAProxys in virtual machines, whose image is built where it is missing",
    )
    which.add_argument(
        "--mirrors",
        action="store_true",
        help="of examples/mirrors.yml: fifty publications reach three nodes, and what can go wrong does",
    )
    parser.add_argument(
        "--svg",
        metavar="PATH",
        type=Path,
        help="where its picture goes, by default build/EXAMPLE.svg",
    )
    parser.add_argument("--keep", action="store_true", help="once it stands, a shell inside to look around")


def run(options: argparse.Namespace, out: Out) -> int:
    from lbkit.base import sandbox  # noqa: PLC0415 - not for --help

    example = "web-vm" if options.vm else "mirrors" if options.mirrors else "web"
    picture = options.svg or Path(f"build/{example}.svg")
    if not sandbox.inside():
        if options.vm:
            _have_image(out)
        words = ["demo", "--svg", str(picture)]
        flags = {
            "--vm": options.vm,
            "--mirrors": options.mirrors,
            "--keep": options.keep,
            "--no-color": options.no_color,
            "--debug": options.debug,
        }
        words += [flag for flag, given in flags.items() if given]
        return sandbox.enter([sys.executable, "-m", "lbkit", *words])
    if options.vm:
        from lbkit.faces.demo import vm_story  # noqa: PLC0415 - brings every room

        return vm_story.tell(out, picture.absolute(), keep=options.keep)
    if options.mirrors:
        from lbkit.faces.demo import mirror_story  # noqa: PLC0415 - brings every room

        return mirror_story.tell(out, picture.absolute(), keep=options.keep)
    from lbkit.faces.demo import story  # noqa: PLC0415 - brings every room

    return story.tell(out, picture.absolute(), keep=options.keep)


def _have_image(out: Out) -> None:
    """Outside: what a sandbox stores below /run goes with it, and a build takes minutes."""
    from lbkit.base.host import Host  # noqa: PLC0415 - not for --help
    from lbkit.faces.render.stages import Stages  # noqa: PLC0415
    from lbkit.image.building import build_image  # noqa: PLC0415
    from lbkit.image.recipe import recipe_of  # noqa: PLC0415
    from lbkit.image.store import Store  # noqa: PLC0415

    with Stages(out) as stages:
        image, new = build_image(
            Store(Host()), recipe_of("debian-12-lb"), watch=stages.watch, lock_timeout=_BUILD_WAIT
        )
    out.line(f"{image.identity} {'built' if new else 'was built before'}: {image.folder}")
