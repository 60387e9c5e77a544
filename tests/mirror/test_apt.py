"""A Debian archive of real packages, mirrored, and apt as its client, through fifty publications and what goes wrong meanwhile.

In this archive a package's file is gone as soon as the next index is out, and clients ask without a pause.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

import lbkit
from lbkit.base.host import Host
from tests.machine.world import kill, until
from tests.mirror.debian import KEEPER, NODES, Client, Watched, World, cut_off, lags, meanwhile, standing

pytestmark = pytest.mark.sandbox

PUBLICATIONS = 50
PACE = 0.5  # seconds from one publication to the next


def left_out(world: World, clients: Sequence[Client], node: str) -> None:
    """It is so old that it may not serve any more, and nobody who comes now gets what it has."""
    number = NODES.index(node)
    stale = world.asked("status")["nodes"][node]["serving"]

    def go_on() -> bool:
        """Of what was published before, little may have come: upstream was seldom whole when somebody looked."""
        status = world.asked("status")
        if not status["wanted"] and status["running"] is None:
            world.publish()
        return bool(status["committed"]["serial"] > stale + 1)

    until(go_on, "the others go on")
    old = world.served()[number]
    under_way = [len(client.apt.seen) + 1 for client in clients]
    until(
        lambda: all(len(client.apt.seen) > seen + 3 for client, seen in zip(clients, under_way, strict=True)),
        "others come",
    )
    assert old == world.served()[number]
    for client, seen in zip(clients, under_way, strict=True):
        assert old not in client.apt.seen[seen:]


def test_apt_never_fails(
    tmp_path: Path, host: Host, topology_name: str, record_property: Callable[[str, object], None]
) -> None:
    with standing(topology_name, tmp_path, host) as world:
        clients = [Client(world, 1), Client(world, 2, by_hash=True)]
        watched = [Watched(store) for store in world.stores()]
        with clients[0], clients[1]:
            publish_all(world, clients, watched)
        runs = world.asked("log", last=1000)["runs"]
    assert [client.apt.failures for client in clients] == [[], []]
    assert [each.wrong for each in watched] == [[], [], [], []]
    assert {run["came"] for run in runs} <= {"made", "nothing", "partial", "killed"}
    assert any(run["came"] in {"made", "nothing"} for run in runs if run["began"] > world.pushed)
    record_property("publications that apt saw", [len(set(client.apt.seen)) for client in clients])
    record_property("sessions", [client.apt.downloads for client in clients])
    record_property("runs", dict(Counter(run["came"] for run in runs)))


def publish_all(world: World, clients: Sequence[Client], watched: Sequence[Watched]) -> None:
    works = [*(client.session for client in clients), *(each.look for each in watched)]
    pace = threading.Event()
    with meanwhile(*works), ExitStack() as lagging, ExitStack() as cut:
        for number in range(1, PUBLICATIONS + 1):
            match number:
                case 8:
                    lagging.enter_context(lags(world, "mirror-1"))
                case 18:
                    left_out(world, clients, "mirror-1")
                    lagging.close()
                case 22:
                    cut.enter_context(cut_off(world, "mirror-2"))
                case 34:
                    left_out(world, clients, "mirror-2")
                    cut.close()
                case 38:
                    kill(world.pid("store", KEEPER))
                case 41:
                    lbkit.apply(world.scope, world.host)
            if not 38 <= number < 41:
                world.publish()
            else:
                world.archive.publish()  # nobody hears of it: the next push has it, too
            pace.wait(PACE)
        until(lambda: world.served() == [world.archive.publication] * 3, "all serve the last")
        until(
            lambda: all(client.apt.seen[-1] == world.archive.publication for client in clients),
            "and clients get it",
        )
        until(world.rests, "nothing is left to do")


def test_a_machine_that_comes_again_and_again_gets_on(tmp_path: Path, host: Host, topology_name: str) -> None:
    """After each session's time it reads what serves then; what its older index named is there as long as that is kept."""
    with (
        standing(topology_name, tmp_path, host, session="2s", keep=20) as world,
        Client(world, 1, steady=True) as one,
        Client(world, 2, steady=True) as other,
    ):
        pace = threading.Event()
        with meanwhile(one.session, other.session):
            for _ in range(16):
                world.publish()
                pace.wait(PACE)
            until(lambda: one.apt.seen[-1] == other.apt.seen[-1] == 16, "both get the last")
    assert one.apt.failures == other.apt.failures == []
    assert one.apt.seen == sorted(one.apt.seen)
    assert len(set(one.apt.seen)) > 3
