"""`kill -9` of an apply at each of its steps: clients notice nothing, and the next apply has all as declared."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.haproxy.soak import oracle
from tests.haproxy.soak.changes import Changes
from tests.haproxy.soak.load import Load, load
from tests.haproxy.soak.town import Town

# one after the other: side by side they would have each other wait
pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("soak")]

CHILD = Path(__file__).with_name("killed_apply.py")
KILLS = 24


def test_an_apply_that_was_killed_at_a_step_is_gone_on_with(town: Town, seed: int) -> None:
    """Of changes by chance, with a reload or without; by an apply of the same, or of what was before."""
    chance = random.Random(seed)
    changes = Changes(town, chance, dead=0.01)
    found = Load()
    kills = step = 0
    with load(town.folder, seed=seed, to=found, kept=4, fresh=2):
        while kills < KILLS:
            before = town.as_it_is()
            said = [changes.one() for _ in range(10)]
            if chance.random() < 0.4:
                town.shop["maxconn"] = 2000 + kills
                said.append("a reload")
            after = chance.choice([0, 1, 2, 5, 20])
            code = killed(town, step, after)
            assert code in {0, -signal.SIGKILL}
            kills += code != 0
            if chance.random() < 0.3:
                town.back_to(before)
                said.append("and back")
            print(f"killed {after} ms after step {step} ({code}): {'; '.join(said)}")
            print("      ", town.change_or_mend(wholly=True))
            oracle.as_declared(town)
            oracle.leaves_nothing_behind(town)
            town.none_lost(found)
            # at the next step; from the first, where there are no more
            step = step + 1 if code else 0
        oracle.serves_as_declared(town)
    town.none_lost(found)
    print(f"{kills} kills, {found.requests} requests")


def killed(town: Town, step: int, after: float) -> int:
    document = town.folder / "document.json"
    document.write_text(json.dumps(town.data))
    argv = [sys.executable, CHILD, document, town.folder, town.host.run_dir, step, after]
    return subprocess.run([str(word) for word in argv], check=False).returncode
