"""Generations never change, and come to serve at once or not at all, wherever the program that makes them is killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbkit.base.errors import Bug, Failure
from lbkit.mirror.tree import views
from lbkit.mirror.tree.store import Store
from lbkit.mirror.tree.verify import damages
from tests.mirror.tree.trees import Tree, found, made

FIRST: Tree = {
    b"a": b"1",
    b"pool/x": b"x1",
    b"pool/deep/er/y": b"y1",
    b"link": b"->pool/x",
    b"was/folder": b"f",
}
SECOND: Tree = {b"a": b"2", b"pool/x": b"x1", b"pool/deep/z": b"z", b"link": b"->a", b"was": b"a file now"}
THIRD: Tree = {b"a": b"3", b"pool/x/now": b"a folder", b"pool/deep/er/y": b"y1", b"b c\\": b"hostile\n"}

names = st.sampled_from([b"a", b"b", b"a-b", b"a.b", b"c d"])
contents = st.sampled_from([b"1", b"2", b"", b"->a", b"->x"])


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    tree: Tree = {}
    for path in draw(st.lists(st.lists(names, min_size=1, max_size=3).map(b"/".join), max_size=8)):
        above = {path[:index] for index, byte in enumerate(path) if byte == ord("/")}
        if not above & set(tree) and not any(other.startswith(path + b"/") for other in tree):
            tree[path] = draw(contents)
    return tree


def make(store: Store, serial: int, tree: Tree, plain: Path, *, keep: int = 3) -> None:
    for _ in made(store, serial, tree, plain / str(serial), keep=keep):
        pass


@settings(max_examples=60)
@given(st.lists(trees(), min_size=1, max_size=7), st.integers(1, 4))
def test_every_generation_stays_as_it_was_made(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[Tree], keep: int
) -> None:
    folder = tmp_path_factory.mktemp("store")
    store = Store(folder / "store")
    (folder / "store").mkdir()
    for number, tree in enumerate(wanted, start=1):
        (folder / str(number)).mkdir()
        make(store, number, tree, folder, keep=keep)
        standing = [each.serial for each in store.generations()]
        assert standing == list(range(max(1, number - keep + 1), number + 1))
        for serial in standing:
            assert found(store.tree(serial)) == wanted[serial - 1]
            assert list(damages(store.tree(serial), store.lines(serial))) == []
        assert store.serving() == number
        assert [
            os.path.realpath(folder / "store" / "current" / str(index)) for index in range(len(standing))
        ] == [str(store.tree(serial)) for serial in reversed(standing)]
        assert os.path.realpath(folder / "store" / "serial" / "1" / "0") == str(
            store.tree(1 if 1 in standing else number)
        )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "store").mkdir()
    return Store(tmp_path / "store")


def test_what_is_the_same_takes_no_room(store: Store, tmp_path: Path) -> None:
    for number, tree in enumerate([FIRST, SECOND, SECOND, FIRST], start=1):
        make(store, number, tree, tmp_path)
    assert [each.serial for each in store.generations()] == [2, 3, 4]
    inodes = {os.stat(store.tree(serial) / "pool/x").st_ino for serial in (2, 3, 4)}
    assert len(inodes) == 1
    assert os.stat(store.tree(2) / "a").st_ino == os.stat(store.tree(3) / "a").st_ino
    assert store.spare() == 1


def test_what_somebody_reads_stays_until_they_end(store: Store, tmp_path: Path) -> None:
    make(store, 1, FIRST, tmp_path)
    reader = subprocess.Popen(
        [sys.executable, "-c", "import os; input(); print(sorted(os.listdir('.')), open('a').read())"],
        cwd=store.tree(1),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for number in range(2, 7):
            make(store, number, SECOND, tmp_path)
        assert [each.serial for each in store.generations()] == [4, 5, 6]
        output, _ = reader.communicate("\n", timeout=30)
        assert output == "['a', 'link', 'pool', 'was'] 1\n", "generation 1, though nobody finds it any more"
    finally:
        reader.kill()
    store.prune(3)
    assert sorted(path.name for path in store.root.glob("old-*")) == ["old-3"]


def test_what_a_client_may_be_in_the_middle_of_is_found(store: Store, tmp_path: Path) -> None:
    for number in range(1, 4):
        make(store, number, {b"n": b"%d" % number}, tmp_path, keep=100)
    for number in range(1, 4):
        for path in (store.root / f"gen-{number}.json", store.root / "serial" / str(number)):
            os.utime(path, (1000 * number, 1000 * number), follow_symlinks=False)
    # with `keep` 1, generation 1 was the newest until 2000, and generation 2 until 3000
    assert store.prune(1, since=1999) == []
    assert store.prune(1, since=2999) == [1]
    assert (store.root / "serial" / "2" / "0" / "n").read_bytes() == b"2"
    assert (store.root / "serial" / "1" / "0" / "n").read_bytes() == b"3"
    assert store.prune(1, since=3000) == [2]


def test_what_served_for_long_after_newer_ones_came_is_found_for_a_while_yet(
    store: Store, tmp_path: Path
) -> None:
    """As where no quorum had those for an hour."""
    make(store, 1, FIRST, tmp_path, keep=100)
    for number in (2, 3):
        for step in made(store, number, SECOND, tmp_path / str(number)):
            if step == "publish":
                break
    for path in (*store.root.glob("gen-*.json"), *(store.root / "serial").iterdir()):
        os.utime(path, (1000, 1000), follow_symlinks=False)
    flipped = time.time()
    store.publish(3)
    assert store.prune(1, since=flipped - 60) == [2], "nobody began to read that one"
    assert store.prune(1, since=flipped + 60) == [1]


def test_a_clock_that_was_ahead_keeps_nothing_for_ever(store: Store, tmp_path: Path) -> None:
    for number in (1, 2):
        make(store, number, FIRST, tmp_path, keep=100)
        os.utime(store.root / f"gen-{number}.json", (1 << 33, 1 << 33))
    now = time.time()
    assert store.prune(1, since=now - 60) == [], "a client may read it"
    assert store.prune(1, since=now + 60) == [1]


def test_a_serial_that_has_gone_leads_to_what_serves(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "REMEMBERED", 4)
    for number in range(1, 8):
        make(store, number, {b"n": b"%d" % number}, tmp_path, keep=2)
    asked = {path.name: (path / "0" / "n").read_bytes() for path in (store.root / "serial").iterdir()}
    assert asked == {"4": b"7", "5": b"7", "6": b"6", "7": b"7"}


def test_a_web_server_finds_a_mirrors_trees_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    store = Store(tmp_path / "store", "debian")
    for number in range(1, 5):
        make(store, number, {b"n": b"%d" % number}, tmp_path)
    asked = {
        f"{asked}/{path.parent.name}": (path / "n").read_bytes()
        for asked in ("current", "serial/3", "serial/1")
        for path in (store.root / asked).glob("at-*/*")
        if path.name == "debian" and path.exists()
    }
    newest = {"at-0": b"4", "at-1": b"3", "at-2": b"2"}
    assert asked == {
        **{f"current/{name}": content for name, content in newest.items()},
        **{f"serial/1/{name}": content for name, content in newest.items()},  # it has gone
        "serial/3/at-0": b"3",
        "serial/3/at-1": b"2",
    }


class Killed(BaseException):
    pass


CALLS = ("rename", "unlink", "symlink", "mkdir", "link", "rmdir", "replace")


def killed_at(number: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """From now on the process is as dead before that call which changes the disk, and all after it. Gives what was called."""
    called: list[str] = []

    def of(name: str) -> None:
        real = getattr(os, name)

        def call(*given: object, **more: object) -> object:
            called.append(name)
            if len(called) > number:
                raise Killed
            return real(*given, **more)

        monkeypatch.setattr(os, name, call)

    for name in CALLS:
        of(name)
    return called


def test_killed_anywhere_what_served_serves_and_the_next_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three generations stand, and one that has gone is made into the next: killed before each single change of the disk."""
    number = 0
    while True:
        folder = tmp_path / f"killed-{number}"
        (folder / "store").mkdir(parents=True)
        store = Store(folder / "store")
        trees = [FIRST, SECOND, THIRD, FIRST, SECOND]
        for serial, tree in enumerate(trees[:4], start=1):
            make(store, serial, tree, folder)
        assert store.spare() == 1
        steps = made(store, 5, trees[4], folder / "5")
        assert next(steps) == "begin"
        with monkeypatch.context() as patch:
            called = killed_at(number, patch)
            try:
                for _ in steps:
                    pass
            except Killed:
                pass
        ended = len(called) <= number
        store = Store(folder / "store")
        served, stand = store.serving(), [each.serial for each in store.generations()]
        assert served in {4, 5}
        assert served in stand
        assert found(store.root / "current" / "0") == trees[served - 1]
        for serial in stand:
            assert found(store.tree(serial)) == trees[serial - 1]
        store.tidy()
        assert [each.serial for each in store.generations()] == stand
        assert store.serving() == served
        store.prune(3)
        make(store, 6, THIRD, folder)
        assert found(store.root / "current" / "0") == THIRD
        names = {
            path.name for path in store.root.iterdir() if not path.name.startswith(("gen-", "view-", "old-"))
        }
        assert names == {"current", "serial", "work"}
        assert len([*store.root.glob("gen-*.json")]) == len([*store.root.glob("view-*")]) == 3
        if ended:
            break
        number += 1
    assert number > 20


