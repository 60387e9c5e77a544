"""`lbkit apply` and `lbkit destroy`: show the plan, ask, carry out that plan and no other."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from lbkit.base.errors import Failure
from lbkit.faces.arguments import (
    Commands,
    command,
    host_of,
    takes_adoption,
    takes_agreement,
    takes_detail,
    takes_host,
    takes_part,
    takes_replacing,
    takes_topology,
)
from lbkit.faces.ending import Interrupted
from lbkit.faces.options import adopted
from lbkit.faces.out import Out

if TYPE_CHECKING:
    from lbkit.base.host import Host
    from lbkit.engine.applying import Result, Watcher
    from lbkit.engine.plan import Plan
    from lbkit.engine.proof import Proof
    from lbkit.engine.resource import Key
    from lbkit.engine.scope import Scope

Act = Callable[["Plan", "Watcher"], "Result"]
"""Carries out a plan that was agreed to, and no other, and tells of it as it goes."""

_ROUNDS = 5  # how often the world may overtake a plan before that is a failure

_MORE = (
    "Shows the plan and asks; what was agreed to is carried out and nothing else: if the world moves in "
    "between, the new plan is shown. Where nobody can be asked (no terminal, --json) it takes --yes."
)


class NotAgreed(Failure):
    """Nobody agreed to the plan. Nothing was touched."""


def add(commands: Commands) -> None:
    about = {
        "apply": "make the world as declared",
        "destroy": "remove all that the topology owns, and nothing else",
    }
    for name, text in about.items():
        parser = command(commands, name, partial(run, absent=name == "destroy"), about=text, more=_MORE)
        takes_topology(parser)
        takes_agreement(parser)
        takes_detail(parser)
        if name == "apply":
            takes_adoption(parser)
            takes_part(parser)
            takes_replacing(parser)
            takes_proof(parser)
        else:
            takes_part(parser, "these things alone, and what lives and dies with them")
        takes_host(parser)


def takes_proof(parser: argparse.ArgumentParser, *, rate: bool = True) -> None:
    parser.add_argument(
        "--prove",
        action="store_true",
        help="send steady requests to all frontends meanwhile, and fail where one is lost",
    )
    if not rate:
        return
    parser.add_argument(
        "--prove-rate",
        metavar="N",
        type=_rate,
        help="requests a second for each address and port, by default 50; implies --prove",
    )


def _rate(text: str) -> float:
    rate = float(text) if text.isascii() and text.isdigit() else 0.0
    if not 1 <= rate <= 1000:
        raise argparse.ArgumentTypeError(f"a whole number from 1 to 1000, not {text!r}")
    return rate


def run(options: argparse.Namespace, out: Out, *, absent: bool) -> int:
    from lbkit import operate  # noqa: PLC0415 - brings every room

    scope = operate.load(options.file)
    host = host_of(options)
    adopt = [] if absent else adopted(options.adopt)
    anew = () if absent else options.replace
    plan = operate.plan(scope, host, absent=absent, adopt=adopt, only=options.only, anew=anew)
    result = agreed_and_done(plan, scope, host, options, out, absent=absent, adopt=adopt, anew=anew)
    if out.json:
        out.document({"schema": "lbkit.result/1", **result.as_data()})
    elif result.plan:
        from lbkit.faces.render.plan import show_result  # noqa: PLC0415 - brings rich

        show_result(out, result, absent=absent, part=bool(options.only))
        show_proof(result.proof, out)
    return 0


def agreed_and_done(
    plan: Plan,
    scope: Scope,
    host: Host,
    options: argparse.Namespace,
    out: Out,
    *,
    absent: bool = False,
    adopt: Sequence[Key] = (),
    anew: Sequence[str] = (),
    on_agreed: Callable[[], None] | None = None,
    act: Act | None = None,
) -> Result:
    """Show the plan, ask, and carry it out; anew where the world overtakes it. `on_agreed` as `operate.apply` calls it.

    `options` are those of `lbkit apply`. `act` is in the place of `operate.apply`, with all that follows here.
    """
    from lbkit.engine.applying import (  # noqa: PLC0415 - brings the engine
        ApplyFailed,
        NotAsDeclared,
        PlanChanged,
    )
    from lbkit.engine.proof import ProofFailed  # noqa: PLC0415 - brings the engine

    def apply(promised: Plan, watch: Watcher) -> Result:
        from lbkit import operate  # noqa: PLC0415 - brings every room

        return operate.apply(
            scope,
            host,
            promised=promised,
            absent=absent,
            adopt=adopt,
            lock_timeout=options.lock_timeout,
            watch=watch,
            prove=not absent and (options.prove or options.prove_rate is not None),
            prove_rate=None if absent else options.prove_rate,
            only=options.only,
            anew=anew,
            on_agreed=on_agreed,
        )

    rounds = 0
    while True:
        _agree(plan, options, out, absent=absent)
        try:
            return _carry_out(plan, act or apply, out, absent=absent)
        except PlanChanged as error:
            rounds += 1
            if rounds == _ROUNDS:
                raise
            plan = error.now
            if not out.json:
                out.write("\nThe world has changed in between. This is the plan now:\n\n")
        except (ProofFailed, ApplyFailed, NotAsDeclared) as error:
            _show_what_was_met(error.result, out)
            raise


def _show_what_was_met(result: Result, out: Out) -> None:
    """Of an apply that failed: its end tells neither."""
    if not out.json:
        from lbkit.faces.render.plan import show_notes  # noqa: PLC0415 - brings rich

        show_notes(out, result)
    show_proof(result.proof, out)


def show_proof(proof: Proof | None, out: Out) -> None:
    if proof is not None and not out.json:
        from lbkit.faces.render.proof import show_proof  # noqa: PLC0415 - brings rich

        show_proof(out, proof)


def _agree(plan: Plan, options: argparse.Namespace, out: Out, *, absent: bool) -> None:
    """Show `plan` and return if it is agreed to; NotAgreed if not."""
    if not out.json:
        from lbkit.faces.telling import tell_plan  # noqa: PLC0415 - brings the engine

        tell_plan(out, plan, absent=absent, detail=options.detail, part=bool(options.only))
    if options.yes or not plan:
        return
    wanted = f"the plan for {plan.topology} was to be agreed to"
    if not out.interactive:
        raise NotAgreed(
            wanted,
            found="nobody to ask: no terminal, or --json",
            remedy="nothing was touched; look at the plan, then give --yes",
        )
    whole = "Remove that part of it" if options.only else "Remove all of it"
    out.write(f"\n{whole if absent else 'Carry this out'}? [y/N] ")
    try:
        answer = input()
    except EOFError:
        answer = ""
    if answer.strip().lower() not in {"y", "yes"}:
        raise NotAgreed(wanted, found="the answer was no", remedy="nothing was touched")


def _carry_out(plan: Plan, act: Act, out: Out, *, absent: bool) -> Result:
    from lbkit.faces.render.progress import Progress  # noqa: PLC0415 - brings rich

    progress = Progress(plan, out)
    try:
        with progress:
            return act(plan, progress.watch)
    except KeyboardInterrupt:
        raise Interrupted(
            f"topology {plan.topology} was to be {'removed' if absent else 'as declared'}",
            done=[str(change) for change in progress.done],
            not_done=[str(change) for change in progress.not_done],
        ) from None
