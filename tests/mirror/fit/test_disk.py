"""Whether a disk can have generations is found by doing, and nothing of that stays."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lbkit.base import syscalls
from lbkit.mirror.fit.disk import Content, Disk, disk
from lbkit.mirror.fit.told import Fit
from lbkit.mirror.serving.launch import Account

MIB = 1 << 20
READ_ONLY = 1  # MS_RDONLY, linux/mount.h


def looked(wanted: Disk, readers: Account | None = None) -> dict[str, Fit]:
    return {each.name: each for each in disk(wanted, readers)}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A disk of 8 MiB and 100 inodes."""
    path = tmp_path / "disk"
    path.mkdir()
    syscalls.mount("tmpfs", str(path), "tmpfs", 0, "size=8m,nr_inodes=100")
    return path


def test_one_that_can_is_left_as_it_was(tmp_path: Path) -> None:
    os.utime(tmp_path, (1, 2))
    before = tmp_path.stat()
    found = looked(Disk(tmp_path / "to" / "come"))
    assert all(each.good for each in found.values()), found
    after = tmp_path.stat()
    assert [*tmp_path.iterdir()] == []
    assert (after.st_atime_ns, after.st_mtime_ns, after.st_nlink) == (10**9, 2 * 10**9, before.st_nlink)


def failing(number: int) -> Callable[..., None]:
    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fails


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("link", "has no hard links: Operation not permitted"),
        ("rename", "does not replace one link by another"),
    ],
)
def test_one_that_cannot(call: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, call, failing(errno.EPERM))
    found = looked(Disk(tmp_path))["links, renames, modes"]
    assert not found.good
    assert words in found.found
    assert "ext4, xfs" in found.remedy
    assert [*tmp_path.iterdir()] == []


def test_a_copy_is_no_hard_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", lambda source, to: Path(to).write_bytes(Path(source).read_bytes()))
    assert "has no hard links" in looked(Disk(tmp_path))["links, renames, modes"].found


def test_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "gone").symlink_to("nowhere")
    for name in ("file", "gone"):
        (found,) = disk(Disk(tmp_path / name / "below"), None)
        assert not found.good
        assert str(tmp_path / name) in found.found


def test_a_folder_that_is_closed_to_its_readers(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "closed").mkdir(mode=0o700)
    stranger = Account("www-data", "www-data", 12345, 12345)
    found = looked(Disk(tmp_path / "closed" / "mirrors"), stranger)["way to the folder"]
    assert not found.good
    assert "lets nobody through" in found.found
    assert "chmod o+x" in found.remedy


@pytest.mark.sandbox
def test_space_and_inodes(small: Path) -> None:
    found = looked(Disk(small, least_free=4 * MIB, least_inodes=50))
    assert all(each.good for each in found.values()), found
    found = looked(Disk(small, least_free=9 * MIB, least_inodes=101))
    assert (found["space"].good, found["inodes"].good) == (False, False)
    assert f"8MiB free on tmpfs of {small}, 9MiB needed" in found["space"].found
    assert "a larger disk" in found["space"].remedy


@pytest.mark.sandbox
def test_what_stands_needs_no_space_any_more(small: Path) -> None:
    content = Content(size=4 * MIB, inodes=40, more_size=MIB + MIB // 4, more_inodes=10, keep=3)
    assert "9MiB needed" in looked(Disk(small, content))["space"].found.replace("7.8", "9")  # 4 + 3 of 1.25
    store = small / "mirror-1" / "debian" / "node" / "store"
    store.mkdir(parents=True)
    for serial in range(1, 6):
        (store / f"gen-{serial}").mkdir()
        (store / f"gen-{serial}.json").touch()
        needed = max(1, 4 - serial) * 1.25
        found = looked(Disk(small, content))
        assert f"{needed:.1f}".removesuffix(".0") + "MiB needed" in found["space"].found
        assert f"{max(1, 4 - serial) * 10} needed" in found["inodes"].found


@pytest.mark.sandbox
def test_a_disk_of_its_own(small: Path) -> None:
    assert looked(Disk(small, own=True))["disk of its own"].good
    found = looked(Disk(small / "below", own=True))["disk of its own"]
    assert not found.good
    assert f"none is mounted at {small / 'below'}" in found.found


@pytest.mark.sandbox
def test_a_disk_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    syscalls.mount("tmpfs", str(tmp_path / "disk"), "tmpfs", READ_ONLY)
    for folder in (tmp_path / "disk", Path("/proc/mirrors")):
        found = looked(Disk(folder))["links, renames, modes"]
        assert not found.good
        assert "may not be written" in found.found
        assert "mount its disk" in found.remedy
