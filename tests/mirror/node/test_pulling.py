"""A node has just what the master committed, or nothing of it; real rsync, real trees."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from lbkit.base.errors import Failure
from lbkit.mirror.node.pulling import Pulling
from lbkit.mirror.sync.project import TRACE
from lbkit.mirror.sync.upstream import Folder
from lbkit.mirror.tree.difference import Difference
from lbkit.mirror.tree.generation import Generation
from lbkit.mirror.tree.store import Store
from tests.mirror.tree.test_store import FIRST, SECOND, THIRD
from tests.mirror.tree.trees import Tree, found, made

TREES = {1: FIRST, 2: SECOND, 3: THIRD, 4: FIRST, 5: {**FIRST, b"more": b"m"}, 6: SECOND}


@dataclass
class Fleet:
    folder: Path
    master: Store
    node: Store

    @property
    def source(self) -> Folder:
        return Folder(str(self.master.root).lstrip("/"))

    @property
    def pulling(self) -> Pulling:
        return Pulling("debian", self.node, 3)

    def make(self, serial: int) -> Generation:
        for _ in made(self.master, serial, TREES[serial], self.folder / str(serial)):
            pass
        generation = self.master.find(serial)
        assert generation is not None
        return generation

    def tree(self, serial: int) -> Tree:
        tree = found(self.node.tree(serial))
        assert tree.pop(os.fsencode(TRACE)).startswith(b"{")
        return tree


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    for name in ("master", "node"):
        (tmp_path / name).mkdir()
    return Fleet(tmp_path, Store(tmp_path / "master"), Store(tmp_path / "node"))


def test_a_node_follows_its_master(fleet: Fleet) -> None:
    for serial, tree in TREES.items():
        generation = fleet.make(serial)
        fleet.pulling.prepare(generation, [fleet.source])
        assert fleet.node.serving() == max(0, serial - 1)
        fleet.node.publish(serial)
        fleet.node.prune(3)
        assert fleet.node.generations() == fleet.master.generations()
        assert fleet.tree(serial) == tree
        assert list(fleet.pulling.verify(serial)) == []
        fleet.pulling.prepare(generation, [])


def test_one_that_was_away_gets_the_newest_alone(fleet: Fleet) -> None:
    fleet.pulling.prepare(fleet.make(1), [fleet.source])
    for serial in (2, 3, 4):
        fleet.make(serial)
    fleet.pulling.prepare(fleet.make(5), [fleet.source])
    assert fleet.tree(5) == TREES[5]
    assert os.stat(fleet.node.tree(1) / "a").st_ino == os.stat(fleet.node.tree(5) / "a").st_ino, "it was here"


def test_what_the_manifest_has_otherwise_is_enough(fleet: Fleet) -> None:
    fleet.pulling.prepare(fleet.make(1), [fleet.source])
    generation = fleet.make(2)
    told = Difference.of(fleet.master, generation)
    assert told is not None
    assert Difference.from_data(json.loads(json.dumps(told.as_data()))) == told
    os.rename(fleet.master.manifest(2), fleet.folder / "manifest")
    for wrong in (Difference(1, b""), Difference(7, told.orders), Difference(1, b"nonsense\n")):
        with pytest.raises(Failure, match="the manifest of generation 2 was to be got"):
            fleet.pulling.prepare(generation, [fleet.source], difference=wrong)
    fleet.pulling.prepare(generation, [fleet.source], difference=told)
    assert fleet.tree(2) == TREES[2]
    assert fleet.node.manifest(2).read_bytes() == (fleet.folder / "manifest").read_bytes()


def test_a_wrong_or_long_difference_is_none_and_the_manifest_is_got(fleet: Fleet) -> None:
    assert Difference.of(fleet.master, fleet.make(1)) is None, "it was made from nothing"
    fleet.pulling.prepare(fleet.master.generations()[0], [fleet.source])
    fleet.pulling.prepare(fleet.make(2), [fleet.source], difference=Difference(1, b"-none\n"))
    assert fleet.tree(2) == TREES[2]
    bad: list[object] = [None, {}, {"base": 1, "orders": "*"}, {"base": "x", "orders": ""}, [], 1]
    assert {Difference.from_data(each) for each in bad} == {None}


def test_what_comes_damaged_is_no_generation(fleet: Fleet) -> None:
    fleet.pulling.prepare(fleet.make(1), [fleet.source])
    generation = fleet.make(2)
    (fleet.master.tree(2) / "pool" / "deep" / "z").write_bytes(b"y")
    with pytest.raises(Failure, match="1 did not come as they should: pool/deep/z"):
        fleet.pulling.prepare(generation, [fleet.source])
    assert [each.serial for each in fleet.node.generations()] == [1]
    (fleet.master.tree(2) / "pool" / "deep" / "z").write_bytes(b"z")
    fleet.pulling.prepare(generation, [fleet.source])
    assert fleet.tree(2) == SECOND


def test_the_next_source_has_what_the_first_has_not(fleet: Fleet, tmp_path: Path) -> None:
    generation = fleet.make(1)
    (tmp_path / "second").mkdir()
    second = Store(tmp_path / "second")
    Pulling("debian", second, 3).prepare(generation, [fleet.source])
    (fleet.master.tree(1) / "a").unlink()
    fleet.pulling.prepare(generation, [Folder("no/such"), fleet.source, Folder(str(second.root).lstrip("/"))])
    assert fleet.tree(1) == FIRST


def test_a_manifest_that_is_another_is_not_believed(fleet: Fleet) -> None:
    generation = fleet.make(1)
    with fleet.master.manifest(1).open("ab") as stream:
        stream.write(b"zzz\td\n")
    with pytest.raises(Failure, match="gave another one"):
        fleet.pulling.prepare(generation, [fleet.source])
    assert fleet.node.generations() == []


def test_another_generation_of_the_same_serial_is_not_taken_for_it(fleet: Fleet) -> None:
    generation = fleet.make(1)
    fleet.pulling.prepare(generation, [fleet.source])
    with pytest.raises(Failure, match="another one of that serial"):
        fleet.pulling.prepare(Generation(1, "0" * 64, 1, 1, 0.0), [fleet.source])


def test_rot_is_found_and_just_that_is_mended(fleet: Fleet) -> None:
    for serial in (1, 2):
        fleet.pulling.prepare(fleet.make(serial), [fleet.source])
    tree = fleet.node.tree(2)
    assert os.stat(tree / "pool/x").st_nlink == 2
    (tree / "pool/x").write_bytes(b"x2")  # in place: in both generations
    (tree / "a").unlink()
    (tree / "foreign").write_bytes(b"f")
    (tree / "link").unlink()
    damage = {each.path: each.fault for each in fleet.pulling.verify(2)}
    assert damage == {b"a": "missing", b"foreign": "foreign", b"link": "missing", b"pool/x": "damaged"}
    kept = os.stat(tree / "pool/deep/z").st_ino
    assert fleet.pulling.mend(2, list(fleet.pulling.verify(2)), [fleet.source]) == 2
    assert list(fleet.pulling.verify(2)) == []
    assert list(fleet.pulling.verify(1)) == [], "it was the same file"
    assert fleet.tree(2) == SECOND
    assert os.stat(tree / "pool/deep/z").st_ino == kept
    assert os.stat(tree / "pool/x").st_nlink == 2


def test_what_came_before_a_cut_is_not_got_again(fleet: Fleet) -> None:
    """Whoever killed it: the files that were whole are taken over, each by its digest."""
    wanted = fleet.make(1)
    gone = fleet.master.tree(1) / "pool"
    gone.rename(fleet.folder / "pool")
    with pytest.raises(Failure, match="did not come"):
        fleet.pulling.prepare(wanted, [fleet.source])
    (fleet.folder / "pool").rename(gone)
    left = fleet.node.root / "work" / "tree" / "a"
    assert left.read_bytes() == FIRST[b"a"]
    (fleet.master.tree(1) / "a").unlink()  # only what was left has it
    fleet.pulling.prepare(wanted, [fleet.source])
    assert fleet.tree(1) == FIRST
    assert list(fleet.pulling.verify(1)) == []
    fleet.node.tidy()
    assert not fleet.node.left.exists()


def test_what_was_left_is_not_believed(fleet: Fleet) -> None:
    wanted = fleet.make(1)
    for name, content in ((b"a", b"X" * len(FIRST[b"a"])), (b"pool", b"no folder")):
        place = Path(os.fsdecode(os.path.join(os.fsencode(fleet.node.left), name)))
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(content)
    fleet.pulling.prepare(wanted, [fleet.source])
    assert fleet.tree(1) == FIRST
    assert not fleet.node.left.exists()


def test_what_was_left_and_is_a_generations_own_is_not_touched(fleet: Fleet) -> None:
    fleet.pulling.prepare(fleet.make(1), [fleet.source])
    before = os.stat(fleet.node.tree(1) / "a")
    fleet.node.left.mkdir()
    os.link(fleet.node.tree(1) / "a", fleet.node.left / "pool")
    fleet.pulling.prepare(fleet.make(2), [fleet.source])
    assert os.stat(fleet.node.tree(1) / "a").st_mtime_ns == before.st_mtime_ns
    assert fleet.tree(2) == SECOND
