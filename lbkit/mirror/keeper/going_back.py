"""Which generation is gone back to. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lbkit.base.errors import Mistake
from lbkit.mirror.keeper.hold import Held
from lbkit.mirror.tree import serial as serials
from lbkit.mirror.tree.generation import Generation


def target(
    standing: Sequence[Generation], held: Held | None, serial: int | None, committed: tuple[int, str] | None
) -> Generation:
    """The one that is meant; by default the newest of other content before the committed one, or before what was rolled back to.

    Where a rollback was cut off it is the one that it went to. `standing`: the oldest first. Mistake where there is none.
    """
    if serial is not None:
        found = next((each for each in standing if each.serial == serial), None)
        if found is None:
            raise _none(f"generation {serial} was to be gone back to", standing)
        return found
    if held is not None and standing and standing[-1].digest != held.digest:
        found = next((each for each in standing if each.serial == held.serial), None)
        if found is not None:
            return found
    last = standing[-1] if standing else None
    since, digest = committed or ((last.serial, last.digest) if last else (serials.NONE, ""))
    if held is not None:
        since, digest = held.serial, held.digest
    for each in reversed(standing):
        if serials.newer(since, each.serial) and each.digest != digest:
            return each
    raise _none("a generation before the committed one was to be gone back to", standing)


def is_back(standing: Sequence[Generation], held: Held | None, serial: int | None) -> bool:
    """Whether a rollback (to `serial`; None: to any) is what stands: its content is the newest, and runs are held."""
    if held is None or not standing or standing[-1].digest != held.digest:
        return False
    if serial is None or serial == held.serial:
        return True
    return any(each.serial == serial and each.digest == held.digest for each in standing)


def _none(wanted: str, standing: Sequence[Generation]) -> Mistake:
    found = ", ".join(str(each.serial) for each in standing) or "none"
    return Mistake(
        wanted, found=f"these stand: {found}", remedy="name one of them; `keep` says how many stand"
    )
