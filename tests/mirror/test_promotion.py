"""The master is lost: another one takes over what a node has, and one whose disk is lost goes on after what the nodes know."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from lbkit.mirror.tree.store import Store
from tests.machine.world import until
from tests.mirror.controlled import Controlled
from tests.mirror.test_control import ONE, THREE, TWO
from tests.mirror.test_programs import NODES

pytestmark = pytest.mark.sandbox


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Controlled]:
    os.chmod(tmp_path, 0o755)
    with ExitStack() as stack:
        world = Controlled(tmp_path, stack)
        for name in (*NODES, "master"):
            world.start(name)
        until(world.answers, "the keeper answers")
        yield world


@contextmanager
def watched(world: Controlled) -> Iterator[list[str]]:
    """What HAProxy hears of all nodes meanwhile, but for "ready up"."""
    until(lambda: all(world.checked(name) == "ready up" for name in NODES), "all may serve")
    heard: list[str] = []
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.02):
            heard.extend(f"{name}: {said}" for name in NODES if (said := world.checked(name)) != "ready up")

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield heard
    finally:
        done.set()
        thread.join()


def lose_the_disk(folder: Path) -> None:
    shutil.rmtree(folder / "store")
    shutil.rmtree(folder / "evidence")


def promote(world: Controlled, change: Callable[[Path], None]) -> None:
    world.changes = {"adopt": "../node-1/store"}
    world.write("master", world.of_keeper())
    world.again("master", change)


def test_a_new_master_takes_over_what_a_node_has_and_nobody_is_drained(world: Controlled) -> None:
    for tree in (ONE, TWO):
        world.publish(tree)
    with watched(world) as heard:
        world.end("master", signal.SIGKILL)
        promote(world, lose_the_disk)
        world.until_served(TWO, 1002)
        assert heard == []
    assert world.store("master").find(2) is None
    [run] = world.ask(do="log")["runs"][-1:]
    assert (run["cause"], run["came"], run["after"]) == ("promotion", "made", 1002)
    [note] = world.status()["notes"]
    assert "nodes serve 2, of which this disk knew nothing" in note
    assert world.publish(THREE) == 1003
    world.end("master", signal.SIGTERM)
    world.again("master")
    world.ask(do="sync")
    assert [each["cause"] for each in world.ask(do="log")["runs"]].count("promotion") == 1


def test_a_push_that_comes_with_the_promotion_is_a_sync_after_it(world: Controlled) -> None:
    world.publish(ONE)
    world.end("master", signal.SIGKILL)
    world.upstream(TWO)
    promote(world, lose_the_disk)
    world.push()
    world.until_served(TWO, 1002)
    came = [(each["cause"], each["came"]) for each in world.ask(do="log")["runs"] if each["came"] == "made"]
    assert came == [("push", "made"), ("promotion", "made")]


def test_a_keeper_killed_while_it_takes_over_does_it_again(world: Controlled) -> None:
    for tree in (ONE, TWO):
        world.publish(tree)
    world.end("master", signal.SIGKILL)
    lose_the_disk(world.root / "master")
    world.changes = {"adopt": "../node-1/store"}
    world.write("master", world.of_keeper())
    for wait in (0.05, 0.1, 0.15, 0.2, 0.3):
        world.start("master")
        threading.Event().wait(wait)
        world.end("master", signal.SIGKILL)
        for each in world.store("master").generations():
            assert (each.serial, world.tree("master", each.serial)) == (1002, TWO)
    world.start("master")
    world.until_served(TWO, 1002)


def test_one_whose_disk_is_lost_goes_on_after_what_the_nodes_know(world: Controlled) -> None:
    for tree in (ONE, TWO):
        world.publish(tree)
    with watched(world) as heard:
        world.end("master", signal.SIGKILL)
        world.again("master", lose_the_disk)
        status = world.status()
        until(lambda: world.status()["committed"] is not None, "it has asked the nodes")
        status = world.status()
        assert (status["committed"]["serial"], status["newest"]) == (2, None)
        assert "nodes serve 2" in status["notes"][0]
        said = world.ask(do="sync", wait=30)
        assert (said["serial"], said["committed"]) == (1002, True)
        assert "others have later ones" in said["run"]["why"]
        world.until_served(TWO, 1002)
        assert heard == []


def test_one_whose_store_alone_is_lost_goes_on_after_its_own_evidence(world: Controlled) -> None:
    for tree in (ONE, TWO):
        world.publish(tree)
    world.end("master", signal.SIGKILL)
    for name in NODES:
        world.end(name, signal.SIGTERM)
    world.again("master", lambda folder: shutil.rmtree(folder / "store"))
    assert world.ask(do="sync")["run"]["after"] == 1002
    for name in NODES:
        world.start(name)
    world.until_served(TWO, 1002)


def test_one_of_long_ago_does_not_take_the_nodes_back(world: Controlled) -> None:
    """Its disk is whole, and of before another master took over."""
    world.publish(ONE)
    world.end("master", signal.SIGTERM)
    shutil.copytree(world.root / "master", world.root / "old", symlinks=True)
    world.again("master")
    for tree in (TWO, THREE):
        world.publish(tree)
    world.end("master", signal.SIGKILL)

    def back(folder: Path) -> None:
        shutil.rmtree(folder)
        (world.root / "old").rename(folder)

    with watched(world) as heard:
        world.again("master", back)
        assert [each.serial for each in world.store("master").generations()] == [1]
        until(lambda: world.status()["committed"]["serial"] == 3, "it believes what a quorum serves")
        assert {Store(world.root / name / "store").serving() for name in NODES} == {3}
        assert world.ask(do="sync", wait=30)["serial"] == 1003
        world.until_served(THREE, 1003)
        assert heard == []
