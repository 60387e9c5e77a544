"""From a plan to what came of it: planned anew, carried out, and looked at again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lbkit.base.errors import Failure
from lbkit.engine.plan import Plan


class LeftToDo(Failure):
    """All was carried out, and is not so: `done` is what was done, `left` what a plan finds now."""

    def __init__(self, done: Plan, left: Plan, where: str) -> None:
        self.done = done
        self.left = left
        super().__init__(
            "everything was to be as planned",
            found=f"looked at again, there is still to do: {', '.join(map(str, left.changes[:5]))}",
            where=where,
            remedy="somebody else changes it, or HAProxy would not take it; look at the plan anew",
        )

    def as_data(self) -> dict[str, Any]:
        done, left = ([str(change) for change in plan.changes] for plan in (self.done, self.left))
        return {**super().as_data(), "done": done, "not_done": left}


def carried_out(
    planned: Callable[[], Plan], act: Callable[[Plan], None], promised: Plan | None, where: str
) -> Plan:
    """What was done: `planned()` as it is now, which `act` carries out where there is something in it.

    PlanChanged, with nothing touched, where that is not what was `promised`; LeftToDo where something is left to do.
    """
    now = planned()
    if promised is not None and now.as_data() != promised.as_data():
        from lbkit.engine.applying import PlanChanged  # noqa: PLC0415 - brings all that a topology's apply needs

        raise PlanChanged(promised, now)
    if now:
        act(now)
        if left := planned():
            raise LeftToDo(now, left, where)
    return now
