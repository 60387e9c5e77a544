"""A ready image taken into the store: its digest, its form, and what it must not lead QEMU to."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from lbkit.base.errors import Failure, LbkitError, Mistake
from lbkit.base.host import Host
from lbkit.image.adding import WrongDigest, add_image
from lbkit.image.progress import Step
from lbkit.image.store import Store
from tests.image.small import qcow2, sha256


def raw(path: Path) -> Path:
    with path.open("wb") as stream:
        stream.write(b"boot" * 128)
        stream.seek(3 << 20)
        stream.write(b"end." * 128)
    return path


def test_a_qcow2_file_is_kept_as_it_is(store: Store, tmp_path: Path) -> None:
    given = qcow2(tmp_path / "cloud.img")
    image, new = add_image(store, "cloud", given, sha256=sha256(given).upper())
    assert new
    assert (image.guest, image.digest, image.virtual_size) == ("cloud-init", sha256(given), 1 << 20)
    assert image.kernel_path is None
    assert image.disk_path.read_bytes() == given.read_bytes()
    assert store.find("cloud") == image
    assert store.verify("cloud") == image
    assert add_image(store, "cloud", given, sha256=sha256(given)) == (image, False)


def test_a_raw_file_becomes_qcow2_with_its_holes(store: Store, tmp_path: Path) -> None:
    given, steps = raw(tmp_path / "cloud.raw"), list[Step]()
    image, _ = add_image(store, "cloud", given, sha256=sha256(given), guest="lbkit", watch=steps.append)
    back = tmp_path / "back"
    subprocess.run(["qemu-img", "convert", "-O", "raw", image.disk_path, back], check=True)
    assert back.read_bytes() == given.read_bytes()
    assert image.disk.size < 1 << 20
    assert [path.name for path in image.folder.iterdir() if path.suffix != ".json"] == ["disk.qcow2"]
    assert {step.stage for step in steps} == {"copy", "convert"}


def test_a_wrong_digest_keeps_nothing(store: Store, tmp_path: Path) -> None:
    given = qcow2(tmp_path / "cloud.img")
    with pytest.raises(WrongDigest) as caught:
        add_image(store, "cloud", given, sha256="0" * 64)
    assert caught.value.found == sha256(given)
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize("digest", ["", "0" * 63, "g" * 64, "0" * 64 + "\n0"])
def test_a_digest_has_a_form(store: Store, tmp_path: Path, digest: str) -> None:
    with pytest.raises(Mistake, match="64 hexadecimal"):
        add_image(store, "cloud", qcow2(tmp_path / "cloud.img"), sha256=digest)


def refused(store: Store, given: Path) -> Mistake:
    with pytest.raises(Mistake) as caught:
        add_image(store, "cloud", given, sha256=sha256(given) if given.is_file() else "0" * 64)
    assert store.images() == []
    assert list(store.folder.iterdir()) == []
    return caught.value


def test_one_with_a_backing_file_could_read_the_hosts_files(store: Store, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * 1024)
    given = qcow2(tmp_path / "cloud.img", "-b", str(secret), "-F", "raw")
    assert "backing file" in refused(store, given).found


def test_one_with_an_external_data_file_could_as_well(store: Store, tmp_path: Path) -> None:
    given = qcow2(tmp_path / "cloud.img", "-o", f"data_file={tmp_path / 'data'}")
    assert "another file" in refused(store, given).found


def test_an_encrypted_one_is_of_no_use(store: Store, tmp_path: Path) -> None:
    given = qcow2(tmp_path / "cloud.img")
    content = bytearray(given.read_bytes())
    content[35] = 1  # crypt_method
    given.write_bytes(content)
    assert refused(store, given).found == "it is encrypted"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x1f\x8b" + bytes(600), "gzip"),
        (b"\xfd7zXZ\0" + bytes(600), "xz"),
        (b"KDMV" + bytes(600), "VMDK"),
        (b"", "sectors"),
        (bytes(1000), "sectors"),
        (b"QFI\xfb" + bytes(20), "ends too early"),
        (b"QFI\xfb\0\0\0\x09" + bytes(200), "version 9"),
    ],
)
def test_what_is_neither_qcow2_nor_raw(store: Store, tmp_path: Path, content: bytes, words: str) -> None:
    given = tmp_path / "cloud.img"
    given.write_bytes(content)
    assert words in refused(store, given).found


def test_a_broken_qcow2_file_is_found_before_it_is_kept(store: Store, tmp_path: Path) -> None:
    given = qcow2(tmp_path / "cloud.img")
    content = bytearray(given.read_bytes())
    content[40:48] = (1 << 40).to_bytes(8, "big")  # the L1 table lies far behind the end
    given.write_bytes(content)
    refused(store, given)


def test_no_device_no_pipe_and_no_folder_is_read(store: Store, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for given in (pipe, Path("/dev/zero"), tmp_path, tmp_path / "none"):
        refused(store, given)


def test_two_that_add_the_same_make_one(store: Store, tmp_path: Path) -> None:
    given, news = raw(tmp_path / "cloud.raw"), list[bool]()

    def one() -> None:
        news.append(add_image(store, "cloud", given, sha256=sha256(given))[1])

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(news) == [False, True]
    assert len(store.images()) == 1


@pytest.mark.sandbox
@pytest.mark.parametrize("room", [2, 5])
def test_a_full_disk_leaves_nothing_half(small_disk: Path, tmp_path: Path, room: int) -> None:
    """2 MiB: the copy has no place. 5: the copy of 3 has, the qcow2 file beside it has not."""
    given = tmp_path / "cloud.raw"
    given.write_bytes(os.urandom(3 << 20))
    (small_disk / "filler").write_bytes(bytes((8 - room) << 20))
    store = Store(Host(image_dir=small_disk / "images"))
    with pytest.raises(Failure) as caught:
        add_image(store, "cloud", given, sha256=sha256(given))
    assert "No space left" in str(caught.value) or "no space left" in str(caught.value)
    assert "free space" in caught.value.remedy
    assert list(store.folder.iterdir()) == []
    (small_disk / "filler").unlink()
    assert isinstance(caught.value, LbkitError)
    assert add_image(store, "cloud", given, sha256=sha256(given))[1], "and once there is room, it goes on"
