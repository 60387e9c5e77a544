"""Where the secrets of a mirror are while it runs: in files for their owner alone, and nowhere else."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbkit import operate
from lbkit.base.host import Host
from lbkit.mirror.keys import Keys
from lbkit.mirror.reach import mirror_of
from tests.mirror.test_room import World

pytestmark = pytest.mark.sandbox

PASSWORD = b"upstream-says-sesame"


@pytest.fixture
def world(topology_name: str, tmp_path: Path, host: Host) -> Iterator[World]:
    world = World(topology_name, tmp_path, host)
    (tmp_path / "word").write_bytes(PASSWORD + b"\n")
    (tmp_path / "word").chmod(0o600)
    world.data["mirrors"]["two"] = {
        "upstream": {"url": "rsync://me@10.95.1.250/none/", "password": {"file": "word"}},
        "key": {"file": "two.key"},
        "master": "node-1",
        "nodes": "node",
        "publish": {"http": {"port": 8080}},
    }
    try:
        yield world
    finally:
        operate.apply(world.scope, host, absent=True)


def secrets(world: World) -> dict[str, bytes]:
    """All of them, by what they are for."""
    found = {"password": PASSWORD}
    for name in ("one", "two"):
        keys: Keys = mirror_of(world.scope, name).keys
        found |= {f"{name}.secret": keys.secret.reveal().strip(), f"{name}.push": keys.push().reveal()}
        found[f"{name}.neighbour"] = keys.neighbour().reveal()
        for node in ("node-1", "node-2"):
            found[f"{name}.keeper {node}"] = keys.keeper(node).reveal()
            found[f"{name}.rsync {node}"] = keys.password(node).reveal()
    assert len(set(found.values())) == len(found), "none is another's"
    return found


def of_processes() -> Iterator[tuple[str, bytes]]:
    """Of all that may be looked into: what anybody sees, and what their owner does."""
    for entry in Path("/proc").iterdir():
        for name in ("cmdline", "environ"):
            try:
                yield f"{entry.name} {name}", (entry / name).read_bytes()
            except OSError:
                continue


def test_no_secret_is_where_others_look(world: World) -> None:
    known = secrets(world)

    def found(content: bytes) -> list[str]:
        return [name for name, secret in known.items() if secret in content]

    plan = operate.plan(world.scope, world.host)
    assert found(json.dumps(plan.as_data()).encode()) == []
    assert found(repr(plan).encode()) == []
    world.apply()
    assert world.sync().serial == 1
    assert found(repr([*operate.status(world.scope, world.host)]).encode()) == []
    in_files: set[str] = set()
    for folder, _, names in os.walk(world.host.folder(world.data["name"])):
        for path in (Path(folder, name) for name in names):
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or not (here := found(path.read_bytes())):
                continue
            assert status.st_mode & 0o077 == 0, f"{path} has {here}"
            assert "journal" not in path.name
            in_files |= {*here}
    assert {"one.keeper node-1", "one.rsync node-2", "two.neighbour", "password"} <= in_files
    assert not {"one.secret", "two.secret"} & in_files, "what all are made of is on no machine"
    shown = [(where, found(content)) for where, content in of_processes()]
    assert len(shown) > 10, "keepers, agents, daemons"
    assert [each for each in shown if each[1]] == []
