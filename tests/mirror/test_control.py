"""What a person asks of a mirror's keeper: synced, watched, gone back, verified, mended; whoever is killed, whoever talks nonsense."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from lbkit.mirror.asking import SOCKET, KeeperFailed, KeeperRefused, answer
from lbkit.mirror.keeper.control import AT_ONCE, MOST
from lbkit.mirror.talk.lines import Closed, Lines
from tests.machine.world import until
from tests.mirror.controlled import Controlled
from tests.mirror.test_programs import NODES
from tests.mirror.tree.trees import Tree, found

pytestmark = pytest.mark.sandbox

ONE: Tree = {b"index": b"1", b"pool/a": b"aaa", b"pool/b": b"bb"}
TWO: Tree = {b"index": b"22", b"pool/a": b"aaa", b"pool/c": b"cccc"}
THREE: Tree = {b"index": b"333", b"pool/a": b"aaa!", b"pool/c": b"cccc"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Controlled]:
    os.chmod(tmp_path, 0o755)
    with ExitStack() as stack:
        world = Controlled(tmp_path, stack)
        for name in (*NODES, "master"):
            world.start(name)
        until(world.answers, "the keeper answers")
        yield world


def test_what_a_sync_would_do_and_does(world: Controlled) -> None:
    world.upstream(ONE)
    plan = world.ask(do="plan")
    assert plan["added"] == {"files": 3, "size": 6}
    assert plan["first"] == {"added": ["index", "pool/a", "pool/b"], "changed": [], "deleted": []}
    assert world.status()["generations"] == [], "nothing was changed"
    said = world.lines(do="sync", wait=30)
    end = said[-1]
    assert (end["run"]["came"], end["run"]["cause"], end["serial"], end["committed"]) == (
        "made",
        "person",
        1,
        True,
    )
    assert len(end["have"]) == len(NODES)
    assert next(each["run"] for each in said if "run" in each) == end["run"]
    progress = [each["progress"] for each in said if "progress" in each]
    assert all(each["phase"] in {"", "compare", "build", "fetch"} for each in progress)
    world.upstream(TWO)
    plan = world.ask(do="plan", most=1)
    counts = {
        name: plan[name]["files"] for name in ("added", "changed", "deleted", "relinked", "before", "after")
    }
    assert counts == {"added": 1, "changed": 1, "deleted": 1, "relinked": 1, "before": 3, "after": 3}
    assert plan["relinked"]["size"] == 3
    assert plan["first"] == {"added": ["pool/c"], "changed": ["index"], "deleted": ["pool/b"]}
    assert (plan["against"], plan["objections"]) == (1, [])
    world.ask(do="sync", wait=30)
    world.until_served(TWO, 2)
    status = world.status()
    assert status["committed"] == status["newest"]
    assert [each["serial"] for each in status["generations"]] == [2, 1]
    assert status["last"]["after"] == 2
    assert (status["running"], status["held"], status["wanted"], status["next"]["due"]) == (
        None,
        None,
        0,
        None,
    )
    assert {node["serving"] for node in status["nodes"].values()} == {2}
    [first, second] = world.ask(do="log", last=2)["runs"]
    assert (first["after"], second["after"]) == (2, 1)
    assert "add pool/c" in world.ask(do="run", run=first["id"])["words"]


def test_what_the_guards_hold_a_person_may_have_anyway(world: Controlled) -> None:
    world.publish(ONE)
    world.upstream({b"index": b"1"})
    [objection] = world.ask(do="plan")["objections"]
    assert "it would delete 2 of 3 files" in objection
    assert world.ask(do="sync")["run"]["came"] == "held"
    assert world.ask(do="sync", anyway=True)["run"]["came"] == "made"


def test_one_that_goes_away_in_the_middle_stops_nothing(world: Controlled) -> None:
    world.upstream(ONE)
    with world.connected() as connection:
        connection.sendall(b'{"do": "sync"}\n')
        connection.recv(1)
    until(lambda: world.status()["last"] is not None, "the run ends all the same")
    assert world.status()["last"]["came"] == "made"


def test_two_who_sync_at_once_are_had_one_after_the_other(world: Controlled) -> None:
    world.upstream(ONE)
    came: list[str] = []
    threads = [
        threading.Thread(target=lambda: came.append(world.ask(do="sync")["run"]["came"])) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(came) == ["made", "nothing", "nothing", "nothing"]


def test_a_keeper_killed_in_a_persons_sync_has_the_next_one_whole(world: Controlled) -> None:
    world.publish(ONE)
    big: Tree = {**ONE, b"big": os.urandom(1 << 20)}
    world.end("master", signal.SIGTERM)
    world.changes = {"bandwidth": 64 << 10}
    world.write("master", world.of_keeper())
    world.again("master")
    world.upstream(big)
    with world.connected() as connection:
        connection.sendall(b'{"do": "sync"}\n')
        lines = Lines(connection, 1 << 20)
        until(lambda: (lines.take() or {}).get("progress", {}).get("phase") == "fetch", "bytes move")
        running = world.status()["running"]
        assert (running["cause"], running["run"]["came"]) == ("person", "running")
        assert running["progress"]["of_size"] == 1 << 20
        with pytest.raises(KeeperFailed, match="a run is under way, by person"):
            world.ask(do="plan")
        world.end("master", signal.SIGKILL)
        with suppress(Closed):
            until(lambda: lines.take() is None, "nobody answers any more")
    world.changes = {}
    world.write("master", world.of_keeper())
    world.again("master")
    assert world.status()["last"]["came"] == "killed"
    assert world.tree("master") == ONE
    assert world.ask(do="sync", wait=30)["run"]["came"] == "made"
    world.until_served(big, 2)


def test_a_keeper_that_cannot_write_down_what_is_committed_lives_tells_and_goes_on(world: Controlled) -> None:
    """A disk that is full, as any that is not to be written: no node flips, and nobody has to start it anew."""
    world.publish(ONE)
    committed = world.root / "master" / "evidence" / "committed"
    committed.unlink()
    committed.mkdir()
    world.upstream(TWO)
    said = world.ask(do="sync", wait=0)
    assert said["run"]["came"] == "made"
    until(lambda: bool(world.status()["alarms"]), "it tells")
    assert "nodes cannot be led" in world.status()["alarms"][0]
    assert {world.store(name).serving() for name in NODES} == {1}
    committed.rmdir()
    world.until_served(TWO, 2)
    until(lambda: not world.status()["alarms"], "the alarm is over")


def test_back_to_what_was_and_held_until_a_person_says_so(world: Controlled) -> None:
    for tree in (ONE, TWO):
        world.publish(tree)
    said = world.ask(do="rollback", wait=30)
    assert (said["run"]["cause"], said["run"]["came"], said["serial"], said["committed"]) == (
        "rollback",
        "made",
        3,
        True,
    )
    assert (said["run"]["added"], said["run"]["changed"], said["run"]["deleted"]) == (1, 1, 1)
    world.until_served(ONE, 3)
    assert (said["held"]["why"], said["held"]["serial"]) == ("rollback", 1)
    world.push()
    assert world.status()["next"] == {"cause": "person", "due": None}
    assert world.status()["wanted"] == 1
    world.end("master", signal.SIGKILL)
    world.again("master")
    status = world.status()
    assert status["held"] == said["held"], "it outlives the keeper"
    assert (status["wanted"], status["next"]["due"]) == (1, None)
    with pytest.raises(KeeperRefused, match="these stand: 1, 2, 3"):
        world.ask(do="rollback", serial=7)
    assert world.ask(do="release")["held"] == said["held"]
    world.until_served(TWO, 4)
    assert world.ask(do="release")["held"] is None
    assert world.status()["wanted"] == 0
    assert world.ask(do="rollback", serial=3, wait=30)["serial"] == 5
    assert world.ask(do="sync", wait=30)["run"]["came"] == "made"
    assert world.status()["held"] is None
    world.until_served(TWO, 6)


def test_a_keeper_killed_in_a_rollback_has_it_whole_or_not_at_all(world: Controlled) -> None:
    for tree in (ONE, TWO, THREE):
        world.publish(tree)
    held = None
    for wait in (0.0, 0.01, 0.03, 0.1):
        with world.connected() as connection:
            connection.sendall(b'{"do": "rollback", "serial": 2}\n')
            threading.Event().wait(wait)
            world.end("master", signal.SIGKILL)
        world.again("master")
        status = world.status()
        assert held is None or status["held"] is not None, "it stays"
        held = status["held"]
        for each in status["generations"]:
            tree = {1: ONE, 2: TWO, 3: THREE}.get(each["serial"], TWO)
            assert world.tree("master", each["serial"]) == tree
    said = world.ask(do="rollback", serial=2, wait=30)
    world.until_served(TWO, said["serial"])
    assert world.status()["held"] == said["held"]


@pytest.mark.parametrize("name", ["master", *NODES])
def test_rot_is_found_and_mended_from_who_has_it_whole(world: Controlled, name: str) -> None:
    world.publish(ONE)
    world.publish(TWO)
    store = world.store(name)
    (store.tree(2) / "pool" / "a").write_bytes(b"bad")  # in both generations: it is one file
    (store.tree(2) / "index").unlink()
    (store.tree(1) / "foreign").write_bytes(b"f")
    with store.manifest(1).open("ab") as stream:
        stream.write(b"zzz\td\n")
    where = "" if name == "master" else name
    said = world.lines(do="verify")
    results = {
        each["verified"]["node"]: each["verified"]
        for each in said
        if "end" not in each and "verified" in each
    }
    assert {each: result["damaged"] for each, result in results.items()} == {
        each: 3 if each == where else 0 for each in ("", *NODES)
    }
    assert results[where]["left"] == 3
    assert {(each["serial"], each["path"]) for each in results[where]["first"]} == {
        (1, "(its manifest)"),
        (2, "index"),
        (2, "pool/a"),
    }
    assert (said[-1]["damaged"], said[-1]["mended"], said[-1]["failed"]) == (3, 0, [])
    assert (store.tree(2) / "pool" / "a").read_bytes() == b"bad", "nobody said that it is to be mended"
    mended = world.ask(do="verify", mend=True)
    assert (mended["mended"], mended["left"], mended["failed"]) == (4, 0, []), mended
    assert (world.tree(name, 1), world.tree(name, 2)) == (ONE, TWO)
    assert world.ask(do="verify", only=[where])["damaged"] == 0
    with pytest.raises(KeeperRefused, match="'nobody'"):
        world.ask(do="verify", only=["nobody"])


def test_what_nobody_has_whole_is_told_and_left(world: Controlled) -> None:
    world.publish(ONE)
    for name in ("master", *NODES):
        (world.store(name).tree(1) / "pool" / "a").write_bytes(b"bad")
    (world.store("master").tree(1) / "pool" / "b").write_bytes(b"BB")
    said = world.ask(do="verify", mend=True)
    assert (said["damaged"], said["mended"], said["left"]) == (4, 1, 3)
    assert sorted(said["failed"]) == ["", *NODES]
    assert (world.store("master").tree(1) / "pool" / "b").read_bytes() == b"bb"


def test_rot_in_what_the_next_generation_is_made_of_is_mended_too(world: Controlled) -> None:
    tree = dict(ONE)
    for number in range(5):
        tree[b"index"] = b"%d" % number * (number + 1)
        world.publish(tree)
    store = world.store("node-1")
    (store.tree(5) / "pool" / "a").write_bytes(b"bad")
    assert world.ask(do="verify", mend=True)["left"] == 0
    for number in range(5, 8):
        tree[b"index"] = b"%d" % number * (number + 1)
        world.publish(tree)
    assert world.ask(do="verify")["damaged"] == 0


NONSENSE = [
    b"\n",
    b"no json\n",
    b"[1]\n",
    b'"x"\n',
    b"{" * 5000 + b"\n",
    b"[" * 60_000 + b"\n",
    b"\xff\xfe\n",
    b"x" * (MOST + 2),
    b'{"do": null}\n',
    b'{"do": ["status"]}\n',
    b'{"do": "kill"}\n',
    b'{"do": "run", "run": "../../config"}\n',
    b'{"do": "log", "last": -1}\n',
    b'{"do": "log", "last": "5"}\n',
    b'{"do": "sync", "anyway": 1}\n',
    b'{"do": "sync", "wait": NaN}\n',
    b'{"do": "rollback", "serial": "1"}\n',
    b'{"do": "rollback", "serial": true}\n',
    b'{"do": "verify", "only": "node-1"}\n',
    b'{"do": "verify", "only": [{}]}\n',
    b'{"do": "plan", "most": {}}\n',
]


def test_nonsense_is_refused_and_does_nothing(world: Controlled) -> None:
    for nonsense in NONSENSE:
        with world.connected() as connection:
            connection.sendall(nonsense)
            said = Lines(connection, 1 << 20).take()
            assert said is not None, nonsense[:80]
            assert said["end"] == "failed", nonsense[:80]
            assert said["error"]["wanted"], nonsense[:80]
    assert world.ask(do="log")["runs"] == []


def test_many_clients_and_silent_ones_leave_room_and_none_is_cut_off(world: Controlled) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(world.connected()) for _ in range(AT_ONCE)]
        silent[0].sendall(b'{"do": "sta')
        assert "asked" in refused(world)["error"]["wanted"]
        silent[0].sendall(b'tus"}\n{"do": "log"}\n')
        lines = Lines(silent[0], 1 << 20)
        assert (lines.take() or {})["mirror"] == "debian"
        assert (lines.take() or {})["runs"] == []
    until(world.answers, "there is room again")


def refused(world: Controlled) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    def asked() -> bool:
        with world.connected() as connection:
            lines = Lines(connection, 1 << 20)
            said = lines.take()
            assert said is not None
            found.append(said)
            return True

    until(asked, "it says that it is full")
    return found[0]


def test_the_socket_is_its_owners_and_a_stale_one_is_replaced(world: Controlled) -> None:
    path = world.root / "master" / SOCKET
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    world.end("master", signal.SIGKILL)
    assert path.exists()
    world.again("master")
    world.end("master", signal.SIGTERM)
    assert not path.exists()
    path.write_text("somebody's")
    with pytest.raises(AssertionError, match="something else is there"):
        world.start("master")
    assert path.read_text() == "somebody's"


def test_a_folder_with_a_long_path_has_it_too(world: Controlled, tmp_path: Path) -> None:
    deep = world.root / ("d" * 100)
    world.end("master", signal.SIGTERM)
    (world.root / "master").rename(deep)
    (world.root / "master").symlink_to(deep)
    config = json.loads((deep / "config.json").read_text())
    (deep / "config.json").write_text(json.dumps(config))
    (world.root / "master").unlink()
    (world.root / "short").symlink_to(deep)
    world.root.joinpath("master").symlink_to(deep)
    world.start("master")
    until(world.answers, "it is found by another name")
    assert len(str(deep / SOCKET)) > 108
    assert found(deep / "store") is not None
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(world.root / "short" / SOCKET))
        assert answer(connection, {"do": "log"})["runs"] == []
