"""A sync makes a whole generation or none, whatever upstream does meanwhile; real rsync, real trees."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from lbkit.base.clock import SystemClock
from lbkit.mirror.sync.guard import Guard
from lbkit.mirror.sync.project import TRACE, Project, Stage
from lbkit.mirror.sync.rsync import Rsync
from lbkit.mirror.sync.runs import Run, Runs
from lbkit.mirror.sync.syncing import PASSES, Progress, Syncing
from lbkit.mirror.sync.upstream import Folder
from lbkit.mirror.tree.manifest import entry_of
from lbkit.mirror.tree.store import Store
from lbkit.mirror.tree.verify import damages
from tests.mirror.tree.trees import TIME, Tree, found, lay, put

FIRST: Tree = {b"pool/a": b"a1", b"pool/b": b"b1", b"dists/index": b"a1 b1", b"link": b"->pool/a"}


@dataclass
class World:
    upstream: Path
    store: Store
    runs: Runs
    project: Project
    at_each: Callable[[], None] = lambda: None

    def syncing(self) -> Syncing:
        told: Progress = lambda _files, _size: self.at_each()  # noqa: E731
        return Syncing(self.project, self.store, self.runs, SystemClock(), told)

    def sync(self, *, anyway: bool = False) -> Run:
        run = self.syncing().sync("person", anyway=anyway)
        if run.came == "made":
            self.store.publish(run.after)
            self.store.prune(self.project.keep)
        return run

    def change(self, tree: Tree) -> None:
        for path, content in tree.items():
            here = os.path.join(os.fsencode(self.upstream), path)
            if os.path.lexists(here):
                os.unlink(here)
            os.makedirs(os.path.dirname(here), exist_ok=True)
            put(here, content)

    def tree(self, serial: int) -> Tree:
        tree = found(self.store.tree(serial))
        assert json.loads(tree.pop(TRACE.encode()))["serial"] == serial
        assert (
            list(
                damages(
                    self.store.tree(serial), self.store.lines(serial), without=frozenset({TRACE.encode()})
                )
            )
            == []
        )
        return tree


@pytest.fixture
def world(tmp_path: Path) -> World:
    lay(tmp_path / "upstream", FIRST)
    (tmp_path / "store").mkdir()
    project = Project("debian", Rsync(Folder(str(tmp_path / "upstream").lstrip("/"))))
    return World(
        tmp_path / "upstream", Store(tmp_path / "store"), Runs(tmp_path / "runs", SystemClock()), project
    )


def test_the_first_sync_has_all_of_it_and_the_second_nothing_to_do(world: World) -> None:
    assert world.syncing().plan().added.files == 4
    run = world.sync()
    assert (run.came, run.before, run.after, run.added, run.fetched) == ("made", 0, 1, 4, 9)
    assert world.tree(1) == FIRST
    assert world.store.find(1).digest == run.digest  # type: ignore[union-attr]
    assert not world.syncing().plan()
    again = world.sync()
    assert (again.came, again.after) == ("nothing", 0)
    assert [each.serial for each in world.store.generations()] == [1]
    assert [each.came for each in world.runs.all()] == ["nothing", "made"]


def test_each_change_is_one_generation_and_the_ones_before_stay(world: World) -> None:
    trees = {1: dict(FIRST)}
    world.sync()
    for serial in range(2, 9):
        tree = dict(trees[serial - 1])
        tree[b"pool/new%d" % serial] = b"n%d" % serial
        tree[b"dists/index"] = b"index %d" % serial  # of the same size, rewritten within the same second
        gone = tree.pop(b"pool/new%d" % (serial - 2), None)
        trees[serial] = tree
        shutil.rmtree(world.upstream)
        lay(world.upstream, tree)
        world.project = replace(world.project, stages=(Stage("pool"), Stage("dists", contents=True), Stage()))
        run = world.sync()
        assert (run.came, run.after, run.added, run.changed, run.deleted) == (
            "made",
            serial,
            1,
            1,
            int(gone is not None),
        )
        for each in world.store.generations():
            assert world.tree(each.serial) == trees[each.serial]
    assert [each.serial for each in world.store.generations()] == [6, 7, 8]


def test_a_sync_that_would_lose_much_waits_for_a_persons_word(world: World) -> None:
    world.project = replace(world.project, guard=Guard(delete=0.3))
    world.sync()
    shutil.rmtree(world.upstream / "pool")
    (world.upstream / "link").unlink()
    run = world.sync()
    assert run.came == "held"
    assert "it would delete 3 of 4 files, 75.0%" in run.why
    assert world.store.serving() == 1
    assert world.sync(anyway=True).came == "made"
    assert world.tree(2) == {b"dists/index": b"a1 b1"}


def test_an_upstream_that_changes_meanwhile_is_had_as_it_is_in_the_end(world: World) -> None:
    changes = iter(
        [
            {b"pool/c": b"late", b"dists/index": b"a1 b1 c"},
            {b"pool/a": b"a2, larger"},
            {b"new/folder/x": b"x"},
        ]
    )

    def change() -> None:
        if (tree := next(changes, None)) is not None:
            world.change(tree)

    world.at_each = change
    run = world.sync()
    assert run.came == "made"
    assert world.tree(1) == found(world.upstream)
    assert b"new/folder/x" in world.tree(1)


def test_an_upstream_that_never_stands_still_is_no_generation(world: World) -> None:
    world.sync()
    number = 0

    def change() -> None:
        nonlocal number
        number += 1
        world.change({b"pool/n%d" % number: b"n" * number})

    world.change({b"pool/more": b"1"})
    world.at_each = change
    run = world.sync()
    assert (run.came, run.after) == ("partial", 0)
    assert f"{PASSES} times" in run.why
    assert world.store.serving() == 1
    assert world.tree(1) == FIRST
    world.at_each = lambda: None
    assert world.sync().came == "made"
    assert world.tree(2) == found(world.upstream)


def test_an_upstream_that_says_that_it_updates_itself_is_waited_for(world: World) -> None:
    world.project = replace(world.project, markers=("Archive-Update-in-Progress-*",))
    world.sync()
    world.change({b"Archive-Update-in-Progress-host": b"", b"pool/a": b"half"})
    run = world.sync()
    assert run.came == "partial"
    assert "Archive-Update-in-Progress-host is there" in run.why
    (world.upstream / "Archive-Update-in-Progress-host").unlink()
    assert world.sync().came == "made"


def test_no_upstream_leaves_what_stands(world: World) -> None:
    world.sync()
    os.rename(world.upstream, world.upstream.with_name("away"))
    run = world.sync()
    assert (run.came, [each.code for each in run.tries]) == ("partial", [23])
    assert world.store.serving() == 1
    assert world.tree(1) == FIRST


def test_what_somebody_removed_from_a_generation_is_fetched_again(world: World) -> None:
    world.sync()
    (world.store.tree(1) / "pool" / "b").unlink()
    world.change({b"pool/a": b"a two"})
    run = world.sync()
    assert run.came == "made"
    assert world.tree(2) == {**FIRST, b"pool/a": b"a two"}


def test_a_link_that_leads_out_does_not_come(world: World) -> None:
    world.change({b"out": b"->/etc/passwd", b"pool/up": b"->../../x"})
    assert world.sync().came == "made"
    assert world.tree(1) == FIRST


def test_a_change_of_mode_or_time_alone_touches_no_older_generation(world: World) -> None:
    world.sync()
    os.chmod(world.upstream / "pool" / "a", 0o755)
    os.utime(world.upstream / "pool" / "b", (TIME + 5, TIME + 5))
    assert world.sync().came == "made"
    entries = {
        serial: {entry.path: (entry.mode, entry.mtime) for entry in map(entry_of, world.store.lines(serial))}
        for serial in (1, 2)
    }
    assert (entries[1][b"pool/a"], entries[1][b"pool/b"]) == ((0o644, TIME), (0o644, TIME))
    assert (entries[2][b"pool/a"], entries[2][b"pool/b"]) == ((0o755, TIME), (0o644, TIME + 5))
    assert world.tree(1) == world.tree(2) == FIRST


def test_a_killed_run_is_told_as_such(world: World) -> None:
    run = world.runs.begin("schedule", 0)
    [killed] = world.runs.settle()
    assert (killed.id, killed.came) == (run.id, "killed")
    assert world.runs.settle() == []
    assert [each.came for each in world.runs.all()] == ["killed"]


def test_pushes_are_counted_on_the_disk(world: World) -> None:
    assert [world.runs.wanted(), world.runs.want(), world.runs.want()] == [0, 1, 2]
    assert Runs(world.runs.folder, SystemClock()).wanted() == 2


def test_what_came_before_a_cut_is_held_against_upstream_and_not_sent_again(
    world: World, tmp_path: Path
) -> None:
    large = os.urandom(1 << 20)
    world.change({b"pool/large": large})
    log = tmp_path / "log"
    program = tmp_path / "rsync"
    program.write_text(
        "#!/bin/sh\n"
        'case "$*" in *--files-from*) [ -e "$0.cut" ] && { rm "$0.cut"; rsync "$@"; exit 30; } ;; esac\n'
        f'exec rsync "$@" --no-whole-file --log-file={log} --log-file-format="%n %b"\n'
    )
    program.chmod(0o755)
    world.project = replace(world.project, fetcher=replace(world.project.fetcher, program=str(program)))  # type: ignore[type-var]
    (tmp_path / "rsync.cut").touch()
    assert world.sync().came == "failed"
    world.change({b"pool/a": b"another"})  # what was got is old by now
    assert world.sync().came == "made"
    assert world.tree(1) == {**FIRST, b"pool/large": large, b"pool/a": b"another"}
    sent = {
        line.split()[-2]: int(line.split()[-1]) for line in log.read_text().splitlines() if "pool/" in line
    }
    assert 0 < sent["pool/large"] < len(large) // 10
    world.store.tidy()
    assert not world.store.left.exists()
