"""A mirror's sync to four nodes, verification included, by lbkit and by plain rsync to each.

    python bench/mirrors.py [--quick] [--files N] [--size BYTES] [--rounds N] [--folder PATH]

All of it is on one machine. The master has the new tree in a folder. By lbkit: a keeper and four nodes, each a process with a store of
its own, and rsync's daemon between them; from a push until all four serve the new generation, on the disk, each fetched file held
against its SHA-256; where nothing changed, until the run has ended that found it. By plain rsync: `rsync -a --delay-updates` of the
same tree, from a daemon of its own, into four folders, in turn and at once; and at once from folder to folder, where no byte goes
over TCP. Nothing is verified, and nothing is flushed to the disk.
It is not told to delete what has gone, and lbkit is.

Of 1 % of the files the content changes, spread over all folders, other ones in each round. Rounds alternate, and the disk is idle when
one begins. Before the first, so many generations were made that the one that leaves is made into the next; where none leaves yet
the tree is linked anew, which has a row of its own. Processor time is that of all processes of a way together, the daemon's too,
with what lbkit does after the flip: it makes what left ready for the next sync.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import lbkit
from lbkit.base.clock import SystemClock
from lbkit.base.sandbox import inside
from lbkit.mirror.serving import rsyncd
from lbkit.mirror.sync.runs import Run, Runs
from lbkit.mirror.talk.ends import Caller
from lbkit.mirror.tree.store import Store

NODES = ("node-1", "node-2", "node-3", "node-4")
KEEP = 3
IN_FOLDER = 100  # files
PATIENCE = 600.0  # seconds for one sync
PLAIN = ("rsync", "-a", "--delay-updates")


@dataclass(frozen=True)
class Took:
    """Seconds, and seconds of processor of all processes that worked on it."""

    seconds: float
    processor: float


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])


def wait(condition: Callable[[], bool], what: str, *, every: float = 0.002) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"{what}: it did not come within {PATIENCE:.0f} s")
        time.sleep(every)


@dataclass
class Upstream:
    """The tree of the master. Sizes stay, times change: as a mirror's files do, and rsync sees them."""

    root: Path
    files: int
    size: int
    _now: int = 0

    def lay(self) -> None:
        for number in range(self.files):
            path = self.path(number)
            if number % IN_FOLDER == 0:
                path.parent.mkdir(parents=True)
            self._put(path, number)

    def change(self) -> None:
        """Every hundredth file."""
        self._now += 1
        for number in range((self._now * 37) % 100, self.files, 100):
            self._put(self.path(number), number)

    def path(self, number: int) -> Path:
        return self.root / f"pool-{number // IN_FOLDER:05d}" / f"package_{number:07d}_amd64.deb"

    def _put(self, path: Path, number: int) -> None:
        seed = b"%d of %d\n" % (number, self._now)
        path.write_bytes((seed * (self.size // len(seed) + 1))[: self.size])
        os.utime(path, (1_700_000_000 + self._now, 1_700_000_000 + self._now))


@dataclass
class Fleet:
    """lbkit's keeper and nodes, and the two daemons: that of the nodes, and that of plain rsync."""

    root: Path
    upstream: Path
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @contextmanager
    def running(self) -> Iterator[None]:
        self.ports = {
            name: free_port()
            for name in ("rsync", "plain", "push", *NODES, *(f"check-{name}" for name in NODES))
        }
        with ExitStack() as stack:
            for name in ("master", *NODES):
                (self.root / name / "store").mkdir(parents=True)
            self._rsyncd(stack)
            for name in NODES:
                self._start(stack, name, "node", self._of_node(name))
            self._start(stack, "master", "keeper", self._of_keeper())
            yield

    def sync(self) -> Run:
        """From a push until its run has ended, and all nodes serve what it made."""
        with Caller("127.0.0.1", self.ports["push"], "push", b"p" * 32) as caller:
            number = caller.ask({"do": "push"}, timeout=60)["run"]
        runs = Runs(self.root / "master" / "runs", SystemClock())
        wait(lambda: runs.taken() >= number, "a run")
        run = next(iter(runs.all()))
        if run.came not in {"made", "nothing"}:
            sys.exit(f"a run came to {run.came}: {run.why}")
        serving = run.after or run.before
        wait(
            lambda: all(Store(self.root / name / "store").serving() == serving for name in NODES),
            "all nodes' new generation",
        )
        return run

    def at_rest(self) -> bool:
        """Whether what left is ready for the next sync everywhere: what is done after a flip is over."""
        for name in ("master", *NODES):
            store = Store(self.root / name / "store")
            standing, spare = store.generations(), store.spare()
            if len(standing) > KEEP or (spare and not store.is_ready(spare, standing[-1].serial)):
                return False
        return True

    def processor(self) -> float:
        """Seconds of all of its processes so far, and of those that they waited for."""
        ticks = 0
        for process in self.processes.values():
            fields = Path(f"/proc/{process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
            ticks += sum(int(each) for each in fields[11:15])
        return ticks / os.sysconf("SC_CLK_TCK")

    def peak(self, name: str) -> float:
        """MiB that the process had at most."""
        for line in Path(f"/proc/{self.processes[name].pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def plain(self, target: Path) -> list[str]:
        return [*PLAIN, f"rsync://127.0.0.1:{self.ports['plain']}/plain/", f"{target}/"]

    def _rsyncd(self, stack: ExitStack) -> None:
        folder = self.root / "rsync"
        folder.mkdir()
        secrets = folder / "secrets"
        secrets.write_text(rsyncd.secrets(dict.fromkeys(NODES, "word")))
        secrets.chmod(0o600)
        store = str(self.root / "master" / "store")
        module = rsyncd.Module("bench", "lbkit-bench", store, NODES, str(secrets))
        port = self.ports["rsync"]
        text = rsyncd.config([module], address="127.0.0.1", port=port, locks=str(folder), ids=(0, 0))
        self._daemon(stack, "rsync", text)
        text = f"port = {self.ports['plain']}\naddress = 127.0.0.1\n[plain]\npath = {self.upstream}\n"
        self._daemon(stack, "plain", text)

    def _daemon(self, stack: ExitStack, name: str, text: str) -> None:
        config = self.root / f"{name}.conf"
        config.write_text(text)
        argv = ["rsync", "--daemon", "--no-detach", f"--config={config}"]
        self._run(stack, name, argv, self.ports[name])

    def _start(self, stack: ExitStack, name: str, room: str, data: dict[str, Any]) -> None:
        config = self.root / name / "config.json"
        config.write_text(json.dumps(data))
        code = (
            "import sys; sys.path.insert(0, sys.argv.pop(1)); "
            f"from lbkit.mirror.{room}.main import main; sys.exit(main(sys.argv[1:]))"
        )
        argv = [sys.executable, "-I", "-S", "-c", code, str(Path(lbkit.__file__).parents[1])]
        port = self.ports["push" if room == "keeper" else name]
        self._run(stack, name, [*argv, "serve", str(config)], port)

    def _run(self, stack: ExitStack, name: str, argv: list[str], port: int) -> None:
        log = stack.enter_context((self.root / f"{name}.log").open("ab"))
        process = self.processes[name] = stack.enter_context(
            subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        )
        stack.callback(process.terminate)

        def listens() -> bool:
            if process.poll() is not None:
                sys.exit(f"{name} ended: {(self.root / f'{name}.log').read_text()}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait(listens, name)

    def _secret(self, folder: str, name: str, word: str) -> str:
        path = self.root / folder / name
        path.write_text(word)
        path.chmod(0o600)
        return name

    def _of_keeper(self) -> dict[str, Any]:
        return {
            "project": "bench",
            "keep": KEEP,
            "store": "store",
            "runs": "runs",
            "upstream": {"kind": "folder", "path": str(self.upstream).lstrip("/")},
            "exclude": [],
            "markers": [],
            "stages": [],
            "guard": {"delete": 0.05, "shrink": 0.2, "min_files": 1},
            "bandwidth": None,
            "silence": 60,
            "schedule": None,
            "policy": {"quorum": len(NODES), "max_lag": 1, "floor": 1, "contact": 5.0, "fan_out": len(NODES)},
            "nodes": {
                name: [
                    "127.0.0.1",
                    self.ports[name],
                    self._secret("master", f"{name}.key", name[-1] * 32),
                ]
                for name in NODES
            },
            "listen": [["127.0.0.1", self.ports["push"]]],
            "keys": {"push": self._secret("master", "push.key", "p" * 32)},
        }

    def _of_node(self, name: str) -> dict[str, Any]:
        self._secret(name, "password", "word")
        return {
            "project": "bench",
            "keep": KEEP,
            "store": "store",
            "bandwidth": None,
            "contact": 5.0,
            "listen": [["127.0.0.1", self.ports[name]]],
            "check": [["127.0.0.1", self.ports[f"check-{name}"]]],
            "keys": {
                "keeper": self._secret(name, "keeper.key", name[-1] * 32),
                "neighbour": self._secret(name, "neighbour.key", "n" * 32),
            },
            "sources": {
                "": {
                    "kind": "rsync",
                    "host": "127.0.0.1",
                    "port": self.ports["rsync"],
                    "module": "lbkit-bench",
                    "user": name,
                    "password_file": str(self.root / name / "password"),
                }
            },
            "neighbours": {other: ["127.0.0.1", self.ports[other]] for other in NODES if other != name},
        }


@dataclass
class Bench:
    fleet: Fleet
    upstream: Upstream
    targets: list[Path]
    found: dict[str, list[Took]] = field(default_factory=dict)

    def note(self, what: str, step: Callable[[], None]) -> None:
        os.sync()
        used, began = self._processor(), time.perf_counter()
        step()
        seconds = time.perf_counter() - began
        wait(self.fleet.at_rest, "the end of what is done after a flip", every=0.1)
        took = Took(seconds, self._processor() - used)
        self.found.setdefault(what, []).append(took)
        print(
            f"{what}: {took.seconds:.3f} s, {took.processor:.2f} of processor, load {os.getloadavg()[0]:.1f}",
            file=sys.stderr,
            flush=True,
        )

    def lbkit(self, came: str) -> None:
        run = self.fleet.sync()
        if run.came != came:
            sys.exit(f"a run was to come to {came}: {run}")

    def in_turn(self) -> None:
        for target in self.targets:
            subprocess.run(self.fleet.plain(target), check=True)

    def at_once(self) -> None:
        self._together(self.fleet.plain(target) for target in self.targets)

    def by_folder(self) -> None:
        self._together([*PLAIN, f"{self.upstream.root}/", f"{target}/"] for target in self.targets)

    def _together(self, commands: Iterable[list[str]]) -> None:
        processes = [subprocess.Popen(command) for command in commands]
        if max(process.wait() for process in processes):
            sys.exit("a plain rsync failed")

    def rounds(self, rounds: int) -> None:
        self.note("first", lambda: self.lbkit("made"))
        self.note("plain, first", self.at_once)
        for _ in range(KEEP):
            self.upstream.change()
            self.note("linked", lambda: self.lbkit("made"))
        self.upstream.change()
        self.lbkit("made")  # the first that is made of what leaves
        self.at_once()
        plain = [("in turn", self.in_turn), ("at once", self.at_once), ("by folder", self.by_folder)]
        for number in range(rounds):
            for way, step in (plain, plain[::-1])[number % 2]:
                for what, came in (("nothing", "nothing"), ("changed", "made")):
                    if what == "changed":
                        self.upstream.change()
                    steps: list[tuple[str, Callable[[], None]]] = [
                        ("lbkit", partial(self.lbkit, came)),
                        (way, step),
                    ]
                    for name, each in (steps, steps[::-1])[number % 2]:
                        self.note(f"{name}, {what}", each)

    def _processor(self) -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return self.fleet.processor() + children.ru_utime + children.ru_stime


ROWS = (
    ("nothing changed: lbkit", "lbkit, nothing", "at once, nothing"),
    ("nothing changed: rsync at once", "at once, nothing", "at once, nothing"),
    ("nothing changed: rsync at once, folder to folder", "by folder, nothing", "at once, nothing"),
    ("nothing changed: rsync in turn", "in turn, nothing", "at once, nothing"),
    ("1 % changed: lbkit", "lbkit, changed", "at once, changed"),
    ("1 % changed: lbkit, no generation leaves yet", "linked", "at once, changed"),
    ("1 % changed: rsync at once", "at once, changed", "at once, changed"),
    ("1 % changed: rsync at once, folder to folder", "by folder, changed", "at once, changed"),
    ("1 % changed: rsync in turn", "in turn, changed", "at once, changed"),
    ("from nothing: lbkit", "first", "plain, first"),
    ("from nothing: rsync at once", "plain, first", "plain, first"),
)


def table(found: dict[str, list[Took]]) -> Iterable[str]:
    yield "| until all four have it | fastest, s | median, s | times rsync at once | processor, s | times |"
    yield "|---|--:|--:|--:|--:|--:|"
    for name, key, against in ROWS:
        ours, other = found[key], found[against]
        seconds, used = median(ours, "seconds"), median(ours, "processor")
        yield (
            f"| {name} | {min(each.seconds for each in ours):.2f} | {seconds:.2f} "
            f"| {seconds / median(other, 'seconds'):.2f} | {used:.2f} | {used / median(other, 'processor'):.2f} |"
        )


def median(rows: list[Took], what: str) -> float:
    return float(statistics.median(getattr(each, what) for each in rows))


def measured(folder: Path, files: int, size: int, rounds: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        upstream = Upstream(folder / "upstream", files, size)
        upstream.lay()
        fleet = Fleet(folder / "fleet", upstream.root)
        targets = [folder / "plain" / name for name in NODES]
        for target in targets:
            target.mkdir(parents=True)
        bench = Bench(fleet, upstream, targets)
        with fleet.running():
            bench.rounds(rounds)
            peaks = fleet.peak("master"), max(fleet.peak(name) for name in NODES)
        print(f"{files:,} files of {size:,} bytes, 4 nodes; {rounds} rounds\n")
        print("\n".join(table(bench.found)))
        print(f"\nAt most the keeper had {peaks[0]:.0f} MiB of memory, and a node {peaks[1]:.0f} MiB.\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="2 rounds of 5,000 files")
    parser.add_argument("--files", type=int, help="of --size bytes, in place of both worlds")
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--rounds", type=int)
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(__file__).resolve().parents[1] / "build" / "bench-mirrors",
        help="on the disk that is measured; it is emptied",
    )
    arguments = parser.parse_args()
    if not inside():
        sys.exit("run it in a sandbox: lbkit sandbox -- python bench/mirrors.py")
    rounds = arguments.rounds or (2 if arguments.quick else 5)
    worlds = [(2000, 100_000), (5000 if arguments.quick else 20_000, 1000)]
    if arguments.files:
        worlds = [(arguments.files, arguments.size)]
    for files, size in worlds:
        measured(arguments.folder, files, size, rounds)


if __name__ == "__main__":
    main()
