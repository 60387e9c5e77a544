"""Files below a machine's folder: whatever a service laid there, nothing outside is read, written or removed."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from lbkit.base.files import FileFailure
from lbkit.machine.local import folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "machine" / "app").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("precious")
    return tmp_path / "machine"


def test_a_link_to_a_folder_is_not_followed(root: Path, tmp_path: Path) -> None:
    (root / "app" / "sub").symlink_to(tmp_path / "outside")
    with pytest.raises(FileFailure):
        folder.write(root, ["app", "sub", "file"], b"hostile")
    assert folder.read(root, ["app", "sub", "file"]) is None
    assert folder.last_lines(root, ["app", "sub", "file"], 3) == ()
    folder.discard(root, ["app", "sub", "file"])
    folder.remove_tree(root / "app")
    assert (tmp_path / "outside" / "file").read_text() == "precious"


def test_a_link_to_a_file_is_replaced_and_not_written_through(root: Path, tmp_path: Path) -> None:
    link = root / "app" / "file"
    link.symlink_to(tmp_path / "outside" / "file")
    assert folder.read(root, ["app", "file"]) is None
    folder.write(root, ["app", "file"], b"new", mode=0o600)
    assert (link.read_text(), link.is_symlink()) == ("new", False)
    assert (tmp_path / "outside" / "file").read_text() == "precious"


def test_what_is_no_file_is_not_there_and_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "app" / "fifo")
    (root / "app" / "sub").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(root / "app")
        listener.bind("socket")
        os.chdir(here)
        for name in ("fifo", "sub", "socket", "missing"):
            assert folder.read(root, ["app", name]) is None
            assert folder.last_lines(root, ["app", name], 3) == ()
    assert folder.read(root, ["app", "fifo", "below"]) is None


def test_a_half_written_file_of_a_killed_write_does_not_stay(root: Path) -> None:
    (root / "app" / ".file.lbkit-new").write_text("half")
    folder.write(root, ["app", "file"], b"whole")
    assert sorted(os.listdir(root / "app")) == ["file"]


def test_removing_a_file_removes_the_folders_that_it_leaves_empty(root: Path) -> None:
    folder.write(root, ["app", "a", "b", "file"], b"")
    folder.write(root, ["app", "a", "other"], b"")
    folder.discard(root, ["app", "a", "b", "file"])
    assert sorted(os.listdir(root / "app" / "a")) == ["other"]
    folder.discard(root, ["app", "a", "other"])
    assert os.listdir(root / "app") == []


def test_last_lines_are_whole_printable_and_few(root: Path) -> None:
    folder.write(root, ["app", "log"], b"old\n" * 5000 + b"\x1b[31mred\x1b[0m\n\nlast \xff\n")
    assert folder.last_lines(root, ["app", "log"], 2) == (" [31mred [0m", "last \ufffd")
    folder.write(root, ["app", "log"], b"x" * 100_000)
    (line,) = folder.last_lines(root, ["app", "log"], 2)
    assert len(line) == 400


def test_what_a_killed_one_began_goes_with_the_file(root: Path) -> None:
    folder.write(root, ["app", "sub", "file"], b"whole")
    (root / "app" / "sub" / folder._begun("file")).write_bytes(b"hal")
    folder.discard(root, ["app", "sub", "file"])
    assert not (root / "app" / "sub").exists()
    (root / "app" / "sub").mkdir(parents=True)
    (root / "app" / "sub" / folder._begun("never")).write_bytes(b"hal")
    folder.discard(root, ["app", "sub", "never"])
    assert not (root / "app" / "sub").exists()
