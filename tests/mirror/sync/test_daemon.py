"""rsync's daemon as an ordinary user has it: of one id, and not chrooted."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbkit.mirror.sync.rsync import Rsync
from lbkit.mirror.sync.upstream import RsyncDaemon
from tests.machine.world import until
from tests.mirror.serving.world import free_port, listens
from tests.mirror.sync.test_itemized import HOSTILE
from tests.mirror.tree.trees import found, lay

pytestmark = pytest.mark.sandbox


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    port = free_port()
    config = tmp_path / "rsyncd.conf"
    config.write_text(
        f"port = {port}\nuse chroot = no\nreverse lookup = no\n[module]\npath = {tmp_path / 'served'}\n"
    )
    one_id = ["unshare", "--user", "--map-user=65534", "--map-group=65534"]
    daemon = subprocess.Popen([*one_id, "rsync", "--daemon", "--no-detach", f"--config={config}"])
    try:
        until(lambda: listens(port) or daemon.poll() is not None, "it listens")
        yield port
    finally:
        daemon.kill()
        daemon.wait()


def test_files_come_from_a_folder_of_a_module(tmp_path: Path, port: int) -> None:
    tree = {b"in/" + name: name for name in HOSTILE}
    lay(tmp_path / "served" / "a" / "gen 1", tree)
    (tmp_path / "to" / "in").mkdir(parents=True)
    rsync = Rsync(RsyncDaemon("127.0.0.1", "module", "a/gen 1", port))
    assert {item.path for item in rsync.compare(tmp_path / "to") if item.kind == "f"} == {*tree}
    told = []
    rsync.get(tree, tmp_path / "to", told=lambda item: told.append(item.path))
    assert found(tmp_path / "to") == tree
    assert sorted(told) == sorted(tree)
