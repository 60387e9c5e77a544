"""A mirror of the test's Debian archive in namespaces: an origin with rsync's daemon, a master, three nodes, HAProxy in front of them, and apt
in machines before it. What may go wrong there, and what must not be seen.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Self

import lbkit
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.machine.contract import Machine
from lbkit.machine.handle import machine
from lbkit.mirror.asking import answer
from lbkit.mirror.resolved import CONTROL, Mirrors, ResolvedMirror
from lbkit.mirror.talk.ends import Caller, Unheard
from tests.machine.world import until
from tests.mirror.apt import Apt
from tests.mirror.archive import SUITE, Archive, faults, publication_of

LB, ORIGIN, PORT = "10.82.0.10", "10.83.0.10", 8873
NODES = ("mirror-1", "mirror-2", "mirror-3")
KEEPER, NODE = "mirror-debian-keeper", "mirror-debian-node"


def topology(name: str, **changed: Any) -> dict[str, Any]:
    """`changed` are words of the mirror."""
    return {
        "lbkit": 1,
        "name": name,
        "networks": {"front": {"cidr": "10.82.0.0/16"}, "back": {"cidr": "10.83.0.0/24"}},
        "machines": {
            "lb": {"networks": {"front": {"addresses": LB}, "back": {}}},
            "mirror": {"count": 3, "networks": ["back"]},
            "store": {"networks": ["back"]},
            "origin": {
                "networks": {"back": {"addresses": ORIGIN}},
                "run": [
                    {
                        "name": "rsync",
                        # of one id it needs no other, wherever the test runs
                        "command": [
                            *("unshare", "--user", "--map-user=65534", "--map-group=65534"),
                            *("rsync", "--daemon", "--no-detach", "--config=rsyncd.conf"),
                        ],
                        "files": {"rsyncd.conf": {"source": "rsyncd.conf"}},
                        "ready": {"port": PORT},
                    }
                ],
            },
        },
        "mirrors": {
            "debian": {
                "upstream": f"rsync://{ORIGIN}:{PORT}/debian",
                "master": "store",
                "nodes": "mirror",
                "preset": "debian",
                "keep": 3,
                "freshness": {"contact": "3s"},
                **changed,
            }
        },
        "load_balancers": {
            "site": {
                "machines": "lb",
                "frontends": {"http": {"bind": 80, "backend": "debian"}},
                "backends": {"debian": {"servers": [{"mirror": "debian"}]}},
            }
        },
    }


@dataclass
class World:
    folder: Path
    host: Host
    scope: Scope
    archive: Archive
    pushed: float = 0.0

    @property
    def mirror(self) -> ResolvedMirror:
        return self.scope.of("mirror", Mirrors).by_name["debian"]

    def machine(self, member: str) -> Machine:
        return machine(self.scope, self.host, member)

    def pid(self, member: str, program: str) -> int:
        return self.machine(member).running()[program].pid

    def publish(self) -> None:
        self.archive.publish()
        self.push()

    def push(self) -> None:
        """As the archive's own machine does: until it is heard."""
        self.pushed = time.time()
        until(self._push_once, "the push is heard")

    def _push_once(self) -> bool:
        mirror = self.mirror
        address, key = str(mirror.inner[mirror.master]), mirror.keys.push().reveal()
        try:
            with Caller(address, mirror.ports.push, "push", key) as caller:
                return bool(caller.ask({"do": "push"}, timeout=10)["run"])
        except Unheard:
            return False

    def rests(self) -> bool:
        """Whether the keeper has had all that was pushed, and knows of nothing that is wrong."""
        status = self.asked("status")
        return (status["wanted"], status["running"], status["alarms"]) == (0, None, [])

    def asked(self, do: str, **words: Any) -> dict[str, Any]:
        """What the keeper answers."""
        keeper = self.machine("store")
        with keeper.connect(keeper.folder(KEEPER) / CONTROL) as connection:
            return answer(connection, {"do": do, **words})

    def served(self) -> list[int | None]:
        """The publication that each node has for whoever asks."""
        found: list[int | None] = []
        for node in NODES:
            url = f"http://{self.mirror.inner[node]}/debian/dists/{SUITE}/Release"
            try:
                with urllib.request.urlopen(url, timeout=5) as response:
                    found.append(publication_of(response.read().decode()))
            except OSError:
                found.append(None)
        return found

    def answers(self) -> bool:
        """Whether the load balancer lets clients in."""
        try:
            with urllib.request.urlopen(f"http://{LB}/debian/", timeout=5):
                return True
        except OSError:
            return False

    def stores(self) -> Iterator[Path]:
        yield Path(str(self.machine("store").folder(KEEPER)), "data", "store")
        for node in NODES:
            yield Path(str(self.machine(node).folder(NODE)), "data", "store")


