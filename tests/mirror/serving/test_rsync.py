"""Real rsync before stores: everybody reads what serves, nodes all of it, and a transfer ends in the tree that it began in."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lbkit.base.errors import Mistake
from lbkit.mirror.serving import rsyncd
from lbkit.mirror.sync.rsync import Rsync, RsyncFailed
from lbkit.mirror.sync.upstream import RsyncDaemon
from tests.machine.world import until
from tests.mirror.serving.test_http import TREES
from tests.mirror.serving.world import World, world_of

pytestmark = pytest.mark.sandbox


@pytest.fixture
def world() -> Iterator[World]:
    with world_of() as world:
        world.publish(1, TREES[1])
        yield world


def items(daemon: RsyncDaemon, tmp_path: Path) -> set[bytes]:
    (tmp_path / "to").mkdir(exist_ok=True)
    return {item.path for item in Rsync(daemon).compare(tmp_path / "to")}


def test_everybody_reads_what_serves_and_nodes_all_of_it(world: World, tmp_path: Path) -> None:
    world.start_rsync()
    world.publish(2, TREES[2])
    assert items(world.public(), tmp_path) == {
        *(b"data", b"only", b"folder-2", b"link"),
        *(b"index", b"data/file", b"only/2", b"same", b"folder-2/x"),
    }
    with pytest.raises(RsyncFailed, match="auth failed"):
        items(RsyncDaemon("127.0.0.1", "lbkit-debian", port=world.rsync), tmp_path)
    assert b"only/1" in items(world.inner("gen-1"), tmp_path)
    with pytest.raises(RsyncFailed, match="auth failed"):
        items(world.inner("gen-1", "another"), tmp_path)


def test_nobody_writes(world: World, tmp_path: Path) -> None:
    world.start_rsync()
    (tmp_path / "evil").write_text("x")
    done = subprocess.run(
        ["rsync", tmp_path / "evil", f"rsync://127.0.0.1:{world.rsync}/debian/"],
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0
    assert b"read only" in done.stderr


def test_secrets_are_the_daemons_alone_and_nobody_reads_as_root(world: World) -> None:
    world.start_rsync()
    assert os.stat(world.root / "rsync" / "lbkit-debian.secrets").st_mode & 0o777 == 0o600
    (world.store.tree(1) / "index").chmod(0o600)
    done = fetch(world, world.root / "to")
    assert done.returncode == 23
    assert "Permission denied" in done.stderr
    assert "pass word" not in world.log("rsync") + (world.root / "rsync" / rsyncd.CONFIG).read_text()


def fetch(world: World, to: Path, name: str = "debian") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["rsync", "-a", f"rsync://127.0.0.1:{world.rsync}/{name}/", to],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_store_may_come_later_and_modules_too(world: World, tmp_path: Path) -> None:
    world.start_rsync(world.module("later"))
    done = fetch(world, tmp_path / "to", "later")
    assert done.returncode == 5, "an error, and not an empty mirror, which a client would delete its own for"
    assert "@ERROR: chroot failed" in done.stderr
    modules = [world.module("later"), world.module()]
    world.write("rsync", {"address": "127.0.0.1", "port": world.rsync, "modules": modules})
    done = world.run("rsync", "reload")
    assert (done.returncode, done.stderr) == (0, "")
    os.symlink(world.root / "debian", world.root / "later")
    for name in ("later", "debian"):
        assert fetch(world, tmp_path / name, name).returncode == 0
        assert (tmp_path / name / "index").read_bytes() == b"1"


def slow(world: World, to: Path, name: str = "debian") -> subprocess.Popen[bytes]:
    """It takes a generation's large file a little at a time until it is told to end."""
    source = f"rsync://127.0.0.1:{world.rsync}/{name}/"
    process = subprocess.Popen(["rsync", "-a", "--bwlimit=1m", source, to], stderr=subprocess.PIPE)
    until(lambda: any(to.glob(".large.*")), "the transfer has begun")
    return process


def test_a_transfer_ends_in_the_tree_that_it_began_in(world: World, tmp_path: Path) -> None:
    content = os.urandom(3 << 20)
    world.publish(2, {**TREES[2], b"large": content, b"zz": b"of 2"})
    world.start_rsync()
    process = slow(world, tmp_path / "to")
    for number in range(3, 9):
        world.publish(number, {**TREES[number], b"zz": b"%d" % number})
    assert (world.store.root / "old-2" / "tree" / "zz").read_bytes() == b"of 2", "it is read"
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, b"")
    assert (tmp_path / "to" / "large").read_bytes() == content
    assert (tmp_path / "to" / "zz").read_bytes() == b"of 2"
    until(lambda: not world.store.prune(3) and not (world.store.root / "old-2").exists(), "it has gone")


def test_each_module_has_its_own_limit_of_connections(world: World, tmp_path: Path) -> None:
    world.publish(2, {b"large": os.urandom(3 << 20)})
    os.symlink(world.root / "debian", world.root / "other")
    world.start_rsync(world.module(connections=1), world.module("other", connections=1))
    process = slow(world, tmp_path / "to")
    done = fetch(world, tmp_path / "no")
    assert done.returncode != 0
    assert "max connections (1) reached" in done.stderr
    assert fetch(world, tmp_path / "other", "other").returncode == 0
    assert b"large" in items(world.inner("gen-2"), tmp_path), "nodes are not counted"
    process.kill()
    process.communicate()


def module(public: str, root: str, secrets: str = "/s") -> rsyncd.Module:
    return rsyncd.Module(public, "c", root, [], secrets)


WRONG: list[Callable[[], object]] = [
    lambda: rsyncd.config([module("a]\n[b", "/x")], address="::", port=1, locks="/l", ids=None),
    lambda: rsyncd.config([module("a", "/x\npath = /")], address="::", port=1, locks="/l", ids=None),
    lambda: rsyncd.config([module("a", "/x", "/s\n")], address="::", port=1, locks="/l", ids=None),
    lambda: rsyncd.secrets({"a:b": "x"}),
    lambda: rsyncd.secrets({"a": "x\nroot:y"}),
]


@pytest.mark.parametrize("make", WRONG)
def test_no_name_is_more_than_a_name(make: Callable[[], object]) -> None:
    with pytest.raises(Mistake):
        make()
