"""A keeper and its nodes, each with its own disk, talking over real sockets and getting by real rsync."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lbkit.base.clock import SystemClock
from lbkit.mirror.keeper.deciding import MASTER, Decided, Policy
from lbkit.mirror.keeper.fleet import Fleet
from lbkit.mirror.node.agent import KEEPER, NEIGHBOUR, Agent
from lbkit.mirror.node.contact import Contact
from lbkit.mirror.node.pulling import Pulling
from lbkit.mirror.sync.project import TRACE, Project
from lbkit.mirror.sync.rsync import Rsync
from lbkit.mirror.sync.runs import Runs
from lbkit.mirror.sync.syncing import Syncing
from lbkit.mirror.sync.upstream import Folder
from lbkit.mirror.talk.ends import Caller, Listener, Unheard
from lbkit.mirror.talk.sealed import Message
from lbkit.mirror.tree.store import Store
from tests.machine.world import until
from tests.mirror.tree.trees import Tree, found, lay

NAMES = ("a", "b", "c")
CONTACT = 0.4  # seconds
POLICY = Policy(quorum=2, max_lag=0, floor=1, contact=CONTACT, fan_out=2, asked_within=0.2, heard_within=0.2)
CLOCK = SystemClock()


def folder(path: Path) -> Folder:
    return Folder(str(path).lstrip("/"))


@dataclass
class RunningNode:
    """One node's agent with its two ports."""

    name: str
    root: Path
    sources: dict[str, Folder]
    ports: dict[str, int]
    port: int = 0
    check: int = 0
    agent: Agent = field(init=False)
    _open: list[socket.socket] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self._done = threading.Event()
        self.agent = Agent(
            Pulling("debian", Store(self.root), 3),
            Contact(CLOCK, CONTACT),
            self.sources,
            self.root.with_name(f"told-{self.name}"),
            CLOCK,
            [name for name in NAMES if name != self.name],
            self._ask,
        )
        self.agent.begin()
        listening = socket.create_server(("127.0.0.1", self.port))
        checked = socket.create_server(("127.0.0.1", self.check))
        self.port, self.check = listening.getsockname()[1], checked.getsockname()[1]
        self.ports[self.name] = self.port
        self._open = [listening, checked]
        keys = {KEEPER: key(self.name), NEIGHBOUR: key("all")}
        threading.Thread(target=Listener(listening, keys, self.agent.answer).run, daemon=True).start()
        threading.Thread(target=self.agent.serve_checks, args=(checked,), daemon=True).start()
        threading.Thread(target=self._listen, args=(self._done,), daemon=True).start()

    def _ask(self, name: str) -> bool | None:
        try:
            with Caller("127.0.0.1", self.ports[name], NEIGHBOUR, key("all")) as caller:
                return bool(caller.ask({"do": "kept"}, timeout=1.0)["kept"])
        except (Unheard, KeyError):
            return None

    def _listen(self, done: threading.Event) -> None:
        while not done.wait(0.05):
            self.agent.listen_to_neighbours()

    def cut(self) -> None:
        """As a cable that is pulled from the side of the keeper: the check port answers on."""
        self._open[0].shutdown(socket.SHUT_RDWR)
        self._open[0].close()

    def stop(self) -> None:
        self._done.set()
        for each in self._open:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
            finally:
                each.close()

    def checked(self) -> str:
        """What HAProxy would hear."""
        with socket.create_connection(("127.0.0.1", self.check), 5) as connection:
            return connection.makefile().read().strip()

    def tree(self) -> Tree:
        tree = found(self.root / "current" / "0")
        tree.pop(os.fsencode(TRACE))
        return tree


def key(name: str) -> bytes:
    return name.encode() * 32


class Hanging(Caller):
    """A node that takes what it is asked, and says nothing until it is `over`."""

    def __init__(self) -> None:
        self.asked = 0
        self.over = threading.Event()

    def ask(self, message: Message, *, timeout: float) -> Message:
        self.asked += 1
        assert self.over.wait(60)
        raise Unheard("c was to answer", found="it hangs")

    def close(self) -> None:
        self.over.set()


class World:
    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.root = root
        for name in ("upstream", "master", *NAMES):
            (root / name).mkdir()
        self.store = Store(root / "master")
        self.runs = Runs(root / "runs", CLOCK)
        ports: dict[str, int] = {}
        sources = {MASTER: folder(root / "master"), **{name: folder(root / name) for name in NAMES}}
        self.nodes = {name: RunningNode(name, root / name, sources, ports) for name in NAMES}
        for node in self.nodes.values():
            node.start()
            stack.callback(node.stop)
        self.voices: dict[str, Caller] = {}
        self.begin()
        stack.callback(self.close)

    def close(self) -> None:
        self.fleet.close()

    def begin(self) -> None:
        """A keeper, or another one after that has died."""
        for voice in self.voices.values():
            voice.close()
        self.voices = {
            name: Caller("127.0.0.1", node.port, KEEPER, key(name)) for name, node in self.nodes.items()
        }
        self.fleet = Fleet(
            self.store,
            self.voices,
            POLICY,
            CLOCK,
            self.root / "committed",
        )

    def sync(self, tree: Tree) -> int:
        for path in (self.root / "upstream").iterdir():
            os.unlink(path)
        lay(self.root / "upstream", tree)
        project = Project("debian", Rsync(folder(self.root / "upstream")))
        run = Syncing(project, self.store, self.runs, CLOCK).sync("person")
        assert run.came == "made", run
        return run.after

    def turn(self) -> Decided:
        decided = self.fleet.turn()
        time.sleep(0.02)
        return decided

    def until(self, condition: Callable[[], bool], what: str) -> None:
        def turned() -> bool:
            self.turn()
            return condition()

        until(turned, what)

    def serving(self) -> dict[str, int]:
        return {name: Store(node.root).serving() for name, node in self.nodes.items()}

    def checked(self) -> dict[str, str]:
        return {name: node.checked() for name, node in self.nodes.items()}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(tmp_path, stack)


