"""`lbkit machine`: stop, start, restart and replace machines of a topology."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from lbkit.base.errors import Mistake
from lbkit.faces.arguments import (
    Commands,
    command,
    host_of,
    takes_agreement,
    takes_detail,
    takes_host,
    takes_seconds,
    takes_topology,
)
from lbkit.faces.commands.apply import takes_proof
from lbkit.faces.commands.plan import CHANGES_PENDING
from lbkit.faces.out import Out

if TYPE_CHECKING:
    from lbkit.engine.applying import Result, Watcher
    from lbkit.engine.plan import Plan
    from lbkit.machines import State

_ABOUT: dict[str, tuple[State, str, str]] = {
    "stop": (
        "stopped",
        "let all that runs in a machine finish, and switch it off",
        "Its files or its disk stay. It stays declared: the next apply starts it again.",
    ),
    "start": ("present", "have a machine run, as declared, with all that runs in it", ""),
    "restart": ("restarted", "stop a machine, and have it run again", "One that does not run is started."),
    "replace": (
        "replaced",
        "make a machine anew",
        "A virtual machine runs until the new one has taken over. Its disk or its files go.",
    ),
}


def add(commands: Commands) -> None:
    top = command(commands, "machine", _run_nothing, about="stop, start, restart and replace machines")
    below = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (state, about, more) in _ABOUT.items():
        parser = command(below, name, partial(run, state=state), about=about, more=more)
        takes_topology(parser)
        parser.add_argument("name", metavar="NAME", help="of the machine, or of a group: all of it at once")
        parser.add_argument(
            "--plan",
            action="store_true",
            help="show what it would change, and stop; exit code 2 where it would",
        )
        if state in {"stopped", "restarted"}:
            takes_seconds(
                parser,
                "--within",
                60.0,
                "how long all that runs in it has to finish; then it is killed; by default 60s",
            )
            parser.add_argument("--at-once", action="store_true", help="as by a power cut: nobody is told")
        takes_agreement(parser)
        takes_detail(parser)
        takes_proof(parser, rate=False)
        takes_host(parser)
        parser.set_defaults(only=["machine"])  # as of any part, where a plan is told


def run(options: argparse.Namespace, out: Out, *, state: State) -> int:
    from lbkit import machines, operate  # noqa: PLC0415 - brings every room
    from lbkit.faces.commands.apply import agreed_and_done, show_proof  # noqa: PLC0415

    scope, host = operate.load(options.file), host_of(options)
    wanted = machines.Wanted(
        options.name,
        state,
        within=getattr(options, "within", machines.WITHIN),
        at_once=getattr(options, "at_once", False),
    )
    plan = machines.plan_machine(scope, wanted, host)
    if not plan and not out.json:
        out.line(f"{options.name} is {_WORDS[state]}: nothing to do", "green")
        return 0
    if options.plan:
        _tell(plan, options, out)
        return CHANGES_PENDING if plan else 0

    def act(promised: Plan, watch: Watcher) -> Result:
        return machines.apply_machine(
            scope,
            wanted,
            host,
            promised=promised,
            lock_timeout=options.lock_timeout,
            watch=watch,
            prove=options.prove,
        )

    result = agreed_and_done(plan, scope, host, options, out, act=act)
    if out.json:
        out.document({"schema": "lbkit.result/1", **result.as_data()})
    else:
        from lbkit.faces.render.plan import show_notes  # noqa: PLC0415 - brings rich

        count = len(result.done)
        out.line("")
        out.line(
            f"{options.name} is {_WORDS[state]}: {count} change{'' if count == 1 else 's'} in {result.seconds:.2f} s",
            "green",
        )
        show_notes(out, result)
        show_proof(result.proof, out)
    return 0


_WORDS: dict[State, str] = {
    "present": "as declared",
    "stopped": "stopped",
    "restarted": "restarted",
    "replaced": "replaced",
}


def _tell(plan: Plan, options: argparse.Namespace, out: Out) -> None:
    if out.json:
        out.document(plan.as_data())
    else:
        from lbkit.faces.telling import tell_plan  # noqa: PLC0415 - brings the engine

        tell_plan(out, plan, detail=options.detail, part=True)


def _run_nothing(_options: argparse.Namespace, _out: Out) -> int:
    raise Mistake("a command of `lbkit machine` was to be given", remedy="`lbkit machine --help` lists them")
