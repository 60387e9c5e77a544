"""Hundreds of changes by chance, under load: no request is lost, no worker is replaced, nothing is left undone."""

from __future__ import annotations

import os
import random
import time

import pytest

from tests.haproxy.soak import oracle
from tests.haproxy.soak.changes import Changes
from tests.haproxy.soak.load import Load, load
from tests.haproxy.soak.town import Town

# one after the other: side by side they would have each other wait
pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("soak")]

CHANGES = int(os.environ.get("SOAK_CHANGES", "500"))
AT_ONCE = 6  # at most, of changes that are applied together
WHOLE = 12  # each so many-th by the whole of lbkit
LOADS = 3  # between them HAProxy is killed


def test_changes_by_chance_lose_no_request_and_replace_no_worker(town: Town, seed: int) -> None:
    chance = random.Random(seed)
    changes = Changes(town, chance)
    found = Load()
    made = applied = 0
    began = time.monotonic()
    for part in range(LOADS):
        worker = town.worker()
        with load(town.folder, seed=seed + part, to=found):
            while made < CHANGES * (part + 1) // LOADS:
                said = [changes.one() for _ in range(chance.randint(1, AT_ONCE))]
                made += len(said)
                applied += 1
                print(f"{time.monotonic() - began:6.2f}", "; ".join(said))
                notes = town.change_or_mend(wholly=applied % WHOLE == 0)
                print("      ", notes)
                oracle.as_declared(town)
                assert town.worker() == worker, f"a runtime change is enough for: {said}"
                assert found.failed == [], said
            oracle.serves_as_declared(town)
        town.none_lost(found)
        oracle.comes_back(town)
        town.apply()
        oracle.as_declared(town)
    print(
        f"{made} changes in {applied} applies, {time.monotonic() - began:.0f} s; {found.requests} requests: {found.asked}"
    )