def test_none_is_made_twice_or_published_without_standing(store: Store, tmp_path: Path) -> None:
    make(store, 1, FIRST, tmp_path)
    with pytest.raises(Failure, match="to be published"):
        store.publish(2)
    steps = made(store, 1, SECOND, tmp_path / "again")
    with pytest.raises(Bug, match="made once"):
        for _ in steps:
            pass


@pytest.mark.parametrize("part", ["gen-3", "gen-3.manifest", "gen-3.json"])
def test_what_somebody_takes_a_part_of_stands_no_more_and_is_made_anew(
    store: Store, tmp_path: Path, part: str
) -> None:
    """By hand, or a disk with faults: its record may be there, and empty."""
    for serial, tree in enumerate((FIRST, SECOND, THIRD), start=1):
        make(store, serial, tree, tmp_path)
    here = store.root / part
    if here.is_dir():
        shutil.rmtree(here)
        assert store.serving() == 0
    elif here.suffix == ".json":
        here.write_bytes(b"")
    else:
        here.unlink()
    assert store.find(3) is None
    assert [each.serial for each in store.generations()] == [1, 2]
    store.tidy()
    make(store, 3, SECOND, tmp_path / "again")
    assert (store.serving(), found(store.root / "current" / "0")) == (3, SECOND)
    assert [each.serial for each in store.generations()] == [1, 2, 3]


def test_one_program_alone_keeps_its_generations_there(tmp_path: Path) -> None:
    """Two topologies may declare one path; and none is locked out by one that was killed."""
    Store(tmp_path).claim()
    claims = "from pathlib import Path; from lbkit.mirror.tree.store import Store; Store(Path(sys.argv[1])).claim()"
    argv = [sys.executable, "-c", f"import sys; {claims}", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert "another one has" in done.stderr
    assert subprocess.run([*argv[:-1], str(tmp_path.parent)], check=False).returncode == 0
    Store(tmp_path.parent).claim()
