"""What a sync would do, how a mirror is, its runs and its nodes: for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from lbkit.faces.out import Out
from lbkit.faces.render.harmless import one_line
from lbkit.faces.render.sizes import files_words, size_words, time_words
from lbkit.faces.render.words import word
from lbkit.mirror.answers import Counted, MirrorPlan, MirrorStatus, RunLog
from lbkit.mirror.promotion import Survey
from lbkit.mirror.seen import FAILED, committed_words, held_words, next_words, node_words, serves
from lbkit.mirror.sync.runs import Run

_CAME = {"made": "green", "nothing": "green", "running": "cyan", "paused": "yellow", "held": "yellow"}


def show_plan(out: Out, plan: MirrorPlan) -> None:
    """Of one that has changes, or objections."""
    against = (
        f"against generation {plan.against}, {_counted(plan.before)}"
        if plan.against
        else "nothing stands yet"
    )
    out.show(Text.assemble((one_line(plan.mirror), "bold"), f": {against}"), "")
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right")
    table.add_column(justify="right")
    for sign, name, counted, style in (
        ("+", "add", plan.added, "green"),
        ("~", "change", plan.changed, "yellow"),
        ("-", "delete", plan.deleted, "red"),
        (" ", "stay", plan.relinked, "dim"),
    ):
        table.add_row(
            word(f"{sign} {name}", style),
            files_words(counted.files),
            Text(size_words(counted.size), style="dim"),
        )
    out.show(table)
    first = plan.first
    for sign, paths, counted, style in (
        ("+", first.added, plan.added, "green"),
        ("~", first.changed, plan.changed, "yellow"),
        ("-", first.deleted, plan.deleted, "red"),
    ):
        if paths:
            more = counted.files - len(paths)
            out.show("", *(word(f"  {sign} {path}", style) for path in paths))
            if more > 0:
                out.show(word(f"    … and {more:,} more: --most N names them", "dim"))
    out.show("", word(f"then it has {_counted(plan.after)}"))
    show_objections(out, plan)


def show_objections(out: Out, plan: MirrorPlan) -> None:
    for words in plan.objections:
        out.show(word(f"held: {words}", "bold yellow"))


def show_status(out: Out, status: MirrorStatus, master: str, now: datetime) -> None:
    style = "red" if status.committed is None else "yellow" if status.alarms or status.held else "green"
    out.show(Text.assemble((one_line(status.mirror), "bold"), ": ", (committed_words(status), style)))
    for words in (*status.alarms, *held_words(status)):
        out.show(word(f"  {words}", "bold yellow"))
    for words in status.notes:
        out.show(word(f"  note: {words}", "yellow"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("node", "serves", "verdict", "heard", "doing"):
        table.add_column(name, overflow="fold")
    for name, node in status.nodes.items():
        trouble = " ".join(status.troubles.get(name, "").split())
        doing = [f"gets from {node.busy or master}"] if node.busy is not None else []
        table.add_row(
            one_line(name),
            word(node_words(node) if node.heard is not None else "not known"),
            word(node.told or "not known", "green" if serves(node) else "yellow"),
            word("never" if node.heard is None else f"{time_words(node.heard)} ago"),
            word(", ".join([*doing, *([trouble] if trouble else [])]), "" if not trouble else "yellow"),
        )
    out.show("", table, "")
    if status.running is not None:
        out.show(
            word(
                f"a run by {status.running['cause']} is under way, since {_time(status.running['began'])}",
                "cyan",
            )
        )
    if status.last is not None:
        out.show(word(f"last run {_time(status.last.began)}, by {status.last.cause}: {_came(status.last)}",
                      "yellow" if status.last.came in FAILED else ""))  # fmt: skip
    if status.last_made is not None and (status.last is None or status.last.id != status.last_made.id):
        out.show(word(f"last generation {status.last_made.after}, {_time(status.last_made.began)}"))
    if status.wanted:
        out.show(word(f"{status.wanted} push{' was' if status.wanted == 1 else 'es were'} not had yet"))
    if words := next_words(status, now):
        out.show(word(words))


def show_runs(out: Out, runs: Sequence[Run]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("run", "began", "by", "came", "generation", "files", "fetched", "took", "why"):
        table.add_column(name, overflow="fold", justify="right" if name in {"fetched", "took"} else "left")
    for run in runs:
        table.add_row(
            word(run.id),
            word(_time(run.began)),
            word(run.cause),
            word(run.came, _CAME.get(run.came, "red")),
            word(f"{run.before} -> {run.after}" if run.after else str(run.before or "")),
            word(f"+{run.added} ~{run.changed} -{run.deleted}" if run.after else "", "dim"),
            word(size_words(run.fetched) if run.fetched else ""),
            word(_took(run)),
            word(" ".join(run.why.split()), "dim"),
        )
    out.show(table)


def show_run(out: Out, found: RunLog) -> None:
    run = found.run
    out.show(
        Text.assemble(
            (f"run {one_line(run.id)}", "bold"), f" by {run.cause}, {_time(run.began)}: {_came(run)}"
        )
    )
    if run.after:
        out.show(
            word(
                f"generation {run.before} -> {run.after}: +{run.added} ~{run.changed} -{run.deleted} files, "
                f"{size_words(run.fetched)} fetched, {_took(run)}, digest {run.digest[:12]}"
            )
        )
    for each in (each for each in run.tries if each.code):
        out.show(word(f"exit code {each.code}: {' '.join(each.words.split())}", "yellow"))
    out.show("", *(word(line, "dim") for line in found.words.splitlines() or ["(no words are kept of it)"]))


def show_survey(out: Out, survey: Survey) -> None:
    state = "answers" if survey.alive else "does not answer"
    out.show(
        Text.assemble(
            (one_line(survey.mirror), "bold"), f": the keeper on its master {survey.master} {state}"
        ),
        "",
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("node", "serves", "newest", "files", "made"):
        table.add_column(name, overflow="fold")
    for each in survey.nodes:
        newest = next(iter(each.generations), None)
        if newest is None:
            table.add_row(each.node, "", "", "", word(each.trouble or "it has nothing", "yellow"))
            continue
        table.add_row(
            one_line(each.node),
            str(each.serving or "nothing"),
            str(newest.serial),
            f"{newest.files:,}",
            _time(newest.made),
        )
    out.show(table, "")


def _counted(counted: Counted) -> str:
    return f"{files_words(counted.files)}, {size_words(counted.size)}"


def _came(run: Run) -> str:
    return f"{run.came}: {' '.join(run.why.split())}" if run.why else run.came


def _took(run: Run) -> str:
    return "" if run.ended is None else time_words(run.ended - run.began)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
