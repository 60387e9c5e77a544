"""A plan told to people, by whichever command made it. That there is nothing to do is told without rich."""

from __future__ import annotations

from lbkit.engine.plan import Plan
from lbkit.faces.out import Out


def tell_plan(
    out: Out, plan: Plan, *, absent: bool = False, detail: bool = False, part: bool = False
) -> None:
    """`absent`: it is the plan of a destroy. `part`: of things that were named alone."""
    if plan:
        from lbkit.faces.render.plan import show_plan  # noqa: PLC0415 - brings rich

        show_plan(out, plan, detail=detail)
    else:
        what = f"that part of {plan.topology}" if part else plan.topology
        now = f"nothing of {what} stands" if absent else f"{what} stands as declared"
        out.line(f"{now}: nothing to do", "green")
    for note in plan.notes:
        out.line(f"note: {note}", "yellow")
