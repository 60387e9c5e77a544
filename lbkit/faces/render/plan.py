"""A plan and what became of it, for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from lbkit.engine.applying import Result
from lbkit.engine.change import Action, Change
from lbkit.engine.plan import Plan
from lbkit.faces.out import Out
from lbkit.faces.render.difference import difference
from lbkit.faces.render.harmless import harmless, one_line
from lbkit.faces.render.words import ACTION_STYLES, IMPACT_STYLES, SYMBOLS, word

MOST_STEPS = 20
"""Of one change, shown without --detail."""

_DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def show_plan(out: Out, plan: Plan, *, detail: bool = False) -> None:
    """The changes of a plan that has some; `telling.tell_plan` has a word for one that has none."""
    out.show(_headline(plan), "", _table(plan))
    for title, lines in _steps(plan, most=None if detail else MOST_STEPS):
        out.show("", title, *lines)
    if detail:
        for change in plan.changes:
            out.show("", _title(change), *map(_diff_line, difference(change)))
    out.show("", _summary(plan))


def show_result(out: Out, result: Result, *, absent: bool, part: bool = False) -> None:
    count = len(result.done)
    what = f"that part of {result.plan.topology}" if part else result.plan.topology
    how = "is gone" if absent else "stands as declared"
    out.show(
        "",
        word(
            f"{what} {how}: {count} change{'' if count == 1 else 's'} in {result.seconds:.2f} s",
            "green",
        ),
    )
    show_notes(out, result)


def show_notes(out: Out, result: Result) -> None:
    """What a person should know of how it went, though it is no failure."""
    for note in result.notes:
        out.show(word(f"note: {note}", "yellow"))


def _headline(plan: Plan) -> Text:
    count, waves = len(plan.changes), len(plan.waves)
    return Text.assemble(
        (one_line(plan.topology), "bold"),
        f": {count} change{'' if count == 1 else 's'} in {waves} wave{'' if waves == 1 else 's'}, "
        "impact at worst ",
        (str(plan.impact), IMPACT_STYLES[plan.impact]),
    )


def _table(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("wave", justify="right", style="dim", no_wrap=True)
    table.add_column("change", overflow="fold")
    table.add_column("impact", no_wrap=True)
    table.add_column("why", overflow="fold")
    for wave in plan.waves:
        for place, change in enumerate(wave):
            table.add_row(
                str(change.wave + 1) if place == 0 else "",
                _title(change),
                word(str(change.impact), IMPACT_STYLES[change.impact]),
                word(change.reason),
            )
    return table


def _steps(plan: Plan, *, most: int | None) -> Iterator[tuple[Text, list[Text]]]:
    """What is done to things that stand, step by step; once for those to which the same is done."""
    alike: dict[tuple[str, ...], list[Change]] = {}
    for change in plan.changes:
        if change.steps and change.have is not None:
            alike.setdefault(change.steps, []).append(change)
    for steps, changes in alike.items():
        first, *others = changes
        title = _title(first)
        if others:
            title.append(f", {', '.join(one_line(change.key.name) for change in others)}")
        width = len(str(len(steps)))
        lines = [
            Text(f"    {number:{width}}  {one_line(step)}", overflow="fold")
            for number, step in enumerate(steps[:most], 1)
        ]
        if most is not None and len(steps) > most:
            lines.append(Text(f"    … and {len(steps) - most} more: --detail or --json has all", style="dim"))
        yield title, lines


def _title(change: Change) -> Text:
    style = ACTION_STYLES[change.action]
    return Text.assemble(
        (f"{SYMBOLS[change.action]} ", style),
        (f"{one_line(change.key.kind)} ", "dim" if change.action is not Action.DELETE else style),
        (one_line(change.key.name), style),
        overflow="fold",
    )


def _diff_line(line: str) -> Text:
    return Text(f"    {harmless(line)}", style=_DIFF_STYLES.get(line[:1], "dim"), overflow="fold")


def _summary(plan: Plan) -> Text:
    parts: list[Text] = []
    for action in Action:
        count = plan.count({action})
        if count:
            parts.append(Text(f"{SYMBOLS[action]} {count} to {action}", style=ACTION_STYLES[action]))
    return Text(", ").join(parts)