@contextmanager
def standing(name: str, folder: Path, host: Host, **changed: Any) -> Iterator[World]:
    """The first publication serves, and the load balancer lets clients in."""
    archive = Archive(folder / "archive", folder / "work")
    (folder / "debian.key").write_text("k" * 40)
    (folder / "debian.key").chmod(0o600)
    (folder / "rsyncd.conf").write_text(
        f"port = {PORT}\nuse chroot = no\nread only = yes\nreverse lookup = no\n[debian]\npath = {archive.root}\n"
    )
    world = World(folder, host, lbkit.load_data(topology(name, **changed), folder), archive)
    try:
        lbkit.apply(world.scope, host)
        world.push()
        until(lambda: world.served() == [0, 0, 0], "the first publication serves")
        until(world.answers, "the load balancer has servers")
        yield world
    finally:
        lbkit.destroy(world.scope, host)


@dataclass
class Watched:
    """What one store published, by what clients may find there. `looked` are serials."""

    store: Path
    looked: set[int] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def look(self) -> None:
        """At what serves now, unless it was looked at before."""
        with suppress(OSError):  # it has gone meanwhile
            tree = (self.store / "current" / "0").resolve(strict=True)
            serial = int(tree.name.removeprefix("gen-"))
            if serial not in self.looked:
                found = faults(tree)
                if (self.store / "current" / "0").resolve(strict=True) == tree:
                    self.looked.add(serial)
                    self.wrong += [f"{tree}: {words}" for words in found]


@contextmanager
def meanwhile(*works: Callable[[], None]) -> Iterator[None]:
    """Each of them again and again, in a thread of its own. What they raise is raised at the end."""
    over = threading.Event()

    def run(work: Callable[[], None]) -> None:
        while not over.is_set():
            work()
            over.wait(0.05)

    with ThreadPoolExecutor(len(works)) as pool:
        done = [pool.submit(run, work) for work in works]
        try:
            yield
        finally:
            over.set()
            for each in done:
                each.result()


class Client:
    """Sessions of apt from the front network, each from a machine of its own: from an address that nobody had before.

    `steady`: all from one machine, that keeps the index that it read last.
    """

    def __init__(self, world: World, number: int, *, by_hash: bool = False, steady: bool = False) -> None:
        self._name = f"{world.scope.name}-c{number}"
        self._bridge = f"{world.scope.name}.front"
        self._address = IPv4Address(f"10.82.{16 * number}.0")
        self._steady = steady
        self._chance = random.Random(number)
        around = ("nsenter", f"--net={world.host.netns_dir}/{self._name}")
        self.apt = Apt(
            world.folder / self._name,
            f"http://{LB}/debian",
            world.archive.names,
            by_hash=by_hash,
            around=around,
        )

    def __enter__(self) -> Self:
        ip("netns", "add", self._name)
        ip("link", "add", self._name, "type", "veth", "peer", "eth0", "netns", self._name)
        ip("link", "set", self._name, "master", self._bridge, "up")
        ip("-n", self._name, "link", "set", "eth0", "up")
        self._become_another()
        return self

    def __exit__(self, *_error: object) -> None:
        ip("netns", "del", self._name)

    def session(self) -> None:
        if not self._steady:
            self._become_another()
        self.apt.session(self._chance)

    def _become_another(self) -> None:
        self._address += 1
        ip("-n", self._name, "address", "flush", "dev", "eth0")
        ip("-n", self._name, "address", "add", f"{self._address}/16", "dev", "eth0")
        self.apt.forget()


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@contextmanager
def lags(world: World, node: str) -> Iterator[None]:
    """Its agent stands still, while its web server goes on with what it has."""
    pid = world.pid(node, NODE)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def cut_off(world: World, node: str) -> Iterator[None]:
    """It reaches neither the master nor its neighbours; clients reach it."""
    others = [str(world.mirror.inner[other]) for other in ("store", *NODES) if other != node]

    def route(doing: str) -> None:
        for other in others:
            world.machine(node).execute(["ip", "route", doing, "blackhole", f"{other}/32"])

    route("add")
    try:
        yield
    finally:
        route("del")
