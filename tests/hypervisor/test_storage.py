"""Pools and volumes against a real libvirtd: made, listed, full, foreign, gone."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbkit.base import syscalls
from lbkit.base.errors import Failure, Mistake
from lbkit.base.host import Host
from lbkit.hypervisor import images, pool, storage
from lbkit.hypervisor.connection import Connection, connect
from lbkit.hypervisor.daemon import Daemon
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.hypervisor.storage_xml import Volume
from tests.libvirtd import CACHE

pytestmark = pytest.mark.sandbox

MIB = 1 << 20


@pytest.fixture
def connection(hypervisor: ResolvedHost) -> Connection:
    return connect(hypervisor)


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the host were another machine: whatever comes into its pool, comes by libvirt."""
    monkeypatch.setattr(ResolvedHost, "local", property(lambda _: False))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "64M"], check=True)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def in_folder(connection: Connection) -> set[str]:
    return set(os.listdir(connection.host.path))


def test_nothing_stands_and_nothing_is_made_by_looking(connection: Connection) -> None:
    assert storage.volumes(connection) == {}
    storage.delete(connection, "any")
    assert not pool.retire(connection)
    assert not os.path.exists(connection.host.path)


def test_overlay_and_seed_and_gone_without_a_trace(connection: Connection, image: Path, host: Host) -> None:
    brought = images.bring(connection, image, digest(image), "qcow2", host)
    assert (brought.format, brought.capacity) == ("qcow2", 64 * MIB)
    disk = storage.overlay(connection, "web.lb-1.1.disk.qcow2", brought, size=128 * MIB)
    seed = storage.put(connection, "web.lb-1.1.seed.iso", b"seed" * 1000)
    assert (disk.format, disk.capacity, disk.backing) == ("qcow2", 128 * MIB, brought.path)
    assert Path(seed.path).read_bytes() == b"seed" * 1000
    assert os.stat(seed.path).st_mode & 0o777 == 0o600
    listed = storage.volumes(connection)
    assert listed[disk.name] == disk
    assert set(listed) == {disk.name, seed.name, brought.name}
    assert not pool.retire(connection), "there are volumes in it"
    for name in listed:
        storage.delete(connection, name)
        storage.delete(connection, name)
    assert pool.retire(connection)
    assert not os.path.exists(connection.host.path)
    assert image.exists()


def test_one_that_is_to_be_new_takes_nobodys_place(connection: Connection, image: Path, host: Host) -> None:
    brought = images.bring(connection, image, digest(image), "qcow2", host)
    theirs = Path(connection.host.path) / "theirs"
    for name in ("known", "theirs"):
        path = Path(storage.put(connection, name, b"data").path) if name == "known" else theirs
        path.write_bytes(b"data")
        with pytest.raises(storage.VolumeTaken, match=name):
            storage.put(connection, name, b"x", new=True)
        with pytest.raises(storage.VolumeTaken, match=name):
            storage.overlay(connection, name, brought, new=True)
        assert path.read_bytes() == b"data"


def test_each_is_made_anew_where_one_stands(connection: Connection, image: Path, host: Host) -> None:
    brought = images.bring(connection, image, digest(image), "qcow2", host)
    storage.overlay(connection, "disk", brought, size=128 * MIB)
    assert storage.overlay(connection, "disk", brought).capacity == 64 * MIB
    storage.put(connection, "seed", b"long" * 1000)
    assert Path(storage.put(connection, "seed", b"short").path).read_bytes() == b"short"
    Path(connection.host.path, "left").write_bytes(b"by a killed one, unknown to libvirt")
    assert Path(storage.put(connection, "left", b"mine").path).read_bytes() == b"mine"


def test_a_disk_smaller_than_its_image_is_a_mistake(connection: Connection) -> None:
    image = Volume("image", "/none", "qcow2", 64 * MIB)
    with pytest.raises(Mistake, match="was to hold its image"):
        storage.overlay(connection, "disk", image, size=32 * MIB)


def test_a_file_that_went_behind_libvirts_back(connection: Connection) -> None:
    os.unlink(storage.put(connection, "seed", b"x").path)
    assert storage.volumes(connection) == {}
    storage.delete(connection, "seed")
    assert storage.put(connection, "seed", b"y").capacity == 1


