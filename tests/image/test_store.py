"""The store: whole images or none, found by name, looked at when used, removed when nobody stands on them."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from lbkit.base.errors import Mistake
from lbkit.base.lock import Locked
from lbkit.image.image import DESCRIPTION, BrokenImage, check_name, check_reference, read_image
from lbkit.image.store import NoSuchImage, Store, UsedImage
from tests.image.small import stored


def test_where_nothing_was_ever_stored_there_is_nothing(store: Store) -> None:
    assert store.images() == []
    assert store.prune([]) == []
    with pytest.raises(NoSuchImage, match="image build debian-12-lb"):
        store.find("debian-12-lb")
    assert not store.folder.exists(), "looking makes nothing"


def test_what_was_stored_is_found_by_name_and_by_digest(store: Store) -> None:
    image = stored(store)
    assert store.find("small") == store.find(image.identity) == store.have("small", image.digest) == image
    assert store.images() == [image]
    assert image.disk_path.read_text(encoding="utf-8") == "disk.qcow2 1"
    assert read_image(image.folder, image.as_json()) == image
    assert {path.name for path in image.folder.iterdir()} == {"disk.qcow2", "vmlinuz", "initrd", DESCRIPTION}
    assert image.folder.stat().st_mode & 0o777 == 0o755
    assert image.disk_path.stat().st_mode & 0o777 == 0o644


def test_of_one_name_the_one_made_last_is_found(store: Store) -> None:
    old = stored(store, text="old", made="2030-01-01T00:00:00+00:00")
    new = stored(store, text="new", made="2030-01-02T00:00:00+00:00")
    assert store.find("small") == new
    assert store.find(old.identity) == old
    assert store.images() == [new, old]


def test_a_near_miss_is_told(store: Store) -> None:
    stored(store)
    with pytest.raises(NoSuchImage, match="did you mean 'small'"):
        store.find("smal")


@pytest.mark.parametrize(
    "reference", ["", "a/b", "../a", ".new-x", "A", "a@", "a@12345", "a@xyzxyz", "a b", "a\n", "a" * 64]
)
def test_a_name_is_no_path(store: Store, reference: str) -> None:
    with pytest.raises(Mistake):
        check_reference(reference)
    with pytest.raises(Mistake):
        store.find(reference)


def test_a_name_of_a_new_image_is_checked() -> None:
    assert check_name("debian-12.1_lb") == "debian-12.1_lb"
    with pytest.raises(Mistake):
        check_name("a@123456")


@pytest.mark.parametrize("file", ["disk.qcow2", "vmlinuz", "initrd"])
def test_a_file_cut_off_is_an_error_that_says_what_to_do(store: Store, file: str) -> None:
    image = stored(store)
    os.truncate(image.folder / file, 3)
    with pytest.raises(BrokenImage) as caught:
        store.find("small")
    assert file in caught.value.wanted
    assert caught.value.found == f"it has 3 bytes, not {len(file) + 2}"
    assert f"lbkit image remove {image.identity}" in caught.value.remedy


def test_a_file_gone_is_an_error(store: Store) -> None:
    image = stored(store)
    image.disk_path.unlink()
    with pytest.raises(BrokenImage, match="not there"):
        store.find("small")


def test_a_file_written_since_has_to_be_verified(store: Store) -> None:
    image = stored(store)
    image.disk_path.write_text("disk.qcow2 2", encoding="utf-8")
    with pytest.raises(BrokenImage, match="image verify"):
        store.find("small")
    with pytest.raises(BrokenImage, match="SHA-256"):
        store.verify("small")
    with pytest.raises(BrokenImage):
        store.find("small")


def test_what_was_only_touched_is_taken_again_once_it_was_read_whole(store: Store) -> None:
    image = stored(store)
    os.utime(image.disk_path, (1, 1))
    fractions: list[float] = []
    again = store.verify("small", fractions.append)
    assert fractions[-1] == 1.0
    assert fractions == sorted(fractions)
    assert store.find("small") == again


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"schema": "lbkit.image/2"}',
        b'{"schema": "lbkit.image/1", "disk": {"file": "../x", "sha256": "", "size": 1, "mtime_ns": 1}}',
    ],
)
def test_a_description_nobody_can_read_breaks_just_that_image(store: Store, text: bytes) -> None:
    broken, good = stored(store), stored(store, "good")
    (broken.folder / DESCRIPTION).write_bytes(text)
    assert store.images() == [good]
    assert len(store.broken()) == 1
    with pytest.raises(BrokenImage, match="remove the folder"):
        store.find("small")


def test_an_image_cannot_name_a_file_outside_its_folder(store: Store) -> None:
    image = stored(store)
    data = json.loads(image.as_json())
    data["disk"]["file"] = "../../etc/passwd"
    with pytest.raises(BrokenImage):
        read_image(image.folder, json.dumps(data).encode())


def test_a_draft_is_seen_by_nobody_and_leaves_nothing(store: Store) -> None:
    with contextlib.suppress(ZeroDivisionError), store.draft() as folder:
        (folder / "disk.qcow2").write_bytes(b"half")
        (folder / DESCRIPTION).write_bytes(b"{}")
        assert store.images() == []
        assert store.prune([]) == [], "somebody works on it"
        raise ZeroDivisionError
    assert list(store.folder.iterdir()) == []


def _killed(folder: Path) -> None:
    from lbkit.base.host import Host  # noqa: PLC0415

    store = Store(Host(image_dir=folder))
    with store.making("small"), store.draft() as draft:
        (draft / "tree").mkdir()
        (draft / "tree" / "file").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_build_left_is_pruned_and_blocks_nobody(store: Store) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_killed, args=(store.folder,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    (left,) = (path for path in store.folder.iterdir() if path.name.startswith(".new-"))
    image = stored(store)
    assert store.prune(["small"]) == [left.name]
    assert [path.name for path in store.folder.iterdir()] == [image.identity]


def test_one_at_a_time_builds_an_image_of_a_name(store: Store) -> None:
    with store.making("small"):
        with pytest.raises(Locked), store.making("small", timeout=0.1):
            pass
        with store.making("other", timeout=0.1):
            pass


def test_prune_removes_what_nobody_uses(store: Store) -> None:
    old = stored(store, text="old", made="2030-01-01T00:00:00+00:00")
    new = stored(store, text="new", made="2030-01-02T00:00:00+00:00")
    other = stored(store, "other")
    assert {image.identity for image in store.unused(["small", "gone"])} == {other.identity, old.identity}
    assert set(store.prune([old.identity, "other"])) == {new.identity}
    assert set(store.prune([])) == {old.identity, other.identity}
    assert list(store.folder.iterdir()) == []


def test_an_image_in_use_is_not_removed(store: Store) -> None:
    image = stored(store)
    with pytest.raises(UsedImage):
        store.remove("small", used=[image.identity])
    assert store.find("small") == image
    assert store.remove("small") == image
    with pytest.raises(NoSuchImage):
        store.remove("small")


def test_foreign_folders_in_the_store_stay(store: Store) -> None:
    stored(store)
    (store.folder / "lost+found").mkdir()
    store.prune([])
    assert [path.name for path in store.folder.iterdir()] == ["lost+found"]
