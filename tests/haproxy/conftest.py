from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lbkit.base.host import Host
from tests.haproxy import versions
from tests.haproxy.world import World, left_behind


@pytest.fixture
def world(host: Host, topology_name: str) -> Iterator[World]:
    """A topology that the test may apply. Afterwards nothing of it is left, which is a promise too."""
    made = World(topology_name, host)
    yield made
    made.destroy()
    assert left_behind(made) == []


@pytest.fixture
def haproxy_program() -> Callable[[str], Path]:
    """From "2.6" or "3.0" to an HAProxy of that version. Both are there after `make setup`."""
    return versions.program
