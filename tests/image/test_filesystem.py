"""A guest's file system out of an archive: right owners, what is left out, what is put over it, the same bytes again."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from lbkit.base.errors import Failure
from lbkit.image.filesystem import LABEL, make_filesystem, make_tree, overlay
from lbkit.image.isolation import remove_tree
from lbkit.image.progress import unwatched
from lbkit.image.recipe import Recipe, recipe_of

pytestmark = pytest.mark.sandbox

SIZE = 64 << 20


@pytest.fixture
def recipe() -> Recipe:
    return replace(recipe_of("debian-12-lb"), size=SIZE)


def root_archive(path: Path) -> Path:
    """What packages bring, in small: a file of another owner, a link, a host key, a unit that a package enabled."""
    files = {
        "./etc/hosts": b"from a package\n",
        "./etc/ssh/ssh_host_rsa_key": b"secret",
        "./etc/systemd/system/multi-user.target.wants/haproxy.service": b"",
        "./var/lib/haproxy/state": b"of haproxy",
        "./dev/null": b"",
        "./usr/bin/some program": b"x" * 100_000,
    }
    with tarfile.open(path, "w") as archive:
        folders = sorted(
            {"/".join(name.split("/")[:depth]) for name in files for depth in range(2, name.count("/") + 1)}
        )
        for name in folders:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, 1_600_000_000
            archive.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(content), 0o640, 1_600_000_000
            entry.uid, entry.gid = (110, 115) if "haproxy/" in name else (0, 0)
            archive.addfile(entry, io.BytesIO(content))
    return path


def made(recipe: Recipe, folder: Path, size: int = SIZE) -> Path:
    folder.mkdir()
    archive = root_archive(folder / "root.tar")
    tree = make_tree(recipe, archive, overlay(recipe, "deb mirror\n"), folder, unwatched)
    raw = make_filesystem(tree, folder / "disk.raw", size, unwatched)
    remove_tree(tree)
    return raw


def asked(raw: Path, request: str) -> str:
    done = subprocess.run(["debugfs", "-R", request, raw], capture_output=True, text=True, check=True)
    return done.stdout


def test_it_holds_what_packages_and_the_recipe_bring(recipe: Recipe, tmp_path: Path) -> None:
    raw = made(recipe, tmp_path / "one")
    assert subprocess.run(["e2fsck", "-fn", raw], capture_output=True, check=False).returncode == 0
    assert f"volume name:   {LABEL}" in asked(raw, "stats")
    assert "has_journal" in asked(raw, "stats")
    assert asked(raw, "cat /etc/hosts") == recipe.files["/etc/hosts"].content
    assert asked(raw, "cat /var/lib/haproxy/state") == "of haproxy"
    owner = asked(raw, "stat /var/lib/haproxy/state")
    assert "User:   110   Group:   115" in owner
    assert "Mode:  0640" in owner
    assert "Mode:  0755" in asked(raw, "stat /usr/lib/lbkit/boot")
    assert asked(raw, "ls /etc/ssh").count("ssh_host") == 0
    assert "haproxy.service" not in asked(raw, "ls /etc/systemd/system/multi-user.target.wants")
    assert "/dev/null" in asked(raw, "stat /etc/systemd/system/getty.target")


def test_the_same_files_make_the_same_bytes(recipe: Recipe, tmp_path: Path) -> None:
    first = made(recipe, tmp_path / "one")
    ticked = tmp_path / "ticked"  # what was unpacked in another second
    while not ticked.exists() or int(ticked.stat().st_mtime) == int(first.stat().st_mtime):
        ticked.touch()
    second = made(recipe, tmp_path / "two")
    assert hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(second.read_bytes()).digest()


def test_it_is_sparse(recipe: Recipe, tmp_path: Path) -> None:
    status = made(recipe, tmp_path / "one", size=2 << 30).stat()
    assert status.st_size == 2 << 30
    assert status.st_blocks * 512 < 64 << 20


def test_what_does_not_fit_is_told(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(Failure, match="fit a file system of 1 MiB"):
        made(recipe, tmp_path / "one", size=1 << 20)
