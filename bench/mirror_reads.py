"""Sessions of a mirror's clients while syncs come: how many read two generations, or meet a 404.

    python bench/mirror_reads.py [--quick] [--generations N]

A client reads an index and then, one after the other, the files that it names: some that are there in every generation with another
content, and one that is there in this generation alone, as a package's new version is. A session is mixed when a file is not of the
index's generation, and broken when one is not found. Clients take as long for each file as on a line: a few milliseconds. The files come by
real transfers of rsync, every third of a second. nginx serves in all ways.

- rsync into the tree that is served: `rsync -a --delete`.
- The same with `--delay-updates --delete-after`: files are moved in at the end of the transfer.
- `rsync -a --link-dest` into a new folder, and one rename of the link that nginx has for its root; the last three folders stand.
- lbkit: the store and nginx as a node has them. A client shows the serial of the answer before (`Lbkit-Serial`), as the load balancer
  does for it.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from lbkit.base.clock import SystemClock
from lbkit.base.sandbox import inside
from lbkit.mirror.node.pulling import Pulling
from lbkit.mirror.serving import nginx
from lbkit.mirror.sync.project import Project
from lbkit.mirror.sync.rsync import Rsync
from lbkit.mirror.sync.runs import Runs
from lbkit.mirror.sync.syncing import Syncing
from lbkit.mirror.sync.upstream import Folder
from lbkit.mirror.tree.store import Store

FILES = 200
SIZE = 20_000  # bytes of each
READ = 6  # files of a session, beside the index
PAUSE = 0.004  # seconds that a client takes for each
CLIENTS = 4
EVERY = 0.33  # seconds from one publication to the next
KEEP = 3

NGINX = """daemon off; user root; worker_processes 1; pid nginx.pid; error_log stderr crit;
events {{ worker_connections 256; }}
http {{ access_log off; server {{ listen 127.0.0.1:{port}; root {root}; }} }}
"""


@dataclass
class Upstream:
    """Every file says of which generation it is; a time is never that of another generation, so that rsync sees each."""

    root: Path

    def lay(self, number: int) -> None:
        self.root.mkdir(exist_ok=True)
        old = self.root / f"only-{number - 1}"
        old.unlink(missing_ok=True)
        for name in ("index", f"only-{number}", *(f"file-{each}" for each in range(FILES))):
            path = self.root / name
            path.write_bytes(b"%d\n" % number + b"." * (64 if name == "index" else SIZE))
            os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))


@dataclass
class Counted:
    sessions: int = 0
    mixed: int = 0
    broken: int = 0


def session(connection: http.client.HTTPConnection, first: int, *, shows: bool) -> tuple[bool, bool]:
    """Whether it was mixed, and whether it was broken."""
    serial = ""

    def get(path: str) -> tuple[int, bytes]:
        nonlocal serial
        connection.request(
            "GET", f"/bench{path}" if shows else path, headers={nginx.SERIAL: serial} if serial else {}
        )
        response = connection.getresponse()
        body = response.read()
        if shows:
            serial = response.headers[nginx.SERIAL] or ""
        return response.status, body.partition(b"\n")[0]

    status, generation = get("/index")
    if status != 200:
        return False, True
    names = [f"/file-{(first + each * 37) % FILES}" for each in range(READ - 1)]
    mixed = broken = False
    for name in (*names, f"/only-{int(generation)}"):
        time.sleep(PAUSE)
        status, found = get(name)
        broken |= status != 200
        mixed |= status == 200 and found != generation
    return mixed, broken


def counted(port: int, publish: Callable[[int], None], generations: int, *, shows: bool) -> Counted:
    found = Counted()
    done = threading.Event()
    lock = threading.Lock()

    def client(number: int) -> None:
        while not done.is_set():
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
                mixed, broken = session(connection, number, shows=shows)
            number += 1
            with lock:
                found.sessions += 1
                found.mixed += mixed
                found.broken += broken

    threads = [threading.Thread(target=client, args=(each * 50,)) for each in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        for number in range(2, generations + 2):
            began = time.monotonic()
            publish(number)
            time.sleep(max(0.0, began + EVERY - time.monotonic()))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    return found


@contextlib.contextmanager
def served(folder: Path, config: str, port: int) -> Iterator[None]:
    (folder / "nginx" / "tmp").mkdir(parents=True)
    (folder / "nginx" / nginx.CONFIG).write_text(config)
    argv = ["nginx", "-p", str(folder / "nginx"), "-c", nginx.CONFIG, "-e", "stderr"]
    with subprocess.Popen(argv) as process:
        try:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and process.poll() is None:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.02)
            yield
        finally:
            process.terminate()


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])


def live(options: list[str]) -> Callable[[Path, Path], tuple[str, Callable[[int], None]]]:
    def way(folder: Path, upstream: Path) -> tuple[str, Callable[[int], None]]:
        tree = folder / "tree"

        def publish(_number: int) -> None:
            subprocess.run(["rsync", "-a", *options, f"{upstream}/", f"{tree}/"], check=True)

        return str(tree), publish

    return way


def switched(folder: Path, upstream: Path) -> tuple[str, Callable[[int], None]]:
    def publish(number: int) -> None:
        argv = ["rsync", "-a", f"--link-dest={folder / f'gen-{number - 1}'}", f"{upstream}/"]
        subprocess.run([*argv, f"{folder / f'gen-{number}'}/"], check=True, stderr=subprocess.DEVNULL)
        os.symlink(f"gen-{number}", folder / "new")
        os.rename(folder / "new", folder / "current")
        if (folder / f"gen-{number - KEEP}").exists():
            shutil.rmtree(folder / f"gen-{number - KEEP}")

    return str(folder / "current"), publish


def plain(
    way: Callable[[Path, Path], tuple[str, Callable[[int], None]]], folder: Path, generations: int
) -> Counted:
    upstream = Upstream(folder / "upstream")
    upstream.lay(1)
    root, sync = way(folder, upstream.root)
    sync(1)

    def publish(number: int) -> None:
        upstream.lay(number)
        sync(number)

    port = free_port()
    with served(folder, NGINX.format(port=port, root=root), port):
        return counted(port, publish, generations, shows=False)


def ours(folder: Path, generations: int) -> Counted:
    """A master's store, and a node's that gets from it: what is served is the node's."""
    upstream = Upstream(folder / "upstream")
    for name in ("master", "node"):
        (folder / name).mkdir()
    master, node = Store(folder / "master"), Store(folder / "node", "bench")
    project = Project("bench", Rsync(Folder(str(upstream.root).lstrip("/"))))
    clock = SystemClock()
    syncing = Syncing(project, master, Runs(folder / "runs", clock), clock)
    pulling = Pulling("bench", node, KEEP)

    def publish(number: int) -> None:
        upstream.lay(number)
        run = syncing.sync("person")
        if run.came != "made":
            sys.exit(f"a run was to make a generation: {run}")
        made = master.generations()[-1]
        pulling.prepare(made, [Folder(str(master.root).lstrip("/"))])
        node.publish(made.serial)
        node.prune(KEEP)

    publish(1)
    port = free_port()
    site = nginx.Site("bench", str(node.root), [f"127.0.0.1:{port}"], KEEP)
    with served(folder, nginx.config([site], user="root"), port):
        return counted(port, publish, generations, shows=True)


WAYS: dict[str, Callable[[Path, int], Counted]] = {
    "rsync into the tree that is served": lambda folder, count: plain(live(["--delete"]), folder, count),
    "`--delay-updates --delete-after`": lambda folder, count: plain(
        live(["--delay-updates", "--delete-after"]), folder, count
    ),
    "`--link-dest`, and one rename of the link": lambda folder, count: plain(switched, folder, count),
    "lbkit": ours,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="10 generations instead of 50")
    parser.add_argument("--generations", type=int)
    arguments = parser.parse_args()
    if not inside():
        sys.exit("run it in a sandbox: lbkit sandbox -- python bench/mirror_reads.py")
    generations = arguments.generations or (10 if arguments.quick else 50)
    print(f"{generations} generations of {FILES} files, {CLIENTS} clients\n")
    print("| way | sessions | mixed | not found | of all |\n|---|--:|--:|--:|--:|")
    for name, way in WAYS.items():
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lbkit-bench-")))
            os.chmod(folder, 0o755)
            found = way(folder, generations)
        wrong = found.mixed + found.broken
        print(
            f"| {name} | {found.sessions:,} | {found.mixed} | {found.broken} | {wrong / found.sessions:.1%} |"
        )


if __name__ == "__main__":
    main()
