"""While files come, a glance at upstream spares the look after them; and whatever upstream does then, that is not what it spares."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from lbkit.base.clock import SystemClock
from lbkit.mirror.sync.glance import Glance
from lbkit.mirror.sync.itemized import Item
from lbkit.mirror.sync.project import Project
from lbkit.mirror.sync.rsync import Rsync, RsyncFailed
from lbkit.mirror.sync.runs import Runs
from lbkit.mirror.sync.upstream import Folder, RsyncDaemon
from lbkit.mirror.tree.manifest import Entry
from lbkit.mirror.tree.store import Store
from tests.clocks import HandClock
from tests.machine.world import until
from tests.mirror.serving.world import free_port, listens
from tests.mirror.sync.test_syncing import World
from tests.mirror.tree.trees import TIME, Tree, found, lay

LARGE: Tree = {b"pool/%02d" % number: b"%d" % number for number in range(40)} | {b"link": b"->pool/00"}
CHANGED: Tree = {b"pool/07": b"seven, anew", b"pool/new": b"new"}


def nothing() -> None:
    """Upstream stands still."""


@dataclass
class Watched:
    """rsync, with what happens at upstream before it glances, after that, and before it gets what it is to; and how often it looked."""

    real: Rsync
    before_glance: Callable[[], None] = nothing
    after_glance: Callable[[], None] = nothing
    before_get: Callable[[], None] = nothing
    looks: list[Path] = field(default_factory=list)
    glances: list[object] = field(default_factory=list)
    goes_on: ClassVar[bool] = True

    def compare(self, tree: Path, **options: Any) -> Iterable[Item]:
        self.looks.append(tree)
        return self.real.compare(tree, **options)

    def glance(self, tree: Path) -> tuple[list[Item], int] | None:
        self.before_glance()
        self.glances.append(self.real.glance(tree))
        self.after_glance()
        return self.glances[-1]  # type: ignore[return-value]

    def get(self, paths: Iterable[bytes], tree: Path, **options: Any) -> None:
        self.before_get()
        self.real.get(paths, tree, **options)

    def settle(self) -> None: ...


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(Rsync(Folder(str(tmp_path / "upstream").lstrip("/")), connections=2))


@pytest.fixture
def world(tmp_path: Path, watched: Watched) -> World:
    """Synced once, and changed a little since."""
    lay(tmp_path / "upstream", LARGE)
    (tmp_path / "store").mkdir()
    world = World(
        tmp_path / "upstream",
        Store(tmp_path / "store"),
        Runs(tmp_path / "runs", SystemClock()),
        Project("debian", watched),
    )
    assert world.sync().came == "made"
    assert watched.glances == [], "all of it came: a look takes the shorter part"
    world.change(CHANGED)
    watched.looks.clear()
    return world


def test_one_look_is_enough_where_upstream_stands_still(world: World, watched: Watched) -> None:
    assert world.sync().came == "made"
    assert world.tree(2) == LARGE | CHANGED
    assert watched.looks == [world.store.tree(1)]
    assert len(watched.glances) == 1


def test_one_connection_is_one(world: World, watched: Watched) -> None:
    watched.real = replace(watched.real, connections=1)
    assert world.sync().came == "made"
    assert watched.glances == [None]
    assert len(watched.looks) == 2


def test_folders_come_and_go_under_a_glance(world: World, watched: Watched) -> None:
    world.change({b"more/deep/x": b"x", b"more/y": b"y"})
    assert world.sync().came == "made"
    shutil.rmtree(world.upstream / "more")
    assert world.sync().came == "made"
    assert world.tree(3) == found(world.upstream)
    assert watched.looks == [world.store.tree(1), world.store.tree(2)]
    assert len(watched.glances) == 2


def later(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    os.utime(path, (TIME + 9, TIME + 9))


def relink(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


HAPPENINGS: dict[str, Callable[[Path], None]] = {
    "a file is otherwise": lambda up: later(up / "pool" / "20", b"20, anew"),
    "a file is otherwise that comes": lambda up: later(up / "pool" / "07", b"seven once more"),
    "a file is otherwise that comes, of the same size": lambda up: later(up / "pool" / "new", b"wen"),
    "a file has gone": lambda up: (up / "pool" / "20").unlink(),
    "a file has gone and another one is new": lambda up: os.rename(up / "pool" / "20", up / "pool" / "a"),
    "a file is new": lambda up: later(up / "pool" / "20a", b"x"),
    "a folder is new": lambda up: (up / "empty").mkdir(),
    "a link is new": lambda up: os.symlink("pool/01", up / "link 2"),
    "a link leads elsewhere": lambda up: relink(up / "link", "pool/01"),
}


@pytest.mark.parametrize("happens", HAPPENINGS.values(), ids=HAPPENINGS)
@pytest.mark.parametrize("when", ["before_glance", "before_get"])
def test_whatever_changes_meanwhile_is_seen(
    world: World, watched: Watched, happens: Callable[[Path], None], when: str
) -> None:
    setattr(watched, when, once(lambda: happens(world.upstream)))
    if when == "before_get":  # it glances once that has been
        watched.before_glance = lambda: until(lambda: happened(watched.before_get), "it happens")
    assert world.sync().came == "made"
    assert world.tree(2) == found(world.upstream)
    assert len(watched.looks) > 1


@pytest.mark.parametrize(
    "name", ["a file is otherwise that comes", "a file is otherwise that comes, of the same size"]
)
def test_what_changes_between_the_glance_and_its_coming_is_seen(
    world: World, watched: Watched, name: str
) -> None:
    watched.after_glance = once(lambda: HAPPENINGS[name](world.upstream))
    watched.before_get = lambda: until(lambda: happened(watched.after_glance), "it happens")
    assert world.sync().came == "made"
    assert world.tree(2) == found(world.upstream)


def test_a_tree_is_one_of_upstreams_whatever_changes_after_the_glance(world: World, watched: Watched) -> None:
    before = found(world.upstream)
    watched.after_glance = once(lambda: HAPPENINGS["a file is otherwise"](world.upstream))
    watched.before_get = lambda: until(lambda: happened(watched.after_glance), "it happens")
    assert world.sync().came == "made"
    assert world.tree(2) == before
    assert world.sync().came == "made"
    assert world.tree(3) == found(world.upstream)


def test_a_marker_that_comes_meanwhile_is_seen(world: World, watched: Watched) -> None:
    world.project = replace(world.project, markers=("Update-in-Progress",))
    watched.before_glance = once(lambda: later(world.upstream / "Update-in-Progress", b""))
    run = world.sync()
    assert run.came == "partial"
    assert "Update-in-Progress is there" in run.why


@pytest.mark.parametrize("who", ["before_glance", "before_get"])
def test_a_second_connection_is_tried_once(world: World, watched: Watched, who: str) -> None:
    tried: list[str] = []

    def refuse() -> None:
        tried.append("refused")
        if len(tried) == 1:
            raise RsyncFailed(5, "@ERROR: max connections (1) reached -- try again later", "there")

    setattr(watched, who, refuse)
    syncing = world.syncing()
    for serial in (2, 3):
        watched.looks.clear()
        run = syncing.sync("person")
        assert (run.came, run.fetched) == ("made", sum(map(len, CHANGED.values())))
        assert world.tree(serial) == found(world.upstream)
        assert len(watched.looks) == 2, "it is looked at afterwards"
        for path in CHANGED:
            later(world.upstream / os.fsdecode(path), CHANGED[path])
    assert len(tried) == {"before_glance": 1, "before_get": 3}[who]


def test_a_glance_that_fails_is_none(world: World, watched: Watched) -> None:
    def fail() -> None:
        raise RsyncFailed(12, "cut", "there")

    watched.before_glance = fail
    assert world.sync().came == "made"
    assert world.tree(2) == LARGE | CHANGED
    assert len(watched.looks) == 2


def test_where_nothing_comes_after_all_the_glance_is_over_too(world: World, watched: Watched) -> None:
    def fail() -> None:
        raise RsyncFailed(10, "cut", "there")

    watched.before_get = fail
    assert world.sync().came == "failed"
    assert len(watched.glances) == 1
    watched.before_get = nothing
    assert world.sync().came == "made"


@pytest.mark.parametrize(("seconds", "counts"), [(1.9, True), (2.1, False)])
def test_a_glance_of_long_ago_counts_for_nothing(
    world: World, watched: Watched, seconds: float, *, counts: bool
) -> None:
    items = [item for item in watched.real.compare(world.store.tree(1)) if item.doing != "delete"]
    clock = HandClock()
    with Glance(watched, world.store.tree(1), items, world.syncing().plan(), clock) as glance:
        until(lambda: "lbkit-glance" not in {each.name for each in threading.enumerate()}, "it has glanced")
        clock.sleep(seconds)
        for item in items:
            glance.came(Entry(item.path, "f", 0o644, TIME, item.size))
    assert glance.stood_still is counts


@pytest.mark.sandbox
def test_an_upstream_that_takes_one_connection_is_had(world: World, watched: Watched, tmp_path: Path) -> None:
    port, config = free_port(), tmp_path / "rsyncd.conf"
    config.write_text(
        f"port = {port}\naddress = 127.0.0.1\nuse chroot = no\nreverse lookup = no\n[module]\n"
        f"path = {world.upstream}\nmax connections = 1\nlock file = {tmp_path / 'lock'}\n"
    )
    with subprocess.Popen(["rsync", "--daemon", "--no-detach", f"--config={config}"]) as daemon:
        try:
            until(lambda: listens(port) or daemon.poll() is not None, "it listens")
            watched.real = replace(watched.real, upstream=RsyncDaemon("127.0.0.1", "module", port=port))
            for serial in (2, 3, 4):
                run = world.sync()
                size = sum((world.upstream / os.fsdecode(path)).stat().st_size for path in CHANGED)
                assert (run.came, run.fetched) == ("made", size)
                assert world.tree(serial) == found(world.upstream)
                for path in CHANGED:
                    later(world.upstream / os.fsdecode(path), CHANGED[path] * serial)
        finally:
            daemon.kill()


def once(step: Callable[[], None]) -> Callable[[], None]:
    done: list[bool] = []

    def call() -> None:
        if not done:
            step()
            done.append(True)

    call.done = done  # type: ignore[attr-defined]
    return call


def happened(step: Callable[[], None]) -> bool:
    return bool(step.done)  # type: ignore[attr-defined]
