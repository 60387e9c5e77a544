"""How a mirror stands: what `status` of control.py says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lbkit.base.clock import Clock
from lbkit.mirror.keeper.deciding import Known, behind
from lbkit.mirror.keeper.fleet import Fleet
from lbkit.mirror.keeper.hold import Hold
from lbkit.mirror.keeper.progress import Progress
from lbkit.mirror.keeper.turns import Turns
from lbkit.mirror.sync.runs import Run, Runs
from lbkit.mirror.tree import serial as serials

PATIENT = 5
"""Runs in turn that upstream may be in the middle of its own update, or away: with the pauses between them 15 minutes."""

_IN_VAIN = frozenset({"partial", "failed", "killed"})
_SHOWN = ("doing", "serial", "files", "damaged", "left")


@dataclass(slots=True)
class Standing:
    """Asks nobody: it is what the keeper knows. For any thread."""

    mirror: str
    keep: int
    runs: Runs
    turns: Turns
    fleet: Fleet
    hold: Hold
    progress: Progress
    clock: Clock
    notes: list[str] = field(default_factory=list)
    uncommitted: str = ""  # why the last turn of the keeper came to no end

    def status(self) -> dict[str, Any]:
        known = self.fleet.known()
        cause, due = self.turns.next(self.clock.now())
        held = self.hold.found()
        return {
            "mirror": self.mirror,
            "keep": self.keep,
            "committed": _generation(known.committed),
            "newest": _generation(known.newest),
            "generations": [each.as_data() for each in reversed(self.fleet.store.generations())],
            "running": self.running(),
            "waiting": self.turns.waiting,
            "wanted": self.runs.wanted() - self.runs.taken(),
            "next": {"cause": cause, "due": None if due is None else due.timestamp()},
            **self._lasts(),
            "held": None if held is None else held.as_data(),
            "alarms": self._alarms(),
            "troubles": self.fleet.troubles(),
            "notes": [*self.notes],
            "nodes": self._nodes(known),
        }

    def running(self) -> dict[str, Any] | None:
        """The run that is under way."""
        running = self.turns.running
        if running is None:
            return None
        run = next(self.runs.all(), None)
        return {
            "cause": running[0],
            "began": running[1],
            "run": run.as_data() if run is not None and run.came == "running" else None,
            "progress": self.progress.as_data(),
        }

    def where(self, serial: int, digest: str) -> dict[str, Any]:
        """Which nodes have that generation, and whether it, or a later one, is what they are to serve."""
        known = self.fleet.known()
        committed = known.committed is not None and not serials.newer(serial, known.committed[0])
        have = [name for name, node in known.nodes.items() if node.has.get(serial) == digest]
        serving = [name for name, node in known.nodes.items() if node.serving == serial]
        return {
            "serial": serial,
            "committed": committed,
            "have": sorted(have),
            "serving": sorted(serving),
        }

    def _lasts(self) -> dict[str, Any]:
        last: Run | None = None
        made: Run | None = None
        for run in self.runs.all():
            if run.came == "running":
                continue
            last = last or run
            if run.came == "made":
                made = run
                break
        return {
            "last": None if last is None else last.as_data(),
            "last_made": None if made is None else made.as_data(),
        }

    def _alarms(self) -> list[str]:
        """Each says where to look, or what is wrong."""
        found = [f"{words} (`lbkit explain {self.mirror}` says why)" for words in self.fleet.alarms]
        found += in_vain(self.mirror, self.runs)
        # what no run and no node tells of: mostly a disk
        wrong = (("a run could not be made", self.turns.trouble), ("nodes cannot be led", self.uncommitted))
        return [*found, *(f"{words}: {' '.join(trouble.split())}" for words, trouble in wrong if trouble)]

    def _nodes(self, known: Known) -> dict[str, Any]:
        verifying = self.fleet.verifying()
        found = {}
        for name, node in sorted(known.nodes.items()):
            verify = verifying.get(name)
            heard = node.silent is not None
            found[name] = {
                "serving": node.serving,
                "has": {str(serial): digest for serial, digest in node.has.items()},
                "heard": None if node.silent is None else round(node.silent, 2),
                "told": node.told,
                "busy": node.busy,
                "behind": behind(node, known.committed) if heard and known.committed else None,
                "verify": None if verify is None else {each: verify.get(each) for each in _SHOWN},
            }
        return found


def in_vain(mirror: str, runs: Runs) -> list[str]:
    """Where upstream cannot be had again and again, in a sentence: each run of it is tried anew by itself, and nobody would look."""
    count, since = 0, 0.0
    for run in runs.all():
        if run.came == "running":
            continue
        if run.came not in _IN_VAIN:
            break
        count, since = count + 1, run.began
    if count < PATIENT:
        return []
    when = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return [f"nothing came from upstream in {count} runs, since {when}: `lbkit mirror log {mirror}` says why"]


def _generation(found: Sequence[Any] | None) -> dict[str, Any] | None:
    return None if found is None else {"serial": found[0], "digest": found[1]}
