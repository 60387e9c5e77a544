"""A disk that is full makes nothing half, ends nothing, and is told; with space again it goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lbkit.base import syscalls
from lbkit.base.clock import SystemClock
from lbkit.base.errors import Failure
from lbkit.mirror.keeper.hold import Hold
from lbkit.mirror.keeper.rolling import Rolling, folder_of
from lbkit.mirror.node.pulling import Pulling
from lbkit.mirror.sync.project import Project
from lbkit.mirror.sync.rsync import Rsync
from lbkit.mirror.sync.runs import Runs
from lbkit.mirror.sync.syncing import Syncing
from lbkit.mirror.sync.upstream import Folder
from lbkit.mirror.tree.store import Store
from tests.mirror.tree.trees import lay

pytestmark = pytest.mark.sandbox

FILES = {b"f%03d" % number: b"%d" % number for number in range(200)}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "disk").mkdir()
    syscalls.mount("tmpfs", str(tmp_path / "disk"), "tmpfs", 0, "size=4m")
    store = Store(tmp_path / "disk" / "store")
    store.root.mkdir()
    return store


def fill(store: Store, left: int) -> Path:
    """All but so many bytes."""
    full = store.root.parent / "full"
    full.write_bytes(b"")
    state = os.statvfs(store.root)
    full.write_bytes(b"x" * (state.f_bavail * state.f_frsize - left))
    return full


def of(upstream: Path, store: Store, runs: Runs) -> Syncing:
    return Syncing(Project("debian", Rsync(Folder(str(upstream).lstrip("/")))), store, runs, SystemClock())


@pytest.mark.parametrize("pages", [0, 1, 2, 3, 100, 199, 200, 201, 202, 205])
def test_of_a_master_and_of_a_node(store: Store, tmp_path: Path, pages: int) -> None:
    """Between the two it is full at a file, at the manifest, at the trace, or at the record."""
    runs = Runs(tmp_path / "runs", SystemClock())
    lay(tmp_path / "upstream", {b"a": b"a"})
    assert of(tmp_path / "upstream", store, runs).sync("person").came == "made"
    lay(tmp_path / "upstream", FILES)
    full = fill(store, pages * 4096)
    run = of(tmp_path / "upstream", store, runs).sync("person")
    if run.came != "made":
        assert run.came == "failed"
        assert run.why
        assert [each.serial for each in store.generations()] == [1]
    full.unlink()
    again = of(tmp_path / "upstream", store, runs).sync("person")
    assert {run.came, again.came} in ({"failed", "made"}, {"made", "nothing"})
    assert [*Pulling("debian", store, 3).verify(2)] == []

    master = store.find(2)
    assert master is not None
    node = Store(store.root.parent / "node")
    node.root.mkdir()
    full = fill(store, pages * 4096)
    try:
        Pulling("debian", node, 3).prepare(master, [folder_of(store)])
    except Failure:
        assert node.generations() == []
    full.unlink()
    Pulling("debian", node, 3).prepare(master, [folder_of(store)])
    assert [*Pulling("debian", node, 3).verify(2)] == []


@pytest.mark.parametrize("pages", [0, 1, 2, 3, 4, 6])
def test_of_a_master_that_goes_back(store: Store, tmp_path: Path, pages: int) -> None:
    runs = Runs(tmp_path / "runs", SystemClock())
    for number in (1, 2):
        lay(tmp_path / "upstream", {b"a": b"%d" % number * number, **FILES})
        assert of(tmp_path / "upstream", store, runs).sync("person").came == "made"
    to = store.find(1)
    assert to is not None
    rolling = Rolling(Pulling("debian", store, 3), runs, SystemClock(), Hold(tmp_path / "held"))
    full = fill(store, pages * 4096)
    run = rolling.back(to)
    assert run.came in {"made", "failed"}
    full.unlink()
    if run.came == "failed":
        assert [each.serial for each in store.generations()] == [1, 2]
        assert rolling.back(to).came == "made"
    assert [*Pulling("debian", store, 3).verify(3)] == []
