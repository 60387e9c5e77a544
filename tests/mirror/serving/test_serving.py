"""Real nginx and real rsync before a store: a session reads one generation, and what was there a while ago is still found."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from lbkit.base.errors import Mistake
from lbkit.mirror.serving import nginx, rsyncd
from lbkit.mirror.sync.rsync import Rsync, RsyncFailed
from lbkit.mirror.sync.upstream import RsyncDaemon
from lbkit.mirror.tree.store import Store
from tests.machine.world import until
from tests.mirror.tree.trees import Tree, made

pytestmark = pytest.mark.sandbox

TREES: list[Tree] = [
    {
        b"index": b"%d" % number,
        b"data/file": b"file %d" % number,
        b"only/%d" % number: b"only",
        b"same": b"same",
    }
    for number in range(10)
]


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class World:
    root: Path
    store: Store
    http: int
    rsync: int

    def publish(self, serial: int) -> None:
        for _ in made(self.store, serial, TREES[serial], self.root / str(serial)):
            pass

    def get(self, path: str, serial: str = "") -> tuple[int, bytes, str | None]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.http, timeout=10)) as connection:
            connection.request("GET", path, headers={nginx.SERIAL: serial} if serial else {})
            response = connection.getresponse()
            return response.status, response.read(), response.headers[nginx.SERIAL]


def run(stack: ExitStack, argv: list[str], folder: Path, port: int) -> None:
    log = stack.enter_context((folder / "log").open("ab"))
    process = stack.enter_context(subprocess.Popen(argv, cwd=folder, stdout=log, stderr=log))
    stack.callback(process.terminate)
    until(lambda: listens(port) or process.poll() is not None, f"{argv[0]} listens")
    assert process.poll() is None, (folder / "log").read_text()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    os.chmod(tmp_path, 0o755)
    for name in ("store", "nginx", "nginx/tmp", "rsync"):
        (tmp_path / name).mkdir()
    world = World(tmp_path, Store(tmp_path / "store"), free_port(), free_port())
    world.publish(1)
    site = nginx.Site("debian-main", str(world.store.root), [f"127.0.0.1:{world.http}"], 3)
    (tmp_path / "nginx" / nginx.CONFIG).write_text(nginx.config([site], user="root"))
    module = rsyncd.Module("debian", "lbkit-debian", str(world.store.root), ["node-1"])
    secrets = tmp_path / "rsync" / rsyncd.SECRETS
    secrets.write_text(rsyncd.secrets({"node-1": "pass word"}))
    secrets.chmod(0o600)
    text = rsyncd.config([module], address="127.0.0.1", port=world.rsync, secrets=str(secrets), chroot=True)
    (tmp_path / "rsync" / rsyncd.CONFIG).write_text(text)
    with ExitStack() as stack:
        run(
            stack,
            ["nginx", "-p", str(tmp_path / "nginx"), "-c", nginx.CONFIG, "-e", "stderr"],
            tmp_path / "nginx",
            world.http,
        )
        argv = ["rsync", "--daemon", "--no-detach", f"--config={tmp_path / 'rsync' / rsyncd.CONFIG}"]
        run(stack, argv, tmp_path / "rsync", world.rsync)
        yield world


def test_a_client_gets_what_serves_and_is_told_which_it_is(world: World) -> None:
    assert world.get("/index") == (200, b"1", "1")
    world.publish(2)
    assert world.get("/index") == (200, b"2", "2")
    status, body, serial = world.get("/.lbkit-trace")
    assert (status, serial) == (404, "2"), body  # these trees have none: a keeper's have


def test_a_session_reads_the_generation_that_it_began_with(world: World) -> None:
    _, _, serial = world.get("/index")
    assert serial is not None
    for number in (2, 3):
        world.publish(number)
        assert world.get("/data/file", serial) == (200, b"file 1", "1")
    for number in (4, 5):
        world.publish(number)
    assert world.get("/data/file", serial) == (200, b"file 5", "5"), (
        "it has gone: what serves answers, and says so"
    )


def test_what_is_not_here_yet_is_not_answered(world: World) -> None:
    assert world.get("/index", "2")[0] == 503
    assert world.get("/no-such", "2")[0] == 503
    assert world.get("/index", "../../etc") == (200, b"1", "1")
    assert world.get("/index", "01") == (200, b"1", "1")


def test_files_of_the_last_generations_are_found_and_older_ones_are_not(world: World) -> None:
    for number in range(2, 6):
        world.publish(number)
    assert [world.get(f"/only/{number}")[0] for number in range(1, 6)] == [404, 404, 200, 200, 200]
    assert world.get("/only/3") == (200, b"only", "5"), "the session's generation stays the newest"
    assert world.get("/only/3", "4") == (200, b"only", "4")


def test_folders_are_listed(world: World) -> None:
    status, body, serial = world.get("/data/")
    assert (status, serial) == (200, "1")
    assert b"Index of /data/" in body
    assert b'href="file"' in body


@pytest.mark.parametrize(
    "path", ["/../log", "/%2e%2e/%2e%2e/log", "/..%2f..%2flog", "//etc/passwd", "/0/index", "/current"]
)
def test_nothing_outside_is_served(world: World, path: str) -> None:
    assert world.get(path)[0] in {400, 404}


def test_no_read_is_mixed_or_missing_while_generations_come_and_go(world: World) -> None:
    """Clients read an index and then its files, in sessions, as the load balancer has them do."""
    wrong: list[object] = []
    sessions = 0
    done = threading.Event()

    def client() -> None:
        nonlocal sessions
        while not done.is_set():
            status, index, serial = world.get("/index")
            found = [world.get(path, serial or "") for path in ("/data/file", f"/only/{index.decode()}")]
            if status != 200 or found[0] != (200, b"file " + index, serial) or found[1][0] != 200:
                wrong.append((index, serial, found))
            sessions += 1

    threads = [threading.Thread(target=client) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(2, 10):
            world.publish(number)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert sessions > 20


def items(daemon: RsyncDaemon, tmp_path: Path) -> set[bytes]:
    (tmp_path / "to").mkdir(exist_ok=True)
    return {item.path for item in Rsync(daemon).compare(tmp_path / "to")}


def test_everybody_reads_what_serves_and_nodes_all_of_it(world: World, tmp_path: Path) -> None:
    world.publish(2)
    public = RsyncDaemon("127.0.0.1", "debian", port=world.rsync)
    assert items(public, tmp_path) == {b"index", b"data", b"data/file", b"only", b"only/2", b"same"}
    with pytest.raises(RsyncFailed, match="auth failed"):
        items(RsyncDaemon("127.0.0.1", "lbkit-debian", port=world.rsync), tmp_path)
    password = tmp_path / "password"
    password.write_text("pass word\n")
    password.chmod(0o600)
    inner = RsyncDaemon(
        "127.0.0.1", "lbkit-debian", "gen-1", port=world.rsync, user="node-1", password_file=str(password)
    )
    assert b"only/1" in items(inner, tmp_path)
    password.write_text("another\n")
    with pytest.raises(RsyncFailed, match="auth failed"):
        items(inner, tmp_path)


def test_nobody_writes(world: World, tmp_path: Path) -> None:
    (tmp_path / "evil").write_text("x")
    done = subprocess.run(
        ["rsync", tmp_path / "evil", f"rsync://127.0.0.1:{world.rsync}/debian/"],
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0
    assert b"read only" in done.stderr


WRONG: list[Callable[[], object]] = [
    lambda: nginx.config([nginx.Site("a", "/srv/a; include /etc/passwd", [], 3)]),
    lambda: nginx.config([nginx.Site("a", "relative", [], 3)]),
    lambda: rsyncd.config(
        [rsyncd.Module("a]\n[b", "c", "/x", [])], address="::", port=1, secrets="/s", chroot=True
    ),
    lambda: rsyncd.config(
        [rsyncd.Module("a", "c", "/x\npath = /", [])], address="::", port=1, secrets="/s", chroot=True
    ),
    lambda: rsyncd.secrets({"a:b": "x"}),
    lambda: rsyncd.secrets({"a": "x\nroot:y"}),
]


@pytest.mark.parametrize("make", WRONG)
def test_no_name_is_more_than_a_name(make: Callable[[], object]) -> None:
    with pytest.raises(Mistake):
        make()
