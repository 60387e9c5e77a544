"""Frontends that somebody closes at the runtime socket: seen, and opened again."""

from __future__ import annotations

import pytest

from lbkit.engine.change import Impact
from tests.haproxy.versions import VERSIONS, program
from tests.haproxy.world import World

pytestmark = pytest.mark.sandbox


@pytest.fixture(params=VERSIONS)
def served(world: World, request: pytest.FixtureRequest) -> World:
    world.data["machines"]["lb"]["count"] = 1
    world.data["machines"]["web"]["count"] = 1
    del world.shop["vip"]
    world.shop["program"] = str(program(request.param))
    world.apply()
    return world


def state(world: World) -> str:
    with world.haproxy("lb-1").runtime() as runtime:
        return next(row.status for row in runtime.stat() if (row.proxy, row.server) == ("http", "FRONTEND"))


@pytest.mark.parametrize(
    ("command", "closed", "impact"),
    [("disable", "PAUSED", Impact.HITLESS), ("shutdown", "STOP", Impact.RELOAD)],
)
def test_a_frontend_that_was_closed_by_hand_is_opened_again(
    served: World, command: str, closed: str, impact: Impact
) -> None:
    with served.haproxy("lb-1").runtime() as runtime:
        runtime.ask(f"{command} frontend http")
    assert state(served) == closed
    assert served.plan().impact == impact
    served.apply()
    assert state(served) == "OPEN"
    assert not served.plan()
