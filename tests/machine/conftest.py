from __future__ import annotations

from collections.abc import Iterator

import pytest

from lbkit.base.host import Host
from tests.machine import world


@pytest.fixture
def topology(host: Host, topology_name: str) -> Iterator[str]:
    """The name of a topology that the test may apply; afterwards nothing of it is left, which is a promise too."""
    yield topology_name
    world.apply(world.scope_of(topology_name), host, absent=True)
    assert world.left_behind(topology_name, host) == world.NOTHING
