"""The lines of the log that tell of plans and files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lbkit.base.errors import LbkitError
from lbkit.base.files import shown
from lbkit.engine.agreed import Agreed
from lbkit.engine.applying import Event
from lbkit.engine.plan import Plan
from lbkit.watch.telling import Said, in_words

NOTHING = "nothing of it was applied since this host started, or it was destroyed: nothing is kept up until a person applies it"
_TOLD = 5  # changes that one line names


def listed(plan: Plan, *, but: Plan | None = None) -> str:
    """The plan's changes with their reasons, without those of `but`."""
    known = {change.key for change in but.changes} if but is not None else set()
    said = [f"{change} ({change.reason})" for change in plan.changes if change.key not in known]
    more = f" and {len(said) - _TOLD} more" if len(said) > _TOLD else ""
    return " ".join((", ".join(said[:_TOLD]) + more).split())


def begun(plan: Plan, heard: Sequence[str]) -> Said:
    why = f" (heard: {', '.join(heard)})" if heard else ""
    return Said("begin", f"{_counted(plan)} to carry out{why}: {listed(plan)}", {"plan": plan.as_data()})


def done(event: Event) -> Said:
    change = event.change
    data = {"kind": change.key.kind, "name": change.key.name, "action": str(change.action)}
    reason = " ".join(change.reason.split())
    return Said("change", f"done: {change}: {reason}", {**data, "reason": reason, "executed": event.detail})


def left(whole: Plan, share: Plan) -> Said:
    kept = {change.key for change in share.changes}
    names = [str(change) for change in whole.changes if change.key not in kept]
    return Said(
        "left", f"left to a person: {listed(whole, but=share)}; to do: look at `lbkit plan`", {"left": names}
    )


def exhausted(plan: Plan, budget: int, left_over: int, until: float | None) -> Said:
    when = (
        f"it begins at {_time(until)}"
        if until is not None
        else "that is more than ever is; to do: `lbkit apply`, or a larger --budget"
    )
    text = f"{_counted(plan)} to carry out, but of {budget} for each hour {left_over} are left: {when}; {listed(plan)}"
    return Said("exhausted", text, {"changes": len(plan.changes), "budget": budget, "left": left_over})


def unreadable(error: LbkitError, *, keeps: bool) -> Said:
    goes_on = "kept up as it was read before" if keeps else "nothing is kept up until it is mended"
    return Said("unreadable", f"{goes_on}: {in_words(error)}", {"error": error.as_data()})


def not_applied(file: Path, agreed: Agreed, *, keeps: bool) -> Said:
    goes_on = "kept up as it was applied" if keeps else "nothing is kept up until that is so"
    return Said(
        "otherwise",
        f"{shown(file)} says something else than what {agreed.by} applied from {agreed.file} at {agreed.since}: "
        f"{goes_on}; to do: `lbkit apply {shown(file)}`",
        {"file": agreed.file, "by": agreed.by, "since": agreed.since},
    )


def _counted(plan: Plan) -> str:
    return f"{len(plan.changes)} change{'' if len(plan.changes) == 1 else 's'}"


def _time(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
