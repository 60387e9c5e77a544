"""The archive is one that apt takes, before and after each publication; and what apt does not take is told as a failure."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.mirror.apt import Apt
from tests.mirror.archive import MARKER, Archive, faults

pytestmark = pytest.mark.sandbox


def client(tmp_path: Path, archive: Archive, *, by_hash: bool) -> Apt:
    return Apt(tmp_path / "apt", f"copy:{archive.root}", archive.names, by_hash=by_hash)


@pytest.mark.parametrize("by_hash", [False, True])
def test_apt_takes_each_publication(tmp_path: Path, *, by_hash: bool) -> None:
    archive = Archive(tmp_path / "archive", tmp_path / "work", packages=4)
    apt = client(tmp_path, archive, by_hash=by_hash)
    for _ in range(5):
        assert apt.update(), apt.failures
        assert all(apt.download(name) for name in archive.names), apt.failures
        archive.publish()
    assert apt.seen == [0, 1, 2, 3, 4]
    assert apt.downloads == 20
    assert faults(archive.root) == []


def test_packages_are_made_where_the_cache_has_none(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive", tmp_path / "work", packages=2, cache=tmp_path / "none")
    archive.publish()
    assert archive.names == ["lbkit-test-0", "lbkit-test-1"]
    apt = client(tmp_path, archive, by_hash=False)
    assert apt.session(random.Random(0)), apt.failures


def test_a_publication_depends_on_its_number_alone(tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        archive = Archive(tmp_path / name, tmp_path / f"work-{name}", packages=3)
        archive.publish()
        files = [path for path in archive.root.rglob("*") if path.is_file()]
        found.append({str(path.relative_to(archive.root)): path.read_bytes() for path in files})
    assert found[0] == found[1]


def test_what_apt_does_not_take_is_a_failure(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive", tmp_path / "work", packages=2)
    apt = client(tmp_path, archive, by_hash=False)
    assert apt.update()
    archive.publish()
    gone = archive.names[1]
    assert not apt.download(gone)
    (release,) = archive.root.rglob("Release")
    was = release.read_bytes()
    assert apt.update()
    archive.publish()
    release.write_bytes(was)  # a mixed read: the Release file of one publication, the indices of the next
    (apt.folder / "lists").rename(apt.folder / "older")
    (apt.folder / "lists" / "partial").mkdir(parents=True)
    assert not apt.update()
    assert len(apt.failures) == 2
    assert "Hash Sum mismatch" in apt.failures[1] or "unexpected size" in apt.failures[1]
    assert faults(archive.root)
    archive.publish()
    assert faults(archive.root) == []
    (archive.root / MARKER).touch()
    assert faults(archive.root) == [f"{MARKER} is there"]
