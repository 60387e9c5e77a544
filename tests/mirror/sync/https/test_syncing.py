"""A sync from the web makes a whole generation or none; a run that was cut off, by anything, costs no byte that came."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import lbkit
from lbkit.base.clock import SystemClock
from lbkit.mirror.sync.guard import Guard
from lbkit.mirror.sync.https.fetcher import PARTIAL, Https
from lbkit.mirror.sync.project import TRACE, Project, Stage
from lbkit.mirror.sync.runs import Run, Runs
from lbkit.mirror.sync.syncing import Syncing
from lbkit.mirror.sync.upstream import Web as Upstream
from lbkit.mirror.tree.store import Store
from lbkit.mirror.tree.verify import damages
from tests.machine.world import until
from tests.mirror.sync.https.web import Order, Web, served
from tests.mirror.tree.trees import Tree, found

BIG = os.urandom(4 << 20)

KEEPER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.mirror.sync.https.test_syncing import syncing
print(syncing(Path(sys.argv[2]), int(sys.argv[3])).sync("schedule").came)
"""


def syncing(folder: Path, port: int) -> Syncing:
    store = Store(folder / "store", "iso")
    upstream = Upstream(f"http://127.0.0.1:{port}/pub/", "SHA256SUMS")
    fetcher = Https(upstream, store.root / PARTIAL, SystemClock(), pause=0.01)
    return Syncing(Project("iso", fetcher), store, Runs(folder / "runs", SystemClock()), SystemClock())


@dataclass
class World:
    folder: Path
    web: Web
    syncing: Syncing
    published: Tree = field(default_factory=dict)

    def publish(self, tree: Tree) -> None:
        self.web.files.clear()
        self.web.files.update(tree)
        self.web.sums()
        self.published = dict(self.web.files)

    def sync(self, *, anyway: bool = False) -> Run:
        run = self.syncing.sync("schedule", anyway=anyway)
        if run.came == "made":
            self.syncing.store.publish(run.after)
            assert self.tree(run.after) == self.published
        assert run.came != "made" or not list((self.syncing.store.root / PARTIAL).glob("*"))
        return run

    def tree(self, serial: int) -> Tree:
        store = self.syncing.store
        assert not list(damages(store.tree(serial), store.lines(serial), without=frozenset({TRACE.encode()})))
        tree = found(store.tree(serial))
        del tree[TRACE.encode()]
        return tree


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    (tmp_path / "store").mkdir()
    with served(Web()) as web:
        yield World(tmp_path, web, syncing(tmp_path, web.port))


def test_each_list_is_one_generation(world: World) -> None:
    world.publish({b"a": b"a", b"pool/b": BIG})
    assert world.syncing.plan().added.size == 1 + len(BIG) + len(world.web.files[b"SHA256SUMS"])
    run = world.sync()
    assert (run.came, run.after, run.added, [each.code for each in run.tries]) == ("made", 1, 3, [0])
    assert world.sync().came == "nothing"
    world.publish({b"a": b"A", b"new/b": BIG, b"c/d/e": b"e"})
    run = world.sync()
    assert (run.came, run.after, run.added, run.changed, run.deleted) == ("made", 2, 2, 2, 1)
    assert len(world.web.gets(b"pool/b")) + len(world.web.gets(b"new/b")) == 1
    world.publish({b"c": b"now a file"})
    assert world.sync().came == "made"


def test_it_is_fetched_stage_by_stage(world: World) -> None:
    project = replace(world.syncing.project, stages=(Stage("pool"), Stage("dists", contents=True), Stage()))
    world.syncing.project = project
    world.publish({b"dists/a": b"1", b"pool/a": b"22", b"pool/b": b"333"})
    assert world.sync().came == "made"
    assert [
        each.path for each in world.web.asked if each.method == "GET" and each.path in {b"dists/a", b"pool/a"}
    ] == [
        b"pool/a",
        b"dists/a",
    ]


def test_a_run_that_needed_several_tries_says_so(world: World) -> None:
    world.publish({b"a": BIG})
    world.web.orders[b"a"] = [Order(cut=2 << 20), Order(status=503)]
    run = world.sync()
    assert run.came == "made"
    assert [each.code for each in run.tries] == [18, 22, 0]
    assert "the host" not in run.tries[0].words
    assert "503" in run.tries[1].words


