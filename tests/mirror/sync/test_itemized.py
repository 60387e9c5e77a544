"""What the real rsync says is understood, whatever files are called; and a sync's plan is counted from it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from lbkit.mirror.sync.changes import Counted, changes_of
from lbkit.mirror.sync.guard import Guard
from lbkit.mirror.sync.itemized import FORMAT, Item, item_of, shown
from lbkit.mirror.tree import manifest
from tests.mirror.tree.trees import TIME, Tree, lay, lines

HOSTILE = [
    b"new\nline",
    b"back\\slash",
    b"has\\#012esc",
    b" two  spaces ",
    b"h\xc3\xa4\xff",
    b"-e sh",
    b"*deleting",
    b"tab\t",
    b"$(id)",
]
OLD: Tree = {b"gone": b"123", b"x/f": b"1", b"same": b"s", b"chg": b"BB", b"ln": b"->same"}
NEW: Tree = {
    b"same": b"s",
    b"chg": b"A",
    b"ln": b"->chg",
    b"d/e": b"12345",
    **{b"h/" + name: b"1" for name in HOSTILE},
}


def said(source: Path, to: Path) -> list[Item]:
    done = subprocess.run(
        ["rsync", "-n", "-rlpt", "--delete", "--safe-links", FORMAT, f"{source}/", f"{to}/"],
        capture_output=True,
        check=True,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"},
    )
    return [item for line in done.stdout.splitlines(keepends=True) if (item := item_of(line)) is not None]


def test_each_thing_is_told_as_it_is(tmp_path: Path) -> None:
    lay(tmp_path / "old", OLD)
    lay(tmp_path / "new", NEW)
    os.mkfifo(tmp_path / "new" / "pipe")
    os.symlink("/etc", tmp_path / "new" / "out")
    found = {item.path: item for item in said(tmp_path / "new", tmp_path / "old")}
    at = shown(TIME)
    assert at == b"2023/11/14-22:13:20"
    assert found == {
        b"gone": Item("delete", "f", b"gone"),
        b"x/f": Item("delete", "f", b"x/f"),
        b"x": Item("delete", "d", b"x"),
        b"chg": Item("change", "f", b"chg", 1, at),
        b"ln": Item("change", "l", b"ln"),
        b"d": Item("add", "d", b"d"),
        b"d/e": Item("add", "f", b"d/e", 5, at),
        b"h": Item("add", "d", b"h"),
        **{b"h/" + name: Item("add", "f", b"h/" + name, 1, at) for name in HOSTILE},
    }


def test_a_sync_is_counted_and_judged(tmp_path: Path) -> None:
    lay(tmp_path / "old", OLD)
    lay(tmp_path / "new", NEW)
    old = lines(tmp_path / "old")
    changes = changes_of(said(tmp_path / "new", tmp_path / "old"), lambda: old)
    new = [manifest.entry_of(line) for line in lines(tmp_path / "new")]
    whole = Counted(
        sum(entry.kind != "d" for entry in new), sum(entry.size for entry in new if entry.kind == "f")
    )
    assert (changes.before, changes.after) == (Counted(5, 7), whole)
    assert (changes.added, changes.changed, changes.deleted) == (
        Counted(1 + len(HOSTILE), 5 + len(HOSTILE)),
        Counted(2, 1),
        Counted(2, 4),
    )
    assert changes.gone == (b"gone", b"x", b"x/f")
    assert changes.folders == (b"d", b"h")
    assert set(changes.fetched) == {b"chg", b"ln", b"d/e", *(b"h/" + name for name in HOSTILE)}
    assert Guard(0.4, 0.9, 5).objections(changes) == []
    assert [each.rpartition("; ")[2] for each in Guard(0.39, None, 20).objections(changes)] == [
        "`guard.delete` is 39.0%",
        "`guard.min_files` is 20",
    ]


def test_nothing_to_do_is_nothing(tmp_path: Path) -> None:
    lay(tmp_path / "old", OLD)
    lay(tmp_path / "same", OLD)
    old = lines(tmp_path / "old")
    changes = changes_of(said(tmp_path / "same", tmp_path / "old"), lambda: old)
    assert not changes
    assert Guard(0.0, 0.0, 5).objections(changes) == []
    assert Guard(0.0, 0.0, 6).objections(changes) != []


def test_a_tree_that_shrinks_is_told_in_bytes(tmp_path: Path) -> None:
    lay(tmp_path / "old", {b"a": b"x" * 1000, b"b": b"1"})
    lay(tmp_path / "new", {b"a": b"x" * 500, b"b": b"1"})
    old = lines(tmp_path / "old")
    changes = changes_of(said(tmp_path / "new", tmp_path / "old"), lambda: old)
    assert Guard(shrink=0.2).objections(changes) == [
        "it would shrink the tree by 500 of 1,001 bytes, 50.0%; `guard.shrink` is 20.0%"
    ]
