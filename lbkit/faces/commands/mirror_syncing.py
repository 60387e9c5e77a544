"""`lbkit mirror plan`, `sync` and `rollback`: what makes generations, and what would."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from lbkit.base.errors import Failure, LbkitError, Mistake
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.faces.commands.mirror_telling import loaded
from lbkit.faces.commands.plan import CHANGES_PENDING
from lbkit.faces.ending import INTERRUPTED
from lbkit.faces.out import Out
from lbkit.faces.render.transfer import Transfer
from lbkit.mirror import operations
from lbkit.mirror.answers import MirrorPlan, Synced
from lbkit.mirror.operations import Watch


class NotAgreed(Failure):
    """Nobody agreed to it. Nothing was touched."""


class GoesOn(LbkitError):
    """Ctrl-C: nobody waits any more, and what was begun goes on."""

    exit_code = INTERRUPTED


def plan(options: argparse.Namespace, out: Out) -> int:
    scope, host = loaded(options)
    with Transfer(out) as transfer:
        plan = operations.plan(scope, options.name, host, most=options.most, watch=transfer.watch)
    if out.json:
        out.document({"schema": "lbkit.mirror-plan/1", "topology": scope.name, **plan.as_data()})
    elif plan or plan.objections:
        _show_plan(plan, out)
        if plan.objections:
            out.line(f"`lbkit mirror sync --anyway {plan.mirror}` does it all the same")
    else:
        out.line(_as_it_is(plan.mirror, plan.against), "green")
    return CHANGES_PENDING if plan else 0


def sync(options: argparse.Namespace, out: Out) -> int:
    scope, host = loaded(options)
    anyway = options.anyway and _overruled(scope, host, options, out)
    synced = _followed(
        lambda watch: operations.sync(
            scope, options.name, host, anyway=anyway, wait=options.wait, watch=watch
        ),
        options.name,
        out,
    )
    return _tell_synced(synced, scope, out)


def _overruled(scope: Scope, host: Host, options: argparse.Namespace, out: Out) -> bool:
    """Whether its guards object, and a person agreed to go on all the same."""
    with Transfer(out) as transfer:
        plan = operations.plan(scope, options.name, host, most=10, watch=transfer.watch)
    if not plan.objections:
        return False
    if not out.json:
        _show_plan(plan, out)
    _agree(
        f"mirror {options.name} was to be synced anyway",
        "Sync anyway",
        "; ".join(plan.objections),
        options,
        out,
    )
    return True


def rollback(options: argparse.Namespace, out: Out) -> int:
    scope, host = loaded(options)
    serial = None if options.extra is None else _serial(options.extra)
    status = operations.status(scope, options.name, host)
    now = status.committed["serial"] if status.committed else 0
    to = f"generation {serial}" if serial else "the generation before"
    words = f"{options.name}: from generation {now} back to what {to} has; runs are held then"
    if not out.json:
        out.line(words, "yellow")
    _agree(f"mirror {options.name} was to be rolled back", "Roll back", words, options, out)
    synced = _followed(
        lambda watch: operations.rollback(
            scope, options.name, host, serial=serial, wait=options.wait, watch=watch
        ),
        options.name,
        out,
    )
    return _tell_synced(synced, scope, out)


def _followed(act: Callable[[Watch], Synced], name: str, out: Out) -> Synced:
    try:
        with Transfer(out) as transfer:
            return act(transfer.watch)
    except KeyboardInterrupt:
        raise GoesOn(
            f"the run of mirror {name} was to be waited for",
            found="interrupted: it goes on by itself",
            remedy=f"`lbkit mirror status {name}` says how far it is",
        ) from None


def _tell_synced(synced: Synced, scope: Scope, out: Out) -> int:
    run, name = synced.run, synced.mirror
    if out.json:
        out.document({"schema": "lbkit.mirror-sync/1", "topology": scope.name, **synced.as_data()})
        return 0
    if run.came == "nothing" and not synced.held:
        out.line(_as_it_is(name, synced.serial), "green")
    elif run.came == "made":
        counts = f"+{run.added} ~{run.changed} -{run.deleted} files"
        serving = len(synced.serving)
        serve = f"{serving} node{' serves' if serving == 1 else 's serve'} it"
        where = f"committed, {serve}" if synced.committed else "nodes get it"
        out.line(f"{name}: generation {synced.serial}, {counts}: {where}", "green")
    else:
        out.line(f"{name}: {run.why or run.came}", "green")
    if synced.held:
        out.line(f"runs are held: `lbkit mirror release {name}` lets them go on", "yellow")
    return 0


def _show_plan(plan: MirrorPlan, out: Out) -> None:
    from lbkit.faces.render.mirror import show_plan  # noqa: PLC0415 - brings rich

    show_plan(out, plan)


def _as_it_is(name: str, serial: int) -> str:
    return f"{name}: upstream is as generation {serial}: nothing to do"


def _agree(wanted: str, question: str, words: str, options: argparse.Namespace, out: Out) -> None:
    """Return if it is agreed to; NotAgreed if not."""
    if options.yes:
        return
    if not out.interactive:
        raise NotAgreed(
            wanted,
            found=f"nobody to ask: no terminal, or --json; {words}",
            remedy="nothing was touched; look at that, then give --yes",
        )
    out.write(f"\n{question}? [y/N] ")
    try:
        answer = input()
    except EOFError:
        answer = ""
    if answer.strip().lower() not in {"y", "yes"}:
        raise NotAgreed(wanted, found="the answer was no", remedy="nothing was touched")


def _serial(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Mistake("a generation was to be named by its serial", found=repr(text), remedy="such as 12")
    return int(text)
