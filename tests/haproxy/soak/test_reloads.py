"""Reloads, one after the other, under load: no request is lost, and the workers that are replaced leave."""

from __future__ import annotations

import random

import pytest

from tests.haproxy.soak import oracle
from tests.haproxy.soak.apps import GOOD
from tests.haproxy.soak.changes import Changes
from tests.haproxy.soak.load import Load, load
from tests.haproxy.soak.town import Town, server
from tests.haproxy.world import until

# one after the other: side by side they would have each other wait
pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("soak")]

RELOADS = 20


def test_reloads_lose_no_request_and_replaced_workers_leave(town: Town, seed: int) -> None:
    """With changes of each kind in the same apply; among them servers that come with the reload alone, dead ones too."""
    chance = random.Random(seed)
    changes = Changes(town, chance)
    kept = town.shop["backends"]["kept"]["servers"]
    found = Load()
    with load(town.folder, seed=seed, to=found):
        for number in range(RELOADS):
            worker = town.worker()
            said = [changes.one() for _ in range(chance.randint(0, 4))]
            town.shop["maxconn"] = 2000 + number
            if number % 5 == 3:  # one with a cookie: 2.6 adds it with a reload
                taken = {each["port"] for each in kept}
                port = next(port for port in GOOD["kept"] if port not in taken)
                kept.append(server(f"k{number}", port if number % 2 else 9600))
            print(number, "; ".join(said))
            notes = town.change_or_mend(wholly=number % 4 == 0)
            print("      ", notes)
            assert town.worker() != worker
            oracle.as_declared(town)
            town.none_lost(found)
        oracle.serves_as_declared(town)
        until(lambda: len(town.processes()) == 2, "the master and one worker are left")
    town.none_lost(found)
    oracle.comes_back(town)
    print(f"{RELOADS} reloads, {found.requests} requests: {found.asked}")
