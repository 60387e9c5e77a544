"""`lbkit scale`: another number of machines of a group, in the topology's file and in the world."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lbkit.base.errors import LbkitError, Mistake
from lbkit.faces.arguments import (
    DEFAULT_FILE,
    Commands,
    command,
    host_of,
    takes_agreement,
    takes_detail,
    takes_host,
)
from lbkit.faces.commands.apply import takes_proof
from lbkit.faces.commands.plan import CHANGES_PENDING
from lbkit.faces.options import counts_of
from lbkit.faces.out import Out

if TYPE_CHECKING:
    from lbkit.engine.applying import Result
    from lbkit.engine.plan import Plan
    from lbkit.scaling import Scaling

_MORE = (
    "Changes `count` in FILE, all else of which stays as it is, and applies that: shows the plan and asks. Who leaves drains before. "
    "It refuses where FILE has more than that which was not applied yet."
)


def add(commands: Commands) -> None:
    parser = command(commands, "scale", run, about="change how many machines groups have", more=_MORE)
    parser.add_argument(
        "words",
        metavar="GROUP=COUNT",
        nargs="+",
        help=f"such as web=4; before them FILE, the topology, by default {DEFAULT_FILE}",
    )
    parser.usage = "%(prog)s [options] [FILE] GROUP=COUNT [GROUP=COUNT ...]"
    parser.add_argument(
        "--plan", action="store_true", help="show what it would change, and stop; exit code 2 where it would"
    )
    takes_agreement(parser)
    takes_detail(parser)
    takes_proof(parser)
    takes_host(parser)
    parser.set_defaults(only=[])


def run(options: argparse.Namespace, out: Out) -> int:
    from lbkit import operate, scaling  # noqa: PLC0415 - brings every room

    file, counts = _meant(options.words)
    host = host_of(options)
    prepared = scaling.prepare(file, counts, host)
    plan = operate.plan(prepared.scope, host)
    scaled = scaling.Scaled(prepared, plan)
    if not out.json:
        for line in prepared.lines:
            out.line(f"{file}:{line.line}: {line}", "bold")
        if prepared.lines:
            out.line("")
    if options.plan:
        if out.json:
            out.document(scaled.as_data())
        else:
            from lbkit.faces.telling import tell_plan  # noqa: PLC0415 - brings the engine

            tell_plan(out, plan, detail=options.detail)
        return CHANGES_PENDING if scaled else 0
    result = _applied(prepared, plan, options, out)
    if out.json:
        out.document(scaling.Scaled(prepared, result.plan, result).as_data())
    elif result.plan:
        from lbkit.faces.commands.apply import show_proof  # noqa: PLC0415
        from lbkit.faces.render.plan import show_result  # noqa: PLC0415 - brings rich

        show_result(out, result, absent=False)
        show_proof(result.proof, out)
    return 0


def _applied(prepared: Scaling, plan: Plan, options: argparse.Namespace, out: Out) -> Result:
    from lbkit.faces.commands.apply import agreed_and_done  # noqa: PLC0415

    written = False

    def write() -> None:
        nonlocal written
        prepared.write()
        written = True

    try:
        return agreed_and_done(plan, prepared.scope, host_of(options), options, out, on_agreed=write)
    except LbkitError:
        if written and prepared.lines and not out.json:
            out.warning(
                f"{prepared.file} says so now: the same call, or `lbkit apply`, goes on from where it stopped"
            )
        raise


def _meant(words: list[str]) -> tuple[Path, dict[str, int]]:
    """FILE stands first, and may be left out. A file with "=" in its name is written ./NAME or with its folder."""
    first, *others = words
    named = "=" not in first or "/" in first
    if named and not others:
        raise Mistake("a group and its count were to be given", found=first, remedy="such as web=4")
    return (Path(first), counts_of(others)) if named else (Path(DEFAULT_FILE), counts_of(words))
