"""`lbkit plan`: what would `apply` change now?"""

from __future__ import annotations

import argparse

from lbkit.base.errors import Mistake
from lbkit.faces.arguments import (
    Commands,
    command,
    host_of,
    takes_adoption,
    takes_detail,
    takes_host,
    takes_part,
    takes_replacing,
    takes_topology,
)
from lbkit.faces.options import adopted
from lbkit.faces.out import Out

CHANGES_PENDING = 2


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "plan",
        run,
        about="show what apply would change, and what that costs",
        more="Changes nothing. Exit code 0: nothing to do; 2: changes are pending.",
    )
    takes_topology(parser)
    takes_detail(parser)
    parser.add_argument("--destroy", action="store_true", help="the plan of destroy instead")
    takes_adoption(parser)
    takes_part(parser)
    takes_replacing(parser)
    takes_host(parser)


def run(options: argparse.Namespace, out: Out) -> int:
    from lbkit import operate  # noqa: PLC0415 - brings every room

    if options.destroy and options.replace:
        raise Mistake(
            "the plan of destroy was to be shown",
            found="--replace, and a destroy makes nothing",
            remedy="leave one out",
        )
    scope = operate.load(options.file)
    adopt = adopted(options.adopt)
    anew = () if options.destroy else options.replace
    plan = operate.plan(
        scope, host_of(options), absent=options.destroy, adopt=adopt, only=options.only, anew=anew
    )
    if out.json:
        out.document(plan.as_data())
    else:
        from lbkit.faces.telling import tell_plan  # noqa: PLC0415 - brings the engine

        tell_plan(out, plan, absent=options.destroy, detail=options.detail, part=bool(options.only))
    return CHANGES_PENDING if plan else 0