ONE: Tree = {b"index": b"one", b"file": b"1"}
TWO: Tree = {b"index": b"two!", b"file": b"22"}
UP = "ready up"


def test_all_nodes_come_to_serve_what_is_committed(world: World) -> None:
    assert world.turn() == Decided()
    assert world.checked() == dict.fromkeys(NAMES, "drain"), "who has nothing does not serve"
    world.sync(ONE)
    world.until(lambda: world.serving() == dict.fromkeys(NAMES, 1), "all serve the first")
    world.until(lambda: world.checked() == dict.fromkeys(NAMES, UP), "and say so")
    world.sync(TWO)
    world.until(lambda: world.serving() == dict.fromkeys(NAMES, 2), "all serve the second")
    assert {name: node.tree() for name, node in world.nodes.items()} == dict.fromkeys(NAMES, TWO)
    assert world.store.serving() == 2
    world.until(lambda: world.turn() == Decided(), "nothing is left to do")


def test_one_that_is_cut_off_does_not_serve_what_is_old(world: World) -> None:
    """Its neighbours say that the keeper lives. Nothing is committed before it has had the time to hear that."""
    world.sync(ONE)
    world.until(lambda: world.checked() == dict.fromkeys(NAMES, UP), "all are ready")
    world.nodes["c"].cut()
    world.voices["c"].close()
    world.sync(TWO)

    def committed() -> bool:
        stale = world.fleet.committed is not None and world.fleet.committed[0] == 2
        if stale:
            assert world.nodes["c"].checked() == "drain", "before it was committed"
        return world.serving() == {"a": 2, "b": 2, "c": 1}

    world.until(committed, "the others go on")
    assert {world.nodes[name].checked() for name in "ab"} == {UP}
    world.nodes["c"].stop()
    world.nodes["c"].start()
    world.until(lambda: world.serving() == dict.fromkeys(NAMES, 2), "it comes back")
    world.until(lambda: world.checked() == dict.fromkeys(NAMES, UP), "and serves again")


def test_one_whose_tree_somebody_removed_is_drained_and_has_it_anew(world: World) -> None:
    world.sync(ONE)
    world.until(lambda: world.checked() == dict.fromkeys(NAMES, UP), "all are ready")
    shutil.rmtree(world.nodes["c"].root / "gen-1")
    assert world.nodes["c"].checked() == "drain", "at once: what clients would get is not what is committed"
    world.nodes["c"].agent.let_go()
    world.until(lambda: world.serving() == dict.fromkeys(NAMES, 1), "it gets it again")
    world.until(lambda: world.checked() == dict.fromkeys(NAMES, UP), "and serves again")
    assert world.nodes["c"].tree() == ONE


def test_nobody_waits_for_one_that_hangs(world: World) -> None:
    hanging = world.voices["c"] = Hanging()
    with ExitStack() as stack:
        stack.callback(hanging.over.set)
        world.sync(ONE)
        world.until(lambda: world.serving() == {"a": 1, "b": 1, "c": 0}, "the others go on")
        world.sync(TWO)
        world.until(lambda: world.serving() == {"a": 2, "b": 2, "c": 0}, "and on")
        assert hanging.asked == 1
        assert world.fleet.alarms == ()


def test_while_the_keeper_is_dead_all_serve_on_and_another_one_goes_on(world: World) -> None:
    world.sync(ONE)
    world.until(lambda: world.checked() == dict.fromkeys(NAMES, UP), "all are ready")
    deadline = time.monotonic() + 4 * CONTACT
    until(lambda: time.monotonic() > deadline, "nobody hears the keeper any more")
    until(lambda: world.checked() == dict.fromkeys(NAMES, UP), "its last word holds")
    world.sync(TWO)
    world.begin()
    assert world.fleet.committed is not None
    assert world.fleet.committed[0] == 1
    world.until(lambda: world.serving() == dict.fromkeys(NAMES, 2), "the next one goes on")


def test_without_a_quorum_nothing_is_committed_and_an_alarm_is_raised(world: World) -> None:
    world.sync(ONE)
    world.until(lambda: world.checked() == dict.fromkeys(NAMES, UP), "all are ready")
    for name in "bc":
        world.nodes[name].stop()
        world.voices[name].close()
    world.sync(TWO)
    world.until(lambda: bool(world.fleet.alarms), "somebody is told")
    assert world.fleet.alarms == ("2 cannot be committed: it needs 2 nodes, and nobody hears b, c",)
    assert world.nodes["a"].tree() == ONE
    for name in "bc":
        world.nodes[name].start()
    world.until(lambda: world.serving() == dict.fromkeys(NAMES, 2), "with them it is")
    world.until(lambda: not world.fleet.alarms, "the alarm is over")