def test_another_pool_of_that_name_is_named_and_left_alone(connection: Connection) -> None:
    pool.ensure(connection)
    other = connect(replace(connection.host, path=connection.host.path + "-2"))
    for act in (storage.volumes, pool.ensure, pool.retire):
        with pytest.raises(pool.ForeignPool) as raised:
            act(other)
        assert raised.value.found == f"it is {connection.host.path}"
    other.close()


def test_a_pool_that_lbkit_did_not_make_stays(connection: Connection) -> None:
    path = connection.host.path
    text = f"<pool type='dir'><name>lbkit</name><target><path>{path}</path></target></pool>"
    with connection.doing("somebody makes a pool") as raw:
        raw.storagePoolDefineXML(text).build()
    assert storage.volumes(connection) == {}, "it is not started"
    storage.put(connection, "seed", b"x")
    storage.delete(connection, "seed")
    assert not pool.retire(connection)
    assert pool.find(connection) is not None


def test_an_image_is_linked_where_it_can_be(connection: Connection, image: Path, host: Host) -> None:
    brought = images.bring(connection, image, digest(image), "qcow2", host)
    assert os.path.samefile(brought.path, image)
    assert images.bring(connection, image, digest(image), "qcow2", host) == brought
    images.forget(connection, digest(image), "qcow2")
    images.forget(connection, digest(image), "qcow2")
    assert in_folder(connection) == set()
    assert image.exists()


