"""What left becomes the spare of the next sync: as the newest is, whatever kills it meanwhile, and never while somebody reads it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from lbkit.base.errors import Failure
from lbkit.mirror.sync.ready import make_ready
from lbkit.mirror.tree.store import Store
from tests.mirror.tree.trees import Tree, found, made

TREES: list[Tree] = [
    {b"same": b"same", b"changed": b"%d" % number, b"only/%d" % number: b"only"} for number in range(10)
]


def publish(store: Store, serial: int, plain: Path) -> None:
    for _ in made(store, serial, TREES[serial], plain / str(serial), keep=2):
        pass


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "store").mkdir()
    store = Store(tmp_path / "store")
    for serial in (1, 2, 3):
        publish(store, serial, tmp_path)
    return store


def test_it_is_as_the_newest_and_the_next_one_is_made_of_it(store: Store, tmp_path: Path) -> None:
    assert store.spare() == 1
    make_ready(store)
    assert store.spare() == 1
    assert store.is_ready(1, 3)
    assert found(store.root / "old-1" / "tree") == TREES[3]
    assert [each.serial for each in store.generations()] == [2, 3]
    node = (store.root / "old-1" / "tree" / "same").stat().st_ino
    publish(store, 4, tmp_path)
    assert found(store.tree(4)) == TREES[4]
    assert found(store.tree(3)) == TREES[3], "of which the spare was links"
    assert (store.tree(4) / "same").stat().st_ino == node
    make_ready(store)
    assert found(store.root / "old-2" / "tree") == TREES[4]


def test_where_there_is_nothing_to_do_it_does_nothing(store: Store, tmp_path: Path) -> None:
    make_ready(store)
    before = os.stat(store.root / "old-1")
    make_ready(store)
    assert os.stat(store.root / "old-1") == before
    (tmp_path / "empty").mkdir()
    make_ready(Store(tmp_path / "empty"))
    assert os.listdir(tmp_path / "empty") == []


def test_what_was_removed_by_hand_makes_no_spare(store: Store, tmp_path: Path) -> None:
    (store.tree(3) / "changed").unlink()
    make_ready(store)
    assert store.spare() == 0
    publish(store, 4, tmp_path)
    assert found(store.tree(4)) == TREES[4]


@pytest.mark.parametrize("step", ["link", "rename", "unlink", "mkdir"])
def test_killed_anywhere_the_next_one_is_whole(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    real, left = getattr(os, step), 0

    def dying(*given: object, **more: object) -> object:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt
        return real(*given, **more)

    for count in range(1, 8):
        left = count
        with monkeypatch.context() as patched:
            patched.setattr(os, step, dying)
            with contextlib.suppress(KeyboardInterrupt, Failure):
                make_ready(store)
        store.tidy()
        assert found(store.tree(3)) == TREES[3]
        if store.spare() and store.is_ready(store.spare(), 3):
            assert found(store.root / f"old-{store.spare()}" / "tree") == TREES[3]
        if not store.spare():
            break
    publish(store, 4, tmp_path)
    assert found(store.tree(4)) == TREES[4]
