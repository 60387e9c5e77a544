"""What a node tells HAProxy while the keeper does not hear it, and after it was started anew."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from lbkit.base.files import FileFailure
from lbkit.mirror.node.agent import KEEPER, Agent
from lbkit.mirror.node.contact import LAPSES, Contact
from lbkit.mirror.node.pulling import Pulling
from lbkit.mirror.tree.store import Store
from tests.clocks import HandClock
from tests.mirror.tree.trees import made

OTHERS = ["b", "c", "d", "e"]


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = HandClock()
        self.others: dict[str, bool | None] = dict.fromkeys(OTHERS, False)
        store = Store(folder / "store")
        store.root.mkdir()
        for _ in made(store, 1, {b"a": b"1"}, folder / "plain"):
            pass
        self.begin()

    def begin(self) -> None:
        self.agent = Agent(
            Pulling("debian", Store(self.folder / "store"), 3),
            Contact(self.clock, 5.0),
            {},
            self.folder / "told",
            self.clock,
            OTHERS,
            lambda name: self.others[name],
        )
        self.agent.begin()

    def told(self, verdict: str) -> None:
        """By a keeper that hears the answer."""
        said = self.agent.answer(KEEPER, {"do": "tell", "verdict": verdict})
        self.agent.answer(KEEPER, {"do": "status", "heard": said["n"]})

    def asked(self) -> str:
        self.agent.listen_to_neighbours()
        return self.agent.verdict


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World(tmp_path)
    found.told("ready")
    return found


def test_what_it_was_told_holds_after_a_start_where_the_keeper_is_dead(world: World) -> None:
    assert world.agent.verdict == "ready"
    world.begin()
    assert world.asked() == "ready"
    world.told("drain")
    world.begin()
    assert world.asked() == "drain"


def test_all_are_asked_at_once(world: World) -> None:
    """However many do not answer: the keeper counts on how long that takes."""
    together = threading.Barrier(len(OTHERS), timeout=30)

    def ask(_name: str) -> bool | None:
        together.wait()
        return None

    world.agent.ask = ask
    world.clock.sleep(6)
    assert world.asked() == "drain"
    assert not together.broken


def test_what_a_keeper_that_dies_leaves_is_not_lost_though_one_knows_it_later(world: World) -> None:
    world.clock.sleep(5.5)
    world.others["b"] = True
    assert world.asked() == "drain"
    world.others["b"] = False
    assert world.asked() == "ready"


@pytest.mark.parametrize("restarted", [False, True])
def test_what_was_missed_while_it_was_cut_off_is_not_forgotten(world: World, *, restarted: bool) -> None:
    """Later the keeper dies, or others are cut off, too: nothing more is committed, and this one has still missed something."""
    world.clock.sleep(5 + LAPSES)
    world.others["b"] = True
    assert world.asked() == "drain"
    world.others["b"] = False
    if restarted:
        world.begin()
    assert world.asked() == "drain"
    world.told("ready")
    assert world.asked() == "ready", "by the keeper alone"


def test_a_disk_that_takes_nothing_keeps_no_verdict_back(world: World) -> None:
    os.rename(world.folder / "told", world.folder / "elsewhere")
    (world.folder / "told").mkdir()
    with pytest.raises(FileFailure, match="was to be"):
        world.told("drain")
    assert world.agent.verdict == "drain"
