"""`lbkit mirror promote`: looks at what the nodes have, changes the topology's file, applies it, and waits until the nodes follow."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from lbkit.base.errors import Failure, LbkitError, Mistake
from lbkit.faces.arguments import host_of
from lbkit.faces.out import Out

if TYPE_CHECKING:
    from lbkit.base.host import Host
    from lbkit.engine.scope import Scope
    from lbkit.mirror.promotion import Candidate, Survey, Verdict


class NotPromoted(Failure):
    """There is no node to take the master's place, or nothing to promote for. Nothing was touched."""


def run(options: argparse.Namespace, out: Out) -> int:
    from lbkit import operate  # noqa: PLC0415 - brings every room
    from lbkit.faces.commands.apply import agreed_and_done  # noqa: PLC0415
    from lbkit.faces.render.transfer import Transfer  # noqa: PLC0415
    from lbkit.mirror import promotion, taking_over  # noqa: PLC0415
    from lbkit.mirror.reach import mirror_of  # noqa: PLC0415
    from lbkit.topology.edit import edit  # noqa: PLC0415
    from lbkit.topology.load import load_text  # noqa: PLC0415

    name = options.name
    scope, host = operate.load(options.file), host_of(options)
    if options.extra is not None and options.extra == mirror_of(scope, name).master:
        raise Mistake(
            f"another machine was to become the master of mirror {name}",
            found=f"{options.extra} is it",
            remedy="`lbkit apply` starts its keeper where it does not run",
        )
    survey = promotion.survey(scope, name, host)
    if not out.json:
        from lbkit.faces.render.mirror import show_survey  # noqa: PLC0415 - brings rich

        show_survey(out, survey)
    _refuse_living(survey, options)
    chosen, verdicts = _chosen(survey, scope, host, options, out)
    lost = promotion.losses(survey, chosen)
    change = edit(options.file, ("mirrors", name, "master"), chosen.node)
    promoted = load_text(change.text, scope.file, scope.folder)
    if not out.json:
        for words in lost:
            out.line(f"note: {words}", "bold yellow")
        out.line(f"{options.file}:{change.line}: master: {survey.master} -> {chosen.node}", "bold")
        out.line("")
    written = False

    def write() -> None:
        nonlocal written
        change.write()
        written = True

    plan = operate.plan(promoted, host)
    try:
        result = agreed_and_done(plan, promoted, host, options, out, on_agreed=write)
    except LbkitError:
        if written and not out.json:
            out.warning(f"{change.path} names {chosen.node} now: `lbkit apply` goes on from there")
        raise
    status = None
    if options.wait:
        with Transfer(out) as transfer:
            status = taking_over.wait(promoted, name, host, within=options.wait, watch=transfer.watch)
    if out.json:
        out.document(
            {
                "schema": "lbkit.mirror-promotion/1",
                "topology": scope.name,
                "mirror": name,
                "old": survey.master,
                "new": chosen.node,
                "generation": chosen.generation.as_data(),
                "survey": survey.as_data(),
                "verified": [verdict.as_data() for verdict in verdicts],
                "lost": lost,
                "file": str(options.file),
                "line": change.line,
                "result": result.as_data(),
                "status": None if status is None else status.as_data(),
            }
        )
        return 0
    if plan:
        from lbkit.faces.render.plan import show_result  # noqa: PLC0415 - brings rich

        show_result(out, result, absent=False)
    if status is not None and status.committed is not None:
        serving = sum(node.serving == status.committed["serial"] for node in status.nodes.values())
        committed = f"generation {status.committed['serial']} of {chosen.node} is committed"
        out.line(f"{name}: {committed}, {serving} of {len(status.nodes)} nodes serve it", "green")
    return 0


def _refuse_living(survey: Survey, options: argparse.Namespace) -> None:
    if survey.alive and not options.anyway:
        raise NotPromoted(
            f"mirror {survey.mirror} was to get another master",
            found=f"the keeper on {survey.master} answers: it is not lost",
            remedy="two masters would fight for the nodes. Where it only does not fetch: "
            f"`lbkit mirror status {survey.mirror}`. Where it is to go: `--anyway`; the apply ends it",
        )


def _chosen(
    survey: Survey, scope: Scope, host: Host, options: argparse.Namespace, out: Out
) -> tuple[Candidate, list[Verdict]]:
    """The node with the newest generation that is whole, and how those were that were looked at."""
    from lbkit.faces.render.stages import Stages  # noqa: PLC0415 - not for --help
    from lbkit.image.progress import Step  # noqa: PLC0415
    from lbkit.mirror import promotion  # noqa: PLC0415

    wanted = f"a node of mirror {survey.mirror} was to take the place of {survey.master}"
    others = promotion.without(survey, [survey.master])
    found = promotion.candidates(others, options.extra)
    if not found:
        raise NotPromoted(
            wanted,
            found="; ".join(f"{each.node}: {each.trouble or 'it has nothing'}" for each in others.nodes)
            or "it has no other node",
            remedy="nothing was touched. Bring one of them back (`lbkit status`, `lbkit apply`), or name another machine "
            "as `master:` yourself: it fetches all anew",
        )
    with Stages(out) as stages:

        def verified(candidate: Candidate) -> Verdict:
            serial = candidate.generation.serial
            stages.watch(Step(f"verify generation {serial} on {candidate.node}"))
            return promotion.verify(
                scope, candidate, survey.mirror, host, depth="quick" if options.quick else "whole"
            )

        chosen, verdicts = promotion.choose(found, verified)
    for verdict in verdicts if not out.json else ():
        out.line(_words(verdict, quick=options.quick), "green" if verdict.whole else "yellow")
    if chosen is None and not options.anyway:
        raise NotPromoted(
            wanted,
            found="no generation of theirs is whole",
            remedy="nothing was touched. With --anyway the newest is taken: what is damaged comes from other nodes, or from upstream",
        )
    return chosen or found[0], verdicts


def _words(verdict: Verdict, *, quick: bool) -> str:
    candidate = verdict.candidate
    head = f"{candidate.node}: generation {candidate.generation.serial}"
    if verdict.trouble:
        return f"{head} could not be verified: {' '.join(verdict.trouble.split())}"
    if verdict.damaged:
        paths = ", ".join(str(each.get("path")) for each in verdict.first[:3])
        return f"{head} has {verdict.damaged} damaged files: {paths}"
    how = "names and sizes are" if quick else "every byte of it is"
    return f"{head}: {how} as its manifest says"