def test_what_is_half_there_is_never_published(world: World) -> None:
    world.publish({b"a": b"a"})
    world.sync()
    world.publish({b"a": b"A", b"b": BIG, b"c": b"c"})
    world.web.always[b"b"] = Order(status=404)
    run = world.sync()
    assert (run.came, run.after, [each.code for each in run.tries]) == ("partial", 0, [22])
    world.web.always[b"b"] = Order(wrong=True)
    run = world.sync()
    assert run.came == "partial"
    assert "other content than its list says" in run.why
    assert [each.serial for each in world.syncing.store.generations()] == [1]
    assert world.tree(1)[b"a"] == b"a"
    world.web.always.clear()
    assert world.sync().came == "made"
    assert [len(world.web.gets(path)) for path in (b"a", b"c")] == [2, 1], "once for each content"


def test_a_list_that_is_none_changes_nothing(world: World) -> None:
    world.publish({b"a": b"a"})
    world.sync()
    for content in (b"", b"<html>come back later</html>", b"0" * 64 + b"  ../../etc/passwd\n"):
        world.web.files[b"SHA256SUMS"] = content
        assert world.sync().came == "failed"
    assert [each.came for each in world.syncing.runs.all()] == ["failed"] * 3 + ["made"]


def test_a_list_that_lost_much_waits_for_a_persons_word(world: World) -> None:
    world.syncing.project = replace(world.syncing.project, guard=Guard(delete=0.3, shrink=0.3))
    world.publish({b"%d" % number: b"x" * 1000 for number in range(10)})
    world.sync()
    world.publish({b"1": b"x" * 1000})
    run = world.sync()
    assert run.came == "held"
    assert "`guard.delete`" in run.why
    world.publish({b"%d" % number: b"y" * 100 for number in range(10)})
    run = world.sync()
    assert "`guard.shrink` is 30.0%" in run.why, "sizes are known before"
    assert world.sync(anyway=True).came == "made"


def test_a_list_that_changes_meanwhile_is_had_as_it_is_in_the_end(world: World) -> None:
    world.publish({b"a": b"a", b"b": b"b"})
    world.web.after[b"b"] = lambda: world.publish({b"a": b"a", b"b": b"b", b"c": b"c"})
    run = world.sync()
    assert (run.came, run.after) == ("made", 1)
    assert b"c" in world.tree(1)


def test_the_window_ends_and_the_next_run_goes_on(world: World) -> None:
    world.publish({b"a": b"a", b"big": BIG})
    world.web.orders[b"big"] = [Order(slow=1 << 20)]
    world.syncing.until = lambda _cause: datetime.now(UTC) + timedelta(seconds=1)
    run = world.sync()
    assert (run.came, run.after) == ("paused", 0)
    assert "1 of 2 came" in run.why
    world.syncing.until = lambda _cause: None
    assert world.sync().came == "made"
    assert len(world.web.gets(b"a")) == 1
    assert max(each.start for each in world.web.gets(b"big")) > 0


def test_killed_in_the_middle_the_next_run_goes_on_from_there(world: World) -> None:
    world.publish({b"a": b"a", b"big": BIG})
    world.web.orders[b"big"] = [Order(slow=1 << 20)]
    argv = [
        sys.executable,
        "-c",
        KEEPER,
        str(Path(lbkit.__file__).parents[1]),
        str(world.folder),
        str(world.web.port),
    ]
    partial = world.folder / "store" / PARTIAL

    def came() -> int:
        return sum(file.stat().st_size for file in partial.glob("*.part"))

    with subprocess.Popen(argv) as process:
        until(lambda: came() > 500_000, "some of it came")
        process.send_signal(signal.SIGKILL)
    until(lambda: world.web.gets(b"big"), "curl died with it")
    had = came()
    assert [each.came for each in world.syncing.runs.settle()] == ["killed"]
    assert world.syncing.store.generations() == []
    assert world.sync().came == "made"
    last = world.web.gets(b"big")[-1]
    assert (last.start, last.sent) == (had, len(BIG) - had)
    assert len(world.web.gets(b"a")) == 1
