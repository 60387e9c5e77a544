"""Which generation is gone back to; and that it is whole, or none, whenever the keeper is killed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from lbkit.base.clock import SystemClock
from lbkit.base.errors import Mistake
from lbkit.mirror.keeper.hold import Hold
from lbkit.mirror.keeper.rolling import Rolling
from lbkit.mirror.node.pulling import Pulling
from lbkit.mirror.sync.project import TRACE
from lbkit.mirror.sync.runs import Runs
from lbkit.mirror.tree.store import Store
from tests.mirror.keeper.killing import kills
from tests.mirror.tree.test_store import FIRST, SECOND, THIRD
from tests.mirror.tree.trees import Tree, found, made


@dataclass
class World:
    store: Store
    rolling: Rolling
    folder: Path

    def make(self, serial: int, tree: Tree, keep: int = 3) -> None:
        for _ in made(self.store, serial, tree, self.folder / "plain" / str(serial), keep=keep):
            pass

    def tree(self, serial: int) -> Tree:
        tree = found(self.store.tree(serial))
        tree.pop(os.fsencode(TRACE), None)
        return tree

    def target(self, serial: int | None = None) -> int:
        newest = self.store.generations()[-1]
        return self.rolling.target(serial, (newest.serial, newest.digest)).serial


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "store").mkdir()
    store, runs = Store(tmp_path / "store"), Runs(tmp_path / "runs", SystemClock())
    rolling = Rolling(Pulling("debian", store, 3), runs, SystemClock(), Hold(tmp_path / "runs" / "held"))
    return World(store, rolling, tmp_path)


def test_by_default_it_is_the_one_before_of_other_content(world: World) -> None:
    for serial, tree in enumerate((FIRST, SECOND, SECOND), 1):
        world.make(serial, tree)
    assert world.target() == 1
    assert world.target(2) == 2
    with pytest.raises(Mistake, match="these stand: 1, 2, 3"):
        world.target(4)


def test_said_twice_it_goes_one_further(world: World) -> None:
    for serial, tree in enumerate((FIRST, SECOND, THIRD), 1):
        world.make(serial, tree)
    for serial, tree in ((4, SECOND), (5, FIRST)):
        to = world.store.find(world.target())
        assert to is not None
        world.rolling.held(to)
        assert world.target() == to.serial, "what was cut off is what it goes to"
        run = world.rolling.back(to)
        assert (run.came, run.after, world.tree(serial)) == ("made", serial, tree)
    with pytest.raises(Mistake, match="a generation before the committed one"):
        world.target()


def test_without_any_it_is_said(world: World) -> None:
    with pytest.raises(Mistake, match="these stand: none"):
        world.rolling.target(None, None)


def test_what_is_the_newest_already_is_not_made_again(world: World) -> None:
    world.make(1, FIRST)
    to = world.store.find(1)
    assert to is not None
    assert world.rolling.back(to).came == "nothing"


def test_a_serial_that_another_master_made_is_passed(world: World) -> None:
    for serial, tree in enumerate((FIRST, SECOND), 1):
        world.make(serial, tree)
    world.rolling.known = lambda: 7
    to = world.store.find(1)
    assert to is not None
    assert world.rolling.back(to).after == 1007


def test_killed_at_any_step_it_is_whole_or_not_at_all(world: World) -> None:
    for serial, tree in enumerate((FIRST, SECOND, THIRD), 1):
        world.make(serial, tree)
    to = world.store.find(1)
    assert to is not None

    def work() -> None:
        world.store.tidy()
        world.rolling.runs.settle()
        world.rolling.held(to)
        assert world.rolling.back(to).came in {"made", "nothing"}

    trees = {1: FIRST, 2: SECOND, 3: THIRD, 4: FIRST}
    for _ in kills(work):
        world.store.tidy()
        serials = [each.serial for each in world.store.generations()]
        assert serials in ([1, 2, 3], [1, 2, 3, 4])
        assert {serial: world.tree(serial) for serial in serials} == {
            serial: trees[serial] for serial in serials
        }
    assert world.tree(4) == FIRST
    held = world.rolling.hold.found()
    assert held is not None
    assert held.serial == 1
