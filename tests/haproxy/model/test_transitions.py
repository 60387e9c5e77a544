"""From any state to any other, as an apply does it, at the model: what must never happen, and what must be in the end."""

from __future__ import annotations

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from lbkit.haproxy.transition.planner import Way
from lbkit.haproxy.transition.state import Wanted
from tests.haproxy.model.documents import by_hand, documents, places
from tests.haproxy.model.planned import Lbkit, serving, started, wanted
from tests.haproxy.model.world import Place
from tests.haproxy.topologies import Document
from tests.haproxy.versions import VERSIONS

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
versions = st.sampled_from(VERSIONS)


def watch(lbkit: Lbkit, want: Wanted) -> None:
    """From now on: backends that serve, and are to go on serving, have to."""
    stay = set()
    for name in want.servers:
        server = want.server(name)
        if server.admin == "ready" and server.weight != 0:
            stay.add(name.partition("/")[0])
    now = serving(lbkit)
    worker = lbkit.machine.worker
    # who has served without a check serves on when it gets one
    lbkit.world.proven |= {server.place for server in worker.servers.values() if server.usable}  # type: ignore[union-attr]
    lbkit.world.watched = frozenset(backend for backend in stay if now.get(backend))
    lbkit.world.harm.clear()
    lbkit.world.happened.clear()


def unharmed(lbkit: Lbkit) -> None:
    assert not lbkit.world.harm, "\n".join([*lbkit.world.harm, *lbkit.world.happened])


@SETTINGS
@given(first=documents(), then=documents(), version=versions, dead=places())
def test_no_request_is_lost_on_the_way_to_another_configuration(
    first: Document, then: Document, version: str, dead: set[Place]
) -> None:
    lbkit = started(wanted(first), version=version)
    want = wanted(then)
    used = {server.place for server in lbkit.machine.worker.servers.values()}  # type: ignore[union-attr]
    lbkit.world.dead = dead - used
    watch(lbkit, want)
    done = lbkit.apply(want)
    event(str(done.way.way))
    unharmed(lbkit)
    lbkit.world.dead = set()
    lbkit.world.pass_time(5)
    unharmed(lbkit)
    lbkit.settles(want)
    unharmed(lbkit)


@SETTINGS
@given(
    first=documents(),
    then=documents(),
    last=documents(),
    version=versions,
    life=st.integers(0, 25),
    hand=by_hand(),
)
def test_from_wherever_it_was_left_the_next_apply_goes_on(
    first: Document, then: Document, last: Document, version: str, life: int, hand: list[str]
) -> None:
    lbkit = started(wanted(first), version=version)
    watch(lbkit, wanted(then))
    lbkit.apply(wanted(then), life=life)
    unharmed(lbkit)
    for command in hand:
        lbkit.machine.worker.answer(command, None)  # type: ignore[union-attr]
    want = wanted(last)
    watch(lbkit, want)
    done = lbkit.apply(want)
    unharmed(lbkit)
    if done.failure:  # of who would have to serve all are drained by hand, and stay so
        assert "another server up" in done.failure, done.failure
        assert want.by_hand == "keep"
        return
    if want.by_hand == "undo":
        lbkit.settles(want)
    assert lbkit.plan(want).way is Way.NOTHING
    unharmed(lbkit)
