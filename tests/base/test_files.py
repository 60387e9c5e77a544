from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbkit.base import files, syscalls
from lbkit.base.files import FileFailure, make_folder, read, write_atomic


def test_a_whole_file_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "haproxy.cfg"
    write_atomic(path, b"global\n", mode=0o640)
    assert path.read_bytes() == b"global\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_it_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_atomic(path, b"old")
    with path.open("rb") as before:
        write_atomic(path, b"new")
        assert before.read() == b"old"  # a reader keeps the whole old one
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["f"]


def test_a_failed_rename_leaves_the_old_file_and_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def refuse(*_names: object) -> None:
        raise OSError(122, "Disk quota exceeded")

    monkeypatch.setattr(files.os, "replace", refuse)
    with pytest.raises(FileFailure, match="Disk quota exceeded") as caught:
        write_atomic(path, b"new")
    assert caught.value.path == path
    assert "quota" in caught.value.remedy
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["f"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    syscalls.mount("tmpfs", str(tmp_path), "tmpfs", 0, "size=64k")
    yield tmp_path
    syscalls.unmount(str(tmp_path))


@pytest.mark.sandbox
def test_a_full_disk_is_told_and_the_old_file_stands(small_disk: Path) -> None:
    path = small_disk / "zone"
    write_atomic(path, b"old")
    with pytest.raises(FileFailure) as caught:
        write_atomic(path, b"n" * (1 << 20))
    assert caught.value.found == "No space left on device"
    assert "free space" in caught.value.remedy
    assert path.read_bytes() == b"old"
    assert os.listdir(small_disk) == ["zone"]
    write_atomic(path, b"goes again")
    assert path.read_bytes() == b"goes again"


def test_no_folder_is_told_with_the_path(tmp_path: Path) -> None:
    with pytest.raises(FileFailure, match="No such file or directory"):
        write_atomic(tmp_path / "none" / "f", b"")


def test_read_knows_missing_from_unreadable(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    assert read(tmp_path / "f") == b"x"
    assert read(tmp_path / "none") is None
    assert read(tmp_path / "f" / "below-a-file") is None
    with pytest.raises(FileFailure, match="was to be read"):
        read(tmp_path)


def test_folders_are_made_with_parents_and_stay(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b", mode=0o750)
    make_folder(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o750
    (tmp_path / "file").touch()
    with pytest.raises(FileFailure, match="was to be made"):
        make_folder(tmp_path / "file")
