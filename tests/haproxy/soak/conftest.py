from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbkit.base.host import Host
from tests.haproxy import versions
from tests.haproxy.soak.town import Town
from tests.haproxy.world import World, left_behind

CI = os.environ.get("CI") == "true"


@pytest.fixture(params=versions.VERSIONS)
def town(request: pytest.FixtureRequest, host: Host, topology_name: str, tmp_path: Path) -> Iterator[Town]:
    """Served by an HAProxy of each version. Afterwards nothing of it is left."""
    made = Town(topology_name, host, tmp_path, versions.program(request.param))
    made.apply()
    yield made
    # pytest shows it where a test failed
    told = made.instance.machine.log(made.instance.service, lines=400)
    print(*[line for line in told if " stopped " not in line and "Stopping" not in line][-60:], sep="\n")
    World(topology_name, host, made.data).destroy()
    assert left_behind(World(topology_name, host, made.data)) == []


@pytest.fixture
def seed() -> int:
    """Printed, so that a run that failed can be had again. CI has the same one each time."""
    made = int(os.environ.get("SOAK_SEED", "0")) or (1 if CI else secrets.randbelow(1_000_000))
    print(f"SOAK_SEED={made}")
    return made
