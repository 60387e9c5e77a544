"""A mirror of real machines loses its master: one command, and the nodes follow another."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbkit import operate
from lbkit.base.errors import LbkitError
from lbkit.base.host import Host
from lbkit.base.secrets import read_secret_file
from lbkit.faces.cli import main
from lbkit.machine.handle import machine
from lbkit.machine.netns.network import Namespace
from lbkit.mirror import operations
from lbkit.mirror.keys import Keys
from lbkit.mirror.node.agent import KEEPER
from lbkit.mirror.reach import mirror_of
from lbkit.mirror.talk.ends import Caller
from tests.faces.conftest import Ran
from tests.machine.world import until

pytestmark = pytest.mark.sandbox

NAME = "fprom"
TOPOLOGY = f"""\
lbkit: 1
name: {NAME}
networks:
  back: {{cidr: 10.94.1.0/24}}
machines:
  store: {{networks: [back]}}
  mirror: {{count: 3, networks: [back]}}
mirrors:
  debian:
    upstream: UPSTREAM
    master: 'store'   # who fetches
    nodes: mirror
    freshness: {{contact: 3s}}
"""


class World:
    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.host = Host(run_dir=folder / "run")
        self.file, self.upstream = folder / "lb.yml", folder / "upstream"
        self.upstream.mkdir()
        self.capfd = capfd
        self.text = TOPOLOGY.replace("UPSTREAM", str(self.upstream))
        self.file.write_text(self.text)
        assert main(["keygen", str(folder / "debian.key")]) == 0
        (self.upstream / "index").write_text("1")
        (self.upstream / "data").write_bytes(os.urandom(5000))

    def lbkit(self, *words: str) -> Ran:
        code = main([*words, "--run-dir", str(self.host.run_dir)])
        told = self.capfd.readouterr()
        return Ran(code, told.out, told.err)

    def mirror(self, word: str, *words: str) -> Any:
        ran = self.lbkit("mirror", word, str(self.file), *words, "--json")
        return ran.code, json.loads(ran.out)

    def folder(self, member: str, service: str) -> Path:
        return Path(machine(operate.load(self.file), self.host, member).folder(service))

    def served(self) -> list[str]:
        found = []
        for number in (1, 2, 3):
            index = self.folder(f"mirror-{number}", "mirror-debian-node") / "data/store/current/0/index"
            found.append(index.read_text())
        return found

    def lose_the_master(self) -> None:
        running = machine(operate.load(self.file), self.host, "store").running()["mirror-debian-keeper"]
        os.kill(running.pid, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{running.pid}/exe").exists(), "it is gone")
        shutil.rmtree(self.folder("store", "mirror-debian-keeper"))


@pytest.fixture
def world(capfd: pytest.CaptureFixture[str]) -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="fprom-", dir="/run"))  # the web server's user gets there
    folder.chmod(0o755)
    world = World(folder, capfd)
    try:
        ran = world.lbkit("apply", "--yes", str(world.file))
        assert ran.code == 0, ran.err
        assert world.mirror("sync", "debian")[0] == 0
        yield world
    finally:
        assert world.lbkit("destroy", "--yes", str(world.file)).code == 0
        shutil.rmtree(folder)


def test_a_lost_masters_place_is_taken_by_one_command(world: World) -> None:
    before = operate.load(world.file)
    (world.upstream / "index").write_text("2")
    assert world.mirror("sync", "debian")[0] == 0
    until(lambda: world.served() == ["2"] * 3, "all serve it")
    code, said = world.mirror("promote", "debian", "--yes")
    assert (code, said["error"]) == (1, "NotPromoted")  # it lives

    world.lose_the_master()
    damaged = world.folder("mirror-1", "mirror-debian-node") / "data/store/gen-2/data"
    content = damaged.read_bytes()
    damaged.write_bytes(content[::-1])  # the same size
    rows = {
        row.key.name: row for row in operate.status(before, world.host) if row.key.kind.startswith("mirror")
    }
    assert "3 of 3 nodes serve what they have" in rows["debian"].detail
    code, said = world.mirror("status")
    assert (code, said["mirrors"][0]["error"]["error"]) == (0, "KeeperAway")

    code, said = world.mirror("promote", "debian", "--yes")
    assert code == 0, said
    assert [each["damaged"] for each in said["verified"]] == [1, 0]
    assert (said["old"], said["new"], said["generation"]["serial"]) == ("store", "mirror-2", 2)
    assert said["status"]["committed"]["serial"] > 1000
    assert world.file.read_text() == world.text.replace("'store'", "'mirror-2'")
    assert world.lbkit("plan", str(world.file)).code == 0  # it is as declared

    (world.upstream / "index").write_text("3")
    assert world.mirror("sync", "debian")[0] == 0
    until(lambda: world.served() == ["3"] * 3, "they follow the new one")
    code, said = world.mirror("verify", "debian", "--mend")
    assert (code, said["left"], said["failed"]) == (0, 0, [])

    # what the old master knew opens nothing: it may come back
    mirror, now = mirror_of(before, "debian"), operate.load(world.file)
    secret = read_secret_file(world.file.parent / "debian.key")
    for master, heard in (("store", False), ("mirror-2", True)):
        key = Keys(secret, "debian", master).keeper("mirror-1").reveal()
        with Namespace(world.host, NAME, "store").entered():
            caller = Caller(str(mirror.inner["mirror-1"]), mirror.ports.agent, KEEPER, key)
            try:
                assert ("serving" in caller.ask({"do": "status", "heard": None}, timeout=10)) == heard
            except LbkitError:
                assert not heard
            finally:
                caller.close()
    assert operations.status(now, "debian", world.host).alarms == ()
