"""`kill -9` of an apply at each of its steps: clients notice nothing, and the next apply has all as declared."""

from __future__ import annotations

import copy
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

pytestmark = pytest.mark.sandbox

CHILD = Path(__file__).with_name("killed_apply.py")
MOST = 60  # steps: an apply has far fewer


@pytest.mark.parametrize("reloads", [False, True], ids=["runtime", "reload"])
def test_an_apply_that_was_killed_at_a_step_is_gone_on_with(town: Town, seed: int, *, reloads: bool) -> None:
    chance = random.Random(seed)
    found = Load()
    kills = 0
    with load(town.folder, seed=seed, to=found, kept=4, fresh=2):
        for number in range(MOST):
            changes = Changes(town, chance)
            before = copy.deepcopy(town.data)
            said = [changes.one() for _ in range(10)]
            if reloads:
                town.shop["maxconn"] = 2000 + number
                said.append("maxconn")
            after = chance.choice([0, 1, 2, 5, 20])
            code = killed(town, number, after)
            assert code in {0, -signal.SIGKILL}
            kills += code != 0
            if chance.random() < 0.3:
                town.data = before  # and those who applied it think better of it
                said.append("and back")
            print(f"killed {after} ms after step {number} ({code}): {'; '.join(said)}")
            print("      ", town.apply())
            oracle.as_declared(town)
            oracle.leaves_nothing_behind(town)
            assert found.failed == []
            if code == 0:
                break
        oracle.serves_as_declared(town)
    assert found.failed == []
    assert kills > 10
    print(f"{kills} kills, {found.requests} requests")


def killed(town: Town, step: int, after: float) -> int:
    document = town.folder / "document.json"
    document.write_text(json.dumps(town.data))
    argv = [sys.executable, CHILD, document, town.folder, town.host.run_dir, step, after]
    return subprocess.run([str(word) for word in argv], check=False).returncode