def test_and_copied_where_not(
    connection: Connection, image: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def refuse(source: os.PathLike[str] | str, *more: object, **options: bool) -> None:
        if not str(source).startswith("/proc/"):
            raise OSError(errno.EXDEV, "another file system")
        link(source, *more, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.delenv("LBKIT_SANDBOX")
    brought = images.bring(connection, image, digest(image), "qcow2", host)
    assert not os.path.samefile(brought.path, image)
    assert Path(brought.path).read_bytes() == image.read_bytes()
    assert in_folder(connection) == {brought.name}


def test_from_another_file_system_a_sandbox_takes_it_by_its_name(
    connection: Connection, image: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(os, "link", refuse)
    brought = images.bring(connection, image, digest(image), "qcow2", host)
    assert os.readlink(brought.path) == str(image.resolve())
    assert brought.name in storage.volumes(connection)
    assert storage.overlay(connection, "disk", brought).backing == brought.path
    storage.delete(connection, brought.name)
    assert image.exists()


@pytest.mark.usefixtures("far")
def test_to_another_machine_it_is_uploaded(connection: Connection, image: Path, host: Host) -> None:
    brought = images.bring(connection, image, digest(image), "qcow2", host)
    assert (brought.format, brought.capacity) == ("qcow2", 64 * MIB)
    assert Path(brought.path).read_bytes() == image.read_bytes()
    assert images.bring(connection, image, digest(image), "qcow2", host) == brought
    assert storage.overlay(connection, "disk", brought).capacity == 64 * MIB
    storage.delete(connection, "disk")
    images.forget(connection, digest(image), "qcow2")
    assert in_folder(connection) == set()


@pytest.mark.usefixtures("far")
def test_half_an_upload_is_never_used(connection: Connection, image: Path, host: Host) -> None:
    name = images.name_of(digest(image), "qcow2")
    storage.put(connection, name, image.read_bytes()[:1000])  # and no word that it is whole
    brought = images.bring(connection, image, digest(image), "qcow2", host)
    assert brought.name == name
    assert Path(brought.path).read_bytes() == image.read_bytes()


@pytest.mark.parametrize("place", ["here", "there"])
def test_an_image_with_another_digest_is_not_brought(
    place: str, connection: Connection, image: Path, host: Host, request: pytest.FixtureRequest
) -> None:
    if place == "there":
        request.getfixturevalue("far")
    wanted = digest(image)
    with open(image, "r+b") as stream:
        stream.seek(50)
        stream.write(b"rotten")
    with pytest.raises(images.WrongDigest) as raised:
        images.bring(connection, image, wanted, "qcow2", host)
    assert wanted in raised.value.wanted
    assert raised.value.found == digest(image)
    assert in_folder(connection) == set()


def test_a_missing_image_is_a_failure(connection: Connection, host: Host, tmp_path: Path) -> None:
    with pytest.raises(Failure, match="No such file"):
        images.bring(connection, tmp_path / "none", "0" * 64, "qcow2", host)


@pytest.fixture
def small(host: Host) -> Iterator[ResolvedHost]:
    """A libvirtd whose pool has 2 MiB. Mounted before the daemon starts, whose mounts are its own."""
    place = host.run_dir / "small"
    place.mkdir(parents=True)
    syscalls.mount("tmpfs", str(place), "tmpfs", 0, "size=2m")
    daemon = Daemon(host.run_dir / "libvirt", cache=CACHE)
    daemon.start()
    yield ResolvedHost("small", daemon.uri, "lbkit", str(place))
    daemon.stop()
    syscalls.unmount(str(place))


@pytest.mark.parametrize("way", ["seed", "overlays", "copy", "upload"])
def test_a_full_pool_says_so_and_keeps_nothing_of_it(
    way: str, small: ResolvedHost, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect(small)
    large = tmp_path / "large"
    large.write_bytes(os.urandom(5 * MIB))
    before: set[str] = set()
    if way == "upload":
        monkeypatch.setattr(ResolvedHost, "local", property(lambda _: False))
    elif way == "copy":
        monkeypatch.delenv("LBKIT_SANDBOX")

    def overlays() -> None:
        for number in range(30):
            storage.overlay(connection, f"disk{number}", Volume("large", str(large), "raw", 5 * MIB))
            before.add(f"disk{number}")

    acts = {"seed": lambda: storage.put(connection, "seed", large.read_bytes()), "overlays": overlays}
    with pytest.raises(storage.PoolFull) as raised:
        acts.get(way, lambda: images.bring(connection, large, digest(large), "raw", host))()
    assert "lbkit" in raised.value.wanted
    assert "MiB are free" in raised.value.found
    assert "free " in raised.value.remedy
    assert in_folder(connection) == before
    connection.close()


@pytest.mark.parametrize("way", ["seed", "upload"])
def test_a_write_that_failed_in_silence_is_noticed(
    way: str, connection: Connection, image: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libvirt's upload may say that it succeeded where it did not."""
    monkeypatch.setattr(ResolvedHost, "local", property(lambda _: False))
    reads = storage._digest

    def damaged(raw: object, volume: Any, size: int) -> bytes:
        os.truncate(volume.path(), size // 2)
        os.truncate(volume.path(), size)
        return reads(raw, volume, size)

    monkeypatch.setattr(storage, "_digest", damaged)
    acts = {
        "seed": lambda: storage.put(connection, "seed", b"seed" * 1000),
        "upload": lambda: images.bring(connection, image, digest(image), "qcow2", host),
    }
    with pytest.raises(storage.HalfWritten):
        acts[way]()
    assert in_folder(connection) == set()


def test_an_empty_volume(connection: Connection) -> None:
    assert Path(storage.put(connection, "note", b"").path).read_bytes() == b""
    assert storage.volumes(connection)["note"].capacity == 0


@pytest.mark.parametrize("place", ["here", "there"])
def test_many_at_the_same_time(
    place: str, connection: Connection, image: Path, host: Host, request: pytest.FixtureRequest
) -> None:
    """Nobody's refresh, upload or new volume is in the way of another's."""
    if place == "there":
        request.getfixturevalue("far")

    def one(number: int) -> None:
        brought = images.bring(connection, image, digest(image), "qcow2", host)
        storage.overlay(connection, f"disk{number}", brought)
        storage.put(connection, f"seed{number}", b"x" * 100_000)
        assert {f"disk{number}", f"seed{number}"} <= set(storage.volumes(connection))
        storage.delete(connection, f"seed{number}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(one, range(24)))
    left = {name for name in storage.volumes(connection) if not name.startswith("_image.")}
    assert left == {f"disk{number}" for number in range(24)}
