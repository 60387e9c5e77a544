"""rsync as it is called: compares without a change, gets what it is told and nothing else, and fails in its own words."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lbkit.base.errors import Mistake
from lbkit.mirror.sync.rsync import Rsync, RsyncFailed
from lbkit.mirror.sync.upstream import Folder, RsyncDaemon, RsyncSsh, upstream_of
from tests.mirror.sync.test_itemized import HOSTILE
from tests.mirror.tree.trees import Tree, found, lay, lines

OLD: Tree = {b"same": b"s", b"big": b"x" * 100_000, b"gone": b"g", b"dists/index": b"one"}
NEW: Tree = {b"same": b"s", b"big": b"x" * 100_000 + b"y", b"dists/index": b"two", b"l": b"->dists/index"}


@pytest.fixture
def rsync(tmp_path: Path) -> Rsync:
    lay(tmp_path / "up stream", NEW)
    lay(tmp_path / "old", OLD)
    return Rsync(Folder(str(tmp_path / "up stream").lstrip("/")))


def test_to_compare_changes_nothing(rsync: Rsync, tmp_path: Path) -> None:
    before = lines(tmp_path / "old")
    items = {item.path: item.doing for item in rsync.compare(tmp_path / "old")}
    assert items == {b"big": "change", b"gone": "delete", b"l": "add"}
    assert lines(tmp_path / "old") == before


def test_what_was_rewritten_within_a_second_is_seen_by_its_content(rsync: Rsync, tmp_path: Path) -> None:
    """The quick check, by size and time, does not see it: both say `dists/index` is as it was."""
    [item] = rsync.compare(tmp_path / "old", below="dists", contents=True)
    assert (item.doing, item.path) == ("change", b"dists/index")


def test_it_gets_what_it_is_told_by_hostile_names_too(tmp_path: Path) -> None:
    tree = {b"h/" + name: name for name in HOSTILE}
    lay(tmp_path / "up", {**tree, b"h/other": b"not asked for"})
    (tmp_path / "to" / "h").mkdir(parents=True)
    told: list[bytes] = []
    Rsync(Folder(str(tmp_path / "up").lstrip("/"))).get(
        tree, tmp_path / "to", told=lambda item: told.append(item.path)
    )
    assert found(tmp_path / "to") == tree
    assert sorted(told) == sorted(tree)


def test_many_are_got_by_several_calls_and_one_that_is_missing_keeps_none_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lbkit.mirror.sync.rsync._AT_ONCE", 2)
    tree = {b"%d" % number: b"%d" % number for number in range(5)}
    lay(tmp_path / "up", tree)
    (tmp_path / "to").mkdir()
    with pytest.raises(RsyncFailed) as caught:
        Rsync(Folder(str(tmp_path / "up").lstrip("/"))).get(
            [b"missing", *tree], tmp_path / "to", told=lambda _: None
        )
    assert caught.value.code == 23
    assert found(tmp_path / "to") == tree


def test_it_gets_content_mode_and_time_and_nobodys_rights(rsync: Rsync, tmp_path: Path) -> None:
    big = tmp_path / "up stream" / "big"
    big.chmod(0o6777)
    (tmp_path / "to" / "dists").mkdir(parents=True)
    old = (tmp_path / "old" / "big").stat()
    rsync.get([b"big", b"dists/index", b"l"], tmp_path / "to", basis=tmp_path / "old", told=lambda _: None)
    assert found(tmp_path / "to") == {path: NEW[path] for path in (b"big", b"dists/index", b"l")}
    status = (tmp_path / "to" / "big").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (0o755, big.stat().st_mtime)
    assert (tmp_path / "old" / "big").stat() == old, "what it was based on is as it was"
    assert status.st_nlink == 1


def test_what_it_is_based_on_is_found_from_where_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative folder is, to rsync, below the one that it writes to: it would find nothing there, and send all."""
    lay(tmp_path / "up", NEW)
    lay(tmp_path / "old", OLD)
    (tmp_path / "to").mkdir()
    program = tmp_path / "noted"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$0.words"\nexec rsync "$@"\n')
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    rsync = Rsync(Folder(str(tmp_path / "up").lstrip("/")), program=str(program))
    rsync.get([b"big"], Path("to"), basis=Path("old"), told=lambda _: None)
    assert f"--copy-dest={tmp_path / 'old'}" in Path("noted.words").read_text().splitlines()


def test_what_has_gone_at_upstream_is_a_part(rsync: Rsync, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    with pytest.raises(RsyncFailed, match="code 23, partial transfer") as caught:
        rsync.get([b"same", b"no such"], tmp_path / "to", told=lambda _: None)
    assert caught.value.code == 23
    assert "no such" in caught.value.words
    assert found(tmp_path / "to") == {b"same": b"s"}, "what came, came"


def test_no_upstream_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    with pytest.raises(RsyncFailed, match="code 23"):
        list(Rsync(Folder("no/such/folder")).compare(tmp_path / "to"))
    with pytest.raises(RsyncFailed, match="code 10"):
        list(Rsync(RsyncDaemon("127.0.0.1", "debian", port=1)).compare(tmp_path / "to"))


def test_a_comparison_that_is_left_ends_rsync(rsync: Rsync, tmp_path: Path) -> None:
    lay(tmp_path / "up stream", {b"many/%05d" % number: b"" for number in range(5000)})
    items = rsync.compare(tmp_path / "old")
    next(items)
    items.close()  # type: ignore[attr-defined]
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
    assert children == "" or not any(
        b"rsync" in Path(f"/proc/{pid}/comm").read_bytes() for pid in children.split()
    )


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "ftp"},
        {"kind": "rsync", "host": "-e sh", "module": "m"},
        {"kind": "rsync", "host": "a b", "module": "m"},
        {"kind": "rsync", "host": "a", "module": "m/../x"},
        {"kind": "rsync", "host": "a", "module": "m", "path": "../x"},
        {"kind": "rsync", "host": "a", "module": "m", "path": "a//b"},
        {"kind": "rsync", "host": "a", "module": "m", "port": 0},
        {"kind": "rsync", "host": "a", "module": "m", "user": "-oProxyCommand=x"},
        {"kind": "rsync", "host": "a", "module": "m", "password_file": "relative"},
        {"kind": "ssh", "host": "-oProxyCommand=x", "path": "p"},
        {"kind": "ssh", "host": "a", "path": ""},
        {"kind": "ssh", "host": "a", "path": "p", "key_file": "/k -o ProxyCommand=x"},
        {"kind": "folder", "path": "a/../../etc"},
        {"kind": "folder", "path": "a*"},
    ],
)
def test_what_rsync_would_take_for_something_else_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(Mistake):
        upstream_of(data)


def test_an_upstream_is_told_to_rsync_as_it_wants_it() -> None:
    daemon = upstream_of(
        {
            "kind": "rsync",
            "host": "[::1]",
            "module": "debian",
            "path": "a b/c",
            "user": "u",
            "password_file": "/p/w",
        }
    )
    assert daemon.source == "rsync://u@[::1]:873/debian/a b/c/"
    assert list(daemon.options) == ["--sockopts=TCP_NODELAY", "--password-file=/p/w"]
    ssh = upstream_of({"kind": "ssh", "host": "h", "path": "srv/x", "user": "u", "key_file": "/k"})
    assert isinstance(ssh, RsyncSsh)
    assert ssh.source == "u@h:/srv/x/"
    [rsh, *rest] = ssh.options
    assert rsh.startswith("--rsh=ssh -o BatchMode=yes")
    assert rsh.endswith("-p 22 -i /k -o IdentitiesOnly=yes")
    assert rest == ["--secluded-args"]
