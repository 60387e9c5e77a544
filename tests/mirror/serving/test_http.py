"""Real nginx before stores: a session reads one generation, and what was there a while ago is still found."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pytest

from lbkit.base.errors import Mistake
from lbkit.mirror.serving import nginx
from lbkit.mirror.sync.project import Stage
from lbkit.mirror.tree.store import Store
from tests.machine.world import until
from tests.mirror.serving.world import World, free_port, listens, world_of
from tests.mirror.tree.trees import TIME, Tree

pytestmark = pytest.mark.sandbox

TREES: list[Tree] = [
    {
        b"index": b"%d" % number,
        b"data/file": b"file %d" % number,
        b"only/%d" % number: b"only",
        b"folder-%d/x" % number: b"x",
        b"same": b"same",
        b"link": b"->data/file",
    }
    for number in range(12)
]


@pytest.fixture
def world() -> Iterator[World]:
    with world_of() as world:
        world.publish(1, TREES[1])
        world.start_http()
        yield world


def test_a_client_gets_what_serves_and_is_told_which_it_is(world: World) -> None:
    answer = world.get("/debian/index")
    assert (answer.status, answer.body, answer.serial) == (200, b"1", "1")
    world.publish(2, TREES[2])
    answer = world.get("/debian/index")
    assert (answer.status, answer.body, answer.serial) == (200, b"2", "2")
    assert world.get("/debian/link").body == b"file 2"
    answer = world.get("/debian/.lbkit-trace")
    assert (answer.status, answer.serial) == (404, "2"), "these trees have none: a keeper's have"
    (world.store.tree(2) / ".lbkit-trace").write_text("{}")
    answer = world.get("/debian/.lbkit-trace")
    assert (answer.body, answer.headers["Content-Type"]) == (b"{}", "application/json")
    assert answer.headers["ETag"] == '"2"', "within a second one is as large as the next"


def test_a_session_reads_the_generation_that_it_began_with(world: World) -> None:
    for number in (2, 3):
        world.publish(number, TREES[number])
        answer = world.get("/debian/data/file", "1")
        assert (answer.body, answer.serial) == (b"file 1", "1")
    for number in (4, 5):
        world.publish(number, TREES[number])
    answer = world.get("/debian/data/file", "1")
    assert (answer.body, answer.serial) == (b"file 5", "5"), "it has gone: what serves answers, and says so"


def test_what_is_not_here_yet_is_not_answered(world: World) -> None:
    for path in ("index", "no-such", "", ".lbkit-trace"):
        answer = world.get(f"/debian/{path}", "2")
        assert (answer.status, answer.serial) == (503, None)
    assert world.get("/debian/index", "../../etc").body == b"1"
    assert world.get("/debian/index", "01").body == b"1"
    assert world.log("http") == "", "that is nothing to tell of"


def test_files_of_the_last_generations_are_found_and_older_ones_are_not(world: World) -> None:
    for number in range(2, 6):
        world.publish(number, TREES[number])
    found = [world.get(f"/debian/only/{number}").status for number in range(1, 6)]
    assert found == [404, 404, 200, 200, 200]
    assert world.get("/debian/only/3").serial == "5", "the session's generation stays the newest"
    assert world.get("/debian/only/3", "4").serial == "4"


def test_what_a_later_index_names_is_found_in_a_session_of_an_older_generation(world: World) -> None:
    """The client saw that index elsewhere. It stays in its session."""
    world.publish(2, TREES[2])
    world.publish(3, TREES[3])
    answer = world.get("/debian/only/3", "1")
    assert (answer.status, answer.serial) == (200, "1")
    assert world.get("/debian/data/file", "1").body == b"file 1"
    assert world.get("/debian/only/4", "1").status == 404


def test_more_generations_than_nginx_takes_steps_within_itself(world: World) -> None:
    store = Store(world.root / "long" / "store", "long")
    for number in range(1, 12):
        world.publish(number, TREES[number], store=store, keep=11)
    world.write("http", {"sites": [world.site(), world.site("long", keep=11)]})
    assert world.run("http", "reload").stderr == ""
    assert [world.get(f"/long/only/{number}").status for number in range(1, 12)] == [200] * 11
    assert world.get("/long/only/12").status == 404
    assert world.get("/long/folder-1").headers["Location"] == "/long/folder-1/"


def test_folders_are_listed_wherever_they_are(world: World) -> None:
    world.publish(2, TREES[2])
    answer = world.get("/debian/data/")
    assert b"Index of /debian/data/" in answer.body
    assert b'href="file"' in answer.body
    assert b'href="index"' in world.get("/debian/").body
    for path in ("data", "folder-1"):
        answer = world.get(f"/debian/{path}?x=1")
        assert (answer.status, answer.headers["Location"]) == (301, f"/debian/{path}/?x=1")
    assert b'href="x"' in world.get("/debian/folder-1/").body
    answer = world.get("/debian")
    assert (answer.status, answer.headers["Location"]) == (301, "/debian/")


def test_the_top_names_the_mirrors(world: World) -> None:
    answer = world.get("/")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html")
    assert b"<a href='/debian/'>debian</a>" in answer.body


NAMES = [
    "a b",
    "c++_1.0~rc1%2b.deb",
    "100%",
    "what?",
    "h#sh",
    "épée-鏡",
    "semi;colon",
    "q'uo\"te",
    "new\nline",
    "d$x",
]


def test_any_name_is_found_listed_and_led_to(world: World) -> None:
    tree: Tree = {}
    for name in NAMES:
        tree[name.encode()] = name.encode()
        tree[f"in/{name}/file".encode()] = b"below"
    world.publish(2, tree)
    world.publish(3, {b"x": b"x"})
    for serial in ("2", "3"):
        for name in NAMES:
            path = quote(name)
            assert world.get(f"/debian/{path}", serial).body == name.encode()
            answer = world.get(f"/debian/in/{path}", serial)
            assert answer.status == 301
            assert world.get(answer.headers["Location"] + "file", serial).body == b"below"


@pytest.mark.parametrize(
    "path",
    [
        "/debian/../log",
        "/debian/%2e%2e/%2e%2e/log",
        "/debian/..%2f..%2f..%2fhttp/log",
        "//etc/passwd",
        "/debian/0/index",
        "/current",
        "/debian/at-0/debian/index",
        "/debian/index%00x",
        "/debianx/index",
        "/debian/index/",
    ],
)
def test_nothing_outside_is_served(world: World, path: str) -> None:
    assert world.get(path).status in {400, 404}
    assert world.log("http") == ""


def test_ranges_and_conditions_are_answered(world: World) -> None:
    first = world.get("/debian/data/file")
    tag, modified = first.headers["ETag"], first.headers["Last-Modified"]
    part = world.get("/debian/data/file", headers={"Range": "bytes=1-3", "If-Range": tag})
    assert (part.status, part.body, part.headers["Content-Range"]) == (206, b"ile", "bytes 1-3/6")
    assert world.get("/debian/data/file", headers={"Range": "bytes=9-"}).status == 416
    for condition in ({"If-None-Match": tag}, {"If-Modified-Since": modified}):
        answer = world.get("/debian/data/file", headers=condition)
        assert (answer.status, answer.serial, answer.headers["Cache-Control"]) == (304, "1", "no-cache")
    head = world.get("/debian/data/file", method="HEAD")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", "6")
    assert world.get("/debian/data/file", method="POST").status == 405
    assert world.get("/debian/none").headers["Cache-Control"] == "no-cache"
    world.publish(2, TREES[2])
    world.publish(3, TREES[3])
    for path in ("/debian/only/1", "/debian/only/3"):  # of an older generation, and of this one
        tag = world.get(path).headers["ETag"]
        assert world.get(path, headers={"If-None-Match": tag}).status == 304
        assert world.get(path, headers={"Range": "bytes=0-0", "If-Range": tag}).status == 206


def test_where_time_and_size_say_nothing_a_tag_is_of_the_generation(world: World) -> None:
    """All files of these trees are of one second: a rewrite in the same size is told by the serial alone."""
    world.write("http", {"sites": [world.site(stages=[stage("data"), stage("only")])]})
    assert world.run("http", "reload").stderr == ""
    first = world.get("/debian/data/file")
    assert (first.headers["ETag"], first.headers["Last-Modified"]) == ('"1"', None)
    assert world.get("/debian/data/file", headers={"If-None-Match": '"1"'}).status == 304
    part = world.get("/debian/data/file", headers={"Range": "bytes=0-3", "If-Range": '"1"'})
    assert (part.status, part.body) == (206, b"file")
    world.publish(2, TREES[2])
    when = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(TIME))
    for condition in ({"If-None-Match": '"1"'}, {"If-Modified-Since": when}):
        answer = world.get("/debian/data/file", headers=condition)
        assert (answer.status, answer.body, answer.headers["ETag"]) == (200, b"file 2", '"2"')
    whole = world.get("/debian/data/file", headers={"Range": "bytes=0-3", "If-Range": '"1"'})
    assert (whole.status, whole.body, whole.serial) == (200, b"file 2", "2")
    assert world.get("/debian/only/1").body == b"only"
    assert world.get("/debian/data").headers["Location"] == "/debian/data/"
    assert world.get("/debian/index").headers["ETag"] != '"2"'


def test_mirrors_have_their_own_serials_and_ports(world: World) -> None:
    store, port = Store(world.root / "deb" / "store", "deb"), free_port()
    world.write(
        "http",
        {
            "sites": [
                world.site(),
                world.site("deb", listen=[["127.0.0.1", world.http], ["127.0.0.1", port], ["::1", port]]),
            ]
        },
    )
    assert world.run("http", "reload").stderr == ""
    assert world.get("/deb/index").status == 503, "its store is to come"
    world.publish(7, TREES[7], store=store)
    assert (world.get("/deb/index").body, world.get("/deb/index").serial) == (b"7", "7")
    assert world.get("/debian/index").serial == "1"
    assert world.get("/deb/index", port=port).body == b"7"
    with closing(socket.create_connection(("::1", port))) as connection:
        connection.sendall(b"GET /deb/index HTTP/1.0\r\n\r\n")
        assert connection.makefile().readline() == "HTTP/1.1 200 OK\n"
    assert world.get("/debian/index", port=port).status == 404
    assert b"debian" not in world.get("/", port=port).body


def read_on(world: World, wrong: list[object], done: threading.Event, counted: list[int]) -> None:
    """A client that reads an index and then its files, in sessions, as the load balancer has it do."""
    while not done.is_set():
        index = world.get("/debian/index")
        number = index.body.decode()
        found = [
            world.get(path, index.serial or "") for path in ("/debian/data/file", f"/debian/only/{number}")
        ]
        if (
            index.status != 200
            or (found[0].body, found[0].serial) != (b"file " + index.body, index.serial)
            or found[1].status != 200
        ):
            wrong.append((index, found))
        counted.append(1)


def clients(world: World, meanwhile: Callable[[], None]) -> tuple[list[object], int]:
    """What three of them found wrong, and how many sessions they had."""
    wrong: list[object] = []
    counted: list[int] = []
    done = threading.Event()
    threads = [threading.Thread(target=read_on, args=(world, wrong, done, counted)) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        meanwhile()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    return wrong, len(counted)


def test_no_read_is_mixed_or_missing_while_generations_come_and_go(world: World) -> None:
    def publish() -> None:
        for number in range(2, 12):
            world.publish(number, TREES[number])
        for number in [
            9,
            10,
            11,
        ] * 300:  # an answer says what it is of, however near to a flip it was asked for
            world.store.publish(number)

    wrong, sessions = clients(world, publish)
    assert wrong == []
    assert sessions > 20


def test_no_request_is_lost_while_the_configuration_is_taken(world: World) -> None:
    def reload() -> None:
        for number in range(4):
            world.write("http", {"sites": [world.site(), world.site(f"more-{number}")]})
            done = world.run("http", "reload")
            assert (done.returncode, done.stderr) == (0, "")
            assert world.get(f"/more-{number}/x").status == 503

    wrong, sessions = clients(world, reload)
    assert wrong == []
    assert sessions > 20


def test_a_download_goes_on_though_its_generation_goes_and_the_server_is_reloaded(world: World) -> None:
    content = os.urandom(1 << 24)
    world.publish(2, {**TREES[2], b"large": content})
    with closing(socket.create_connection(("127.0.0.1", world.http))) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.sendall(b"GET /debian/large HTTP/1.0\r\n\r\n")
        got = slow.recv(1000)
        for number in range(3, 8):
            world.publish(number, TREES[number])
        assert (world.store.root / "old-2" / "tree" / "large").exists(), "it is read"
        assert world.run("http", "reload").stderr == ""
        world.publish(8, TREES[8])
        while more := slow.recv(1 << 20):
            got += more
    assert got.partition(b"\r\n\r\n")[2] == content
    until(lambda: not world.store.prune(3) and not (world.store.root / "old-2").exists(), "it has gone")


def test_told_to_quit_it_ends_with_its_last_download(world: World) -> None:
    content = os.urandom(1 << 24)
    world.publish(2, {b"large": content})
    with closing(socket.create_connection(("127.0.0.1", world.http))) as slow:
        slow.sendall(b"GET /debian/large HTTP/1.0\r\n\r\n")
        got = slow.recv(1000)
        world.processes["http"].send_signal(signal.SIGQUIT)
        until(lambda: not listens(world.http), "it takes nothing new")
        while more := slow.recv(1 << 20):
            got += more
    assert got.partition(b"\r\n\r\n")[2] == content
    assert world.processes["http"].wait(timeout=30) == 0


def stage(folder: str, *, contents: bool = True) -> dict[str, Any]:
    return {"folder": folder, "contents": contents}


def test_the_most_particular_stage_has_a_file(world: World) -> None:
    stages = [stage("data", contents=False), stage("")]
    world.write("http", {"sites": [world.site(stages=stages)]})
    assert world.run("http", "reload").stderr == ""
    assert world.get("/debian/index").headers["ETag"] == '"1"'
    assert world.get("/debian/data/file").headers["Last-Modified"] is not None
    assert world.get("/debian/").status == 200


WRONG: list[Callable[[], object]] = [
    lambda: nginx.config([nginx.Site("a", "/srv/a; include /etc/passwd", [], 3)]),
    lambda: nginx.config([nginx.Site("a", "relative", [], 3)]),
    lambda: nginx.config([nginx.Site("a b", "/srv/a", [], 3)]),
    lambda: nginx.config([nginx.Site("a", "/srv/a", ["127.0.0.1:80"], 3, [Stage("../x")])]),
    lambda: nginx.config([nginx.Site("a", "/srv/a", ["127.0.0.1:80"], 3, [Stage("x {")])]),
]


@pytest.mark.parametrize("make", WRONG)
def test_no_name_is_more_than_a_name(make: Callable[[], object]) -> None:
    with pytest.raises(Mistake):
        make()
