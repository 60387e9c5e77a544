"""A new master has what the node on its machine has, every byte of it checked, under a serial that nobody has used; killed anywhere, too."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from lbkit.base.clock import SystemClock
from lbkit.mirror.keeper.adopting import Adopting
from lbkit.mirror.keeper.rolling import folder_of
from lbkit.mirror.node.pulling import Pulling
from lbkit.mirror.sync.project import TRACE
from lbkit.mirror.sync.runs import Runs
from lbkit.mirror.tree.store import Store
from tests.mirror.keeper.killing import kills
from tests.mirror.tree.test_store import FIRST, SECOND, THIRD
from tests.mirror.tree.trees import Tree, found, made

TREES = {7: FIRST, 8: SECOND, 9: THIRD}


@dataclass
class World:
    mine: Store
    theirs: Store
    neighbour: Store
    runs: Runs
    known: int = 9

    def adopting(self) -> Adopting:
        return Adopting(
            Pulling("debian", self.mine, 3),
            self.theirs,
            self.runs,
            SystemClock(),
            lambda: self.known,
            [folder_of(self.neighbour)],
        )

    def tree(self, serial: int) -> Tree:
        tree = found(self.mine.tree(serial))
        tree.pop(os.fsencode(TRACE))
        return tree


@pytest.fixture
def world(tmp_path: Path) -> World:
    stores = {name: Store(tmp_path / name) for name in ("mine", "theirs", "neighbour")}
    for name, store in stores.items():
        store.root.mkdir()
        for serial, tree in TREES.items() if name != "mine" else ():
            for _ in made(store, serial, tree, tmp_path / "plain" / name / str(serial)):
                pass
    mine, theirs, neighbour = stores.values()
    return World(mine, theirs, neighbour, Runs(tmp_path / "runs", SystemClock()))


def test_the_newest_of_the_node_is_the_masters_first(world: World) -> None:
    assert world.adopting().wanted()
    run = world.adopting().adopt()
    assert (run.came, run.cause, run.before, run.after) == ("made", "promotion", 0, 1009)
    assert "generation 9 of the node on this machine" in run.why
    [generation] = world.mine.generations()
    theirs = world.theirs.find(9)
    assert theirs is not None
    assert (generation.digest, generation.parent, generation.run) == (theirs.digest, 9, run.id)
    assert world.tree(1009) == THIRD
    assert list(Pulling("debian", world.mine, 3).verify(1009)) == []
    own = os.stat(world.mine.tree(1009) / "a")
    assert own.st_ino == os.stat(world.theirs.tree(9) / "a").st_ino, "it is linked, and not copied"
    assert not world.adopting().wanted()


def test_its_serial_is_after_all_that_anybody_knows(world: World) -> None:
    world.known = 30
    run = world.adopting().adopt()
    assert run.after == 1030
    assert "serials up to 30 are known: what changed after 9 comes again" in run.why


def test_a_master_of_long_ago_takes_over_what_is_newer_than_its_own(world: World, tmp_path: Path) -> None:
    for _ in made(world.mine, 3, FIRST, tmp_path / "old"):
        pass
    assert world.adopting().wanted()
    run = world.adopting().adopt()
    assert (run.came, run.before, run.after) == ("made", 3, 1009)
    assert (world.tree(1009), [each.serial for each in world.mine.generations()]) == (THIRD, [3, 1009])


def test_what_is_damaged_comes_from_another_node(world: World) -> None:
    (world.theirs.tree(9) / "a").write_bytes(b"bad")
    run = world.adopting().adopt()
    assert (run.came, run.after) == ("made", 1009)
    assert world.tree(1009) == THIRD
    assert (world.theirs.tree(9) / "a").read_bytes() == b"bad", "the node's own is the node's"


def test_a_manifest_that_is_damaged_comes_from_another_node(world: World) -> None:
    world.theirs.manifest(9).write_bytes(b"zzz\td\n")
    assert world.adopting().adopt().after == 1009
    assert world.tree(1009) == THIRD


def test_where_it_cannot_be_had_whole_the_one_before_is(world: World) -> None:
    for store in (world.theirs, world.neighbour):
        (store.tree(9) / "a").unlink()
        (store.tree(9) / "a").write_bytes(b"bad")
    run = world.adopting().adopt()
    assert (run.came, run.after) == ("made", 1009)
    assert "generation 8 of the node" in run.why
    assert "9 could not be had whole" in run.why
    assert world.tree(1009) == SECOND


def test_where_none_can_be_had_nothing_stands(world: World) -> None:
    for store in (world.theirs, world.neighbour):
        for serial in TREES:
            shutil.rmtree(store.tree(serial))
            store.tree(serial).mkdir()
    run = world.adopting().adopt()
    assert run.came == "failed"
    assert "7 could not be had whole" in run.why
    assert world.mine.generations() == []
    assert world.adopting().wanted(), "and it is tried again"


def test_killed_at_any_step_it_is_all_there_or_is_done_anew(world: World) -> None:
    def work() -> None:
        world.mine.tidy()
        world.runs.settle()
        if world.adopting().wanted():
            assert world.adopting().adopt().came == "made"

    for _ in kills(work):
        world.mine.tidy()
        world.runs.settle()
        for each in world.mine.generations():
            assert (each.serial, world.tree(each.serial)) == (1009, THIRD)
        if world.mine.generations():
            shutil.rmtree(world.mine.root)  # once more from nothing, to be killed one step later
            world.mine.root.mkdir()
    assert world.tree(1009) == THIRD
