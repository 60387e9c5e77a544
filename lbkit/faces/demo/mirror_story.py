"""The story of a mirror fleet: fifty publications while clients read, and what could go wrong meanwhile does."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lbkit import operate
from lbkit.engine.view import Health
from lbkit.faces.demo.leftovers import things
from lbkit.faces.demo.sessions import Clients
from lbkit.faces.demo.telling import Telling, copied
from lbkit.faces.out import Out
from lbkit.faces.render.plan import show_plan
from lbkit.machine.contract import Machine
from lbkit.machine.handle import machine
from lbkit.mirror import operations
from lbkit.mirror.answers import MirrorStatus
from lbkit.mirror.resolved import Mirrors
from lbkit.mirror.tree.store import Store

MIRROR = "archive"
PUBLICATIONS = 50
SESSION, KEEP = 10.0, 3  # seconds, and generations, as the example says
TURNED = 10  # the file of a node that turns bad


class MirrorStory(Telling):
    """`publications` in all: what goes wrong does so in the last half of them."""

    def __init__(self, out: Out, picture: Path, topology: Path, publications: int = PUBLICATIONS) -> None:
        super().__init__(out, picture, topology, patience=60.0)
        self.publications = publications
        self.published = 1
        self.late: list[str] = []  # nodes that HAProxy sent clients to, though they were too old

    def tell(self, *, keep: bool) -> int:
        """The exit code: 0 where every promise was kept. Whatever happens, the topology is taken down."""
        before = things()
        try:
            self.deploy()
            if keep:
                self.look_around(
                    f"lbkit mirror status {self.topology} {MIRROR}",
                    page=f"{MIRROR}/index.json",
                    path=f"{MIRROR}/mirror-1",
                )
            else:
                with Clients(self.clients, self.address, MIRROR) as clients:
                    self.publish_under_load()
                    self.lag()
                    self.cut_off()
                    self.kill_the_master()
                    self.rot()
                    self.roll_back()
                self.say(clients.summary())
                self.promise(
                    "no session of a client mixed two generations, and no file of an index was missing",
                    len(clients.sessions) > self.publications and all(each.good for each in clients.sessions),
                )
                self.promise("clients read what was published", len({s.number for s in clients.sessions}) > 3)
                self.apply_again()
                self.show()
        finally:
            self.take_down(before)
        return self.conclude()

    def deploy(self) -> None:
        self.chapter(
            "examples/mirrors.yml: an archive, a master that fetches it, three nodes, HAProxy in front"
        )
        plan = operate.plan(self.scope, self.host)
        show_plan(self.out, plan)
        operate.apply(self.scope, self.host)
        self.wait(self.all_up, "everything to be up")
        self.promise("everything that is declared stands and works", self.all_up())
        self.said(operations.status(self.scope, MIRROR, self.host))

    def publish_under_load(self) -> None:
        count = self.publications // 2
        self.chapter(f"{count} publications, each pushed, while clients read index and files")
        began = time.monotonic()
        for _ in range(count):
            self.publish()
        self.say(f"{count} publications on all nodes in {time.monotonic() - began:.1f} s")
        self.promise("each push became a generation that all nodes serve", self.serving() == {self.published})

    def lag(self) -> None:
        self.chapter("The agent of mirror-1 stands still for a while")
        with self.stopped("mirror-1", "mirror-archive-node"):
            for _ in range(self.share):
                self.publish(on={"mirror-2", "mirror-3"})
                self.look("mirror-1")
            self.wait(lambda: self.drained("mirror-1"), "HAProxy to take mirror-1 out")
            self.say("HAProxy sends nobody to mirror-1")
            # its web server goes on: who is in the middle of a session there ends it
        self.all_again("mirror-1")

    def cut_off(self) -> None:
        self.chapter("mirror-2 is cut off from the master and its neighbours")
        with self.cut("mirror-2"):
            for _ in range(self.share):
                self.publish(on={"mirror-1", "mirror-3"})
                self.look("mirror-2")
        self.all_again("mirror-2")

    def kill_the_master(self) -> None:
        self.chapter(
            "The master's keeper is killed in the middle of a sync, and what is pushed meanwhile waits"
        )
        keeper = machine(self.scope, self.host, "store")
        for _ in range(3):
            self.archive()
            operations.push(self.scope, MIRROR, self.host)
            running = keeper.running()["mirror-archive-keeper"]
            os.kill(running.pid, signal.SIGKILL)
            self.wait(lambda: "mirror-archive-keeper" not in keeper.running(), "it to be gone")
            plan = operate.plan(self.scope, self.host)
            operate.apply(self.scope, self.host)
            self.say(f"kill -9 {running.pid}; `lbkit apply`: {len(plan.changes)} change")
        self.wait(lambda: self.serving() == {self.published}, "all nodes to serve what was pushed last")
        self.promise("no push is lost when the master dies", self.serving() == {self.published})

    def rot(self) -> None:
        self.chapter(
            "A byte turns on a disk: `lbkit mirror verify --mend` finds it, and mends that file alone"
        )
        self.wait(lambda: bool(self.unread("mirror-3")), "a file that nobody reads any more")
        victim = self.unread("mirror-3")[0]
        content = bytearray(victim.read_bytes())
        content[TURNED] ^= 1
        status = victim.stat()
        victim.write_bytes(bytes(content))
        os.utime(victim, ns=(status.st_atime_ns, status.st_mtime_ns))
        found = operations.verify(self.scope, MIRROR, self.host, mend=True)
        self.say(
            f"{found.files} files read on {len(found.verified)} machines: {found.damaged} damaged, {found.mended} mended"
        )
        content[TURNED] ^= 1
        self.promise(
            "what rots on a disk is found and mended",
            found.damaged > 0 and found.left == 0 and victim.read_bytes() == bytes(content),
        )

    def roll_back(self) -> None:
        self.chapter("A bad publication is rolled back, and stays so until a person says `sync`")
        before = self.published
        self.publish()
        operations.rollback(self.scope, MIRROR, self.host)
        self.wait(lambda: self.serving() == {before}, "the nodes to serve the one before")
        operations.push(self.scope, MIRROR, self.host)
        held = operations.status(self.scope, MIRROR, self.host).held
        self.say(f"held: {held['why'] if held else 'not at all'}")
        operations.sync(self.scope, MIRROR, self.host)
        self.wait(lambda: self.serving() == {self.published}, "the nodes to go on")
        self.promise("a rollback reaches all nodes, and holds", held is not None)

    def apply_again(self) -> None:
        self.chapter("Apply once more: nothing to do")
        before = things()
        plan = operate.plan(self.scope, self.host)
        operate.apply(self.scope, self.host)
        self.promise("a second apply changes nothing and starts no process", not plan and things() == before)

    def take_down(self, before: frozenset[str]) -> None:
        self.chapter("It is taken down")
        operate.apply(self.scope, self.host, absent=True)
        left = sorted(things() - before)
        for thing in left:
            self.say(f"left: {thing}")
        self.promise("no namespace, link, process, table, mount or file is left", not left)

    # ---- what the chapters do

    @property
    def share(self) -> int:
        """Publications in each of the chapters where something is wrong."""
        return max(3, (self.publications - self.publications // 2 - 5) // 2)

    @property
    def clients(self) -> list[Machine]:
        return [machine(self.scope, self.host, f"client-{number}") for number in range(1, 5)]

    @property
    def address(self) -> str:
        return self.address_of("machines.lb")

    def archive(self) -> None:
        """Publish once more, at the origin."""
        origin = machine(self.scope, self.host, "origin")
        self.published += 1
        origin.signal("archive", signal.SIGHUP)
        index = origin.folder("archive") / "tree" / "index.json"
        wanted = b'{"number": %d,' % self.published
        self.wait(
            lambda: (origin.fetch(index) or b"").startswith(wanted), "the archive to publish", often=0.02
        )

    def publish(
        self, on: frozenset[str] | set[str] = frozenset({"mirror-1", "mirror-2", "mirror-3"})
    ) -> None:
        """Once more, pushed, until these nodes serve it."""
        self.archive()
        operations.push(self.scope, MIRROR, self.host)
        self.wait(
            lambda: all(self.number(node) == self.published for node in on),
            f"{', '.join(sorted(on))} to serve publication {self.published}",
            often=0.05,
        )

    def node_store(self, node: str) -> Path:
        return Path(machine(self.scope, self.host, node).folder("mirror-archive-node"), "data", "store")

    def unread(self, node: str) -> list[Path]:
        """Files that no client's session is at any more, of the newest generation that has such ones: no other has those files, too. Of those
        that are kept: what is older may go meanwhile.
        """
        store = Store(self.node_store(node))
        standing = [each.serial for each in store.generations()][-KEEP:]
        for serial, successor in zip(reversed(standing[:-1]), reversed(standing[1:]), strict=True):
            if time.time() - store.manifest(successor).stat().st_mtime >= 2 * SESSION:
                files = sorted((store.tree(serial) / "data").iterdir())
                if alone := [path for path in files if path.stat().st_nlink == 1]:
                    return alone
        return []

    def number(self, node: str) -> int:
        """The publication that a node serves; 0: none."""
        try:
            content = (self.node_store(node) / "current" / "0" / "index.json").read_text()
        except FileNotFoundError:
            return 0
        return int(content.split(",", 1)[0].rpartition(" ")[2])

    def serving(self) -> set[int]:
        return {self.number(node) for node in self.nodes}

    @property
    def nodes(self) -> tuple[str, ...]:
        return self.scope.of("mirror", Mirrors).by_name[MIRROR].nodes

    def drained(self, node: str) -> bool:
        return self.status("server", f"site/{MIRROR}/{node}").health is not Health.UP

    def look(self, node: str) -> None:
        """Whether HAProxy sends clients there, though it serves what is too old."""
        behind = self.published - self.number(node)
        if behind > 1 and not self.drained(node):
            self.late.append(f"{node} serves publication {self.published - behind} of {self.published}")

    def all_again(self, node: str) -> None:
        self.wait(lambda: self.number(node) == self.published, f"{node} to catch up")
        self.wait(lambda: not self.drained(node), f"{node} to get clients again")
        for words in self.late:
            self.say(words)
        self.promise(
            f"no client is sent to {node} while it is too old, and it comes back by itself", not self.late
        )
        self.late.clear()

    @contextmanager
    def stopped(self, node: str, service: str) -> Iterator[None]:
        running = machine(self.scope, self.host, node).running()[service]
        self.say(f"kill -STOP {running.pid}, {service} of {node}")
        os.kill(running.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(running.pid, signal.SIGCONT)

    @contextmanager
    def cut(self, node: str) -> Iterator[None]:
        """No packet from it reaches master and neighbours; the load balancer's health checks go on."""
        there = machine(self.scope, self.host, node)
        mirror = self.scope.of("mirror", Mirrors).by_name[MIRROR]
        others = [f"{address}/32" for name, address in mirror.inner.items() if name != node]
        self.say(f"in {node}: ip route add blackhole {' '.join(others)}")
        for other in others:
            there.execute(["ip", "route", "add", "blackhole", other])
        try:
            yield
        finally:
            for other in others:
                there.execute(["ip", "route", "del", "blackhole", other])

    def said(self, status: MirrorStatus) -> None:
        committed = status.committed or {}
        self.say(f"committed: generation {committed.get('serial')}, {str(committed.get('digest'))[:12]}")


def tell(out: Out, picture: Path, *, keep: bool) -> int:
    """Tell it inside a sandbox. The exit code."""
    with copied("mirrors.yml") as topology:
        return MirrorStory(out, picture, topology).tell(keep=keep)
