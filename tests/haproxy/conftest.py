from __future__ import annotations

from collections.abc import Iterator

import pytest

from lbkit.base.host import Host
from tests.haproxy.world import World, left_behind


@pytest.fixture
def world(host: Host, topology_name: str) -> Iterator[World]:
    """A topology that the test may apply. Afterwards nothing of it is left, which is a promise too."""
    made = World(topology_name, host)
    yield made
    made.destroy()
    assert left_behind(made) == []
