"""What goes wrong on the web: every file comes whole in the end, or it is told; nothing is asked for twice that came."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path

import pytest

from lbkit.base.clock import SystemClock
from lbkit.base.errors import Failure
from lbkit.mirror.sync.ended import TransferFailed
from lbkit.mirror.sync.fetching import Paused
from lbkit.mirror.sync.https.curl import Answer
from lbkit.mirror.sync.https.downloads import IN_TURN, TRIES, retry_after
from lbkit.mirror.sync.https.fetcher import Https
from lbkit.mirror.sync.https.listed import BadList
from lbkit.mirror.sync.upstream import Web as Upstream
from lbkit.mirror.tree.build import Lines, none
from tests.mirror.sync.https.web import TIME, Order, Web, authority, served
from tests.mirror.sync.test_itemized import HOSTILE
from tests.mirror.tree.trees import Tree, found, lay, lines

BIG = os.urandom(3 << 20)
NOW = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass
class World:
    web: Web
    folder: Path
    https: Https
    tries: list[tuple[int, str]] = field(default_factory=list)

    def get(self, tree: Tree, *, basis: Path | None = None, have: Lines = none, **more: object) -> Tree:
        """Compare, and fetch all that is new."""
        to = self.folder / "to"
        items = [
            item for item in self.https.compare(to, lines=have, tried=self.tried) if item.doing != "delete"
        ]
        assert {item.path for item in items if item.kind == "f"} == {*tree, b"SHA256SUMS"}
        for item in sorted(items, key=lambda each: each.path):
            if item.kind == "d":
                (to / os.fsdecode(item.path)).mkdir(parents=True, exist_ok=True)
        paths = [item.path for item in items if item.kind == "f"]
        to.mkdir(exist_ok=True)
        told: dict[bytes, int] = {}
        self.https.get(
            paths,
            to,
            basis=basis,
            lines=have,
            told=lambda item: told.__setitem__(item.path, item.size),
            tried=self.tried,
            **more,  # type: ignore[arg-type]
        )
        assert told == {path: len(content) for path, content in self.web.files.items() if path in paths}
        tree = found(to)
        assert tree.pop(b"SHA256SUMS") == self.web.files[b"SHA256SUMS"]
        return tree

    def tried(self, code: int, words: str) -> None:
        self.tries.append((code, words))

    def kept(self) -> dict[str, int]:
        return {
            file.name[64:] or "whole": file.stat().st_size for file in (self.folder / "partial").iterdir()
        }


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with served(Web()) as web:
        yield World(web, tmp_path, https(web, tmp_path))


def https(web: Web, folder: Path, **more: object) -> Https:
    upstream = Upstream(f"http://127.0.0.1:{web.port}/pub", "SHA256SUMS")
    made = Https(upstream, folder / "partial", SystemClock(), pause=0.01, silence=10.0)
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["{sha256}  {name}\n", "{sha256} {size} {name}\n", "{sha256} *./{name}\n"])
def test_all_of_it_comes_with_its_time_and_nobodys_rights(world: World, form: str) -> None:
    names = [name for name in HOSTILE if not min(name) < 0x20 and b"\\" not in name]
    tree = {
        b"big": BIG,
        b"empty": b"",
        b"x/y/z": b"z",
        b"x/same": BIG,
        **{b"h/" + each: each for each in names},
    }
    world.web.files.update(tree)
    world.web.sums(form)
    assert world.get(tree) == tree
    status = (world.folder / "to" / "x" / "same").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (0o644, TIME)
    assert world.web.sent(b"big") + world.web.sent(b"x/same") == len(BIG), "the same content comes once"
    assert world.tries == []
    world.https.settle()
    assert world.kept() == {}


def test_sizes_are_known_before_a_byte_moves(world: World) -> None:
    world.web.files.update({b"big": BIG, b"small": b"1"})
    world.web.sums()
    items = {item.path: item.size for item in world.https.compare(world.folder)}
    assert items == {b"big": len(BIG), b"small": 1, b"SHA256SUMS": len(world.web.files[b"SHA256SUMS"])}
    assert world.web.gets(b"big") == []


def test_what_is_had_under_any_name_is_not_fetched(world: World) -> None:
    old: Tree = {
        b"pool/a": b"a",
        b"pool/moved": BIG,
        b"gone/x": b"x",
        b"file": b"f",
        b"folder/x": b"1",
        b"rotten": b"r",
    }
    lay(world.folder / "old", old)
    have = lines(world.folder / "old")
    (world.folder / "old" / "rotten").write_bytes(b"R")
    new = {b"pool/a": b"a", b"main/moved": BIG, b"file/now": b"2", b"folder": b"3", b"damaged": b"r"}
    world.web.files.update(new)
    world.web.sums()
    items = {
        item.path: (item.doing, item.kind)
        for item in world.https.compare(world.folder / "old", lines=lambda: have)
    }
    items.pop(b"SHA256SUMS")
    assert items == {
        b"pool/moved": ("delete", "f"),
        b"gone": ("delete", "d"),
        b"gone/x": ("delete", "f"),
        b"folder/x": ("delete", "f"),
        b"rotten": ("delete", "f"),
        b"file": ("add", "d"),
        b"file/now": ("add", "f"),
        b"folder": ("add", "f"),
        b"main": ("add", "d"),
        b"main/moved": ("add", "f"),
        b"damaged": ("add", "f"),
    }
    wanted = {path: content for path, content in new.items() if path != b"pool/a"}
    assert world.get(wanted, basis=world.folder / "old", have=lambda: have) == wanted
    assert world.web.gets(b"main/moved") == []
    assert world.web.sent(b"damaged") == 1
    assert (world.folder / "old/pool/moved").stat().st_nlink == 2


def test_it_goes_on_after_a_cut(world: World) -> None:
    world.web.files.update({b"big": BIG})
    world.web.sums()
    world.web.orders[b"big"] = [Order(cut=1_000_000), Order(status=502), Order(cut=500_000)]
    assert world.get({b"big": BIG}) == {b"big": BIG}
    assert world.web.sent(b"big") <= len(BIG) + 2 * 65536, "what came is not asked for again"
    assert [code for code, _ in world.tries] == [18, 22, 18]
    assert "cut in the middle" in world.tries[0][1]


def test_one_who_knows_no_ranges_gives_it_anew(world: World) -> None:
    world.web.files.update({b"big": BIG})
    world.web.sums()
    world.web.always[b"big"] = Order(plain=True)
    world.web.orders[b"big"] = [Order(cut=1_000_000)]
    assert world.get({b"big": BIG}) == {b"big": BIG}
    assert [code for code, _ in world.tries] == [18, 33]


def test_wrong_content_is_thrown_away_and_got_once_anew(world: World) -> None:
    world.web.files.update({b"big": BIG, b"other": b"o"})
    world.web.sums()
    world.web.orders[b"big"] = [Order(wrong=True)]
    assert world.get({b"big": BIG, b"other": b"o"}) == {b"big": BIG, b"other": b"o"}
    assert "other content than its list says" in world.tries[0][1]
    assert [each.start for each in world.web.gets(b"big")] == [0, 0]


def test_a_cut_between_two_versions_makes_no_mixture(world: World) -> None:
    world.web.files.update({b"big": BIG})
    world.web.sums()
    world.web.orders[b"big"] = [Order(cut=1_000_000), Order(wrong=True)]
    assert world.get({b"big": BIG}) == {b"big": BIG}


def test_content_that_stays_wrong_is_a_part(world: World) -> None:
    world.web.files.update({b"big": BIG, b"other": b"o"})
    world.web.sums("{sha256} {size} {name}\n")
    world.web.always[b"big"] = Order(wrong=True)
    with pytest.raises(TransferFailed) as caught:
        world.get({b"big": BIG, b"other": b"o"})
    assert caught.value.outcome == "partial"
    assert "1 of 2 files did not come" in caught.value.found
    assert len(world.web.gets(b"big")) == 2
    assert world.kept() == {"whole": 1}, "what is good is kept, and nothing of what is not"
    world.web.always.clear()
    for file in found(world.folder / "to"):
        (world.folder / "to" / os.fsdecode(file)).unlink()
    assert world.get({b"big": BIG, b"other": b"o"}) == {b"big": BIG, b"other": b"o"}
    assert len(world.web.gets(b"other")) == 1


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_has_gone_is_a_part_and_the_others_come(world: World, status: int) -> None:
    world.web.files.update({b"a": b"a", b"b": b"b", b"c": b"c"})
    world.web.sums("{sha256} {size} {name}\n")
    world.web.always[b"a"] = Order(status=status)
    with pytest.raises(TransferFailed, match=f"returned error: {status}") as caught:
        world.get({b"a": b"a", b"b": b"b", b"c": b"c"})
    assert (caught.value.outcome, caught.value.code) == ("partial", 22)
    assert {b"b", b"c"} <= found(world.folder / "to").keys()
    assert len(world.web.gets(b"a")) == 1


def test_upstream_is_left_alone_for_as_long_as_it_asks(world: World) -> None:
    world.https = https(world.web, world.folder, connections=2)
    tree = {b"%d" % number: b"%d" % number for number in range(6)}
    world.web.files.update(tree)
    world.web.sums()
    world.web.orders[b"3"] = [Order(status=429, headers=(("Retry-After", "1"),))]
    assert world.get(tree) == tree
    told = next(each for each in world.web.gets(b"3") if not each.sent).at
    under_way = 0.3  # what was under way when it said so ends
    later = [each.at - told for each in world.web.asked if each.at > told + under_way]
    assert later
    assert min(later) >= 0.99
    assert [code for code, _ in world.tries] == [22]


def test_who_asks_for_too_long_a_wait_is_come_back_to(world: World) -> None:
    world.web.files.update({b"a": b"a"})
    world.web.sums()
    world.web.always[b"a"] = Order(status=503, headers=(("Retry-After", "86400"),))
    with pytest.raises(TransferFailed, match="it asks to come again in 86400 s") as caught:
        world.get({b"a": b"a"})
    assert caught.value.outcome == "cut"
    assert len(world.web.gets(b"a")) == 1


def test_tries_have_an_end(world: World) -> None:
    tree = {b"%d" % number: b"%d" % number for number in range(40)}
    world.web.files.update(tree)
    world.web.sums()
    world.web.always.update({path: Order(status=500) for path in tree})
    with pytest.raises(TransferFailed) as caught:
        world.get(tree)
    assert caught.value.outcome == "cut"
    assert all(len(world.web.gets(path)) <= TRIES for path in tree)
    assert sum(len(world.web.gets(path)) for path in tree) <= IN_TURN + 4
    assert len(world.tries) < IN_TURN + 4


def test_a_silent_upstream_is_given_up(world: World) -> None:
    world.https = https(world.web, world.folder, silence=1.0)
    world.web.files.update({b"a": b"a"})
    world.web.sums("{sha256} {size} {name}\n")
    world.web.orders[b"a"] = [Order(hang=True)]
    assert world.get({b"a": b"a"}) == {b"a": b"a"}
    assert [code for code, _ in world.tries] == [28]


@pytest.mark.parametrize(("size", "count"), [(1 << 20, 6), (50_000, 120)])
def test_as_many_at_once_as_may_be_and_no_faster(world: World, size: int, count: int) -> None:
    world.https = https(world.web, world.folder, connections=3, bandwidth=3 << 20)
    tree = {b"%d" % number: BIG[number : number + size] for number in range(count)}
    world.web.files.update(tree)
    world.web.sums("{sha256} {size} {name}\n")
    world.web.always.update({path: Order(slow=16 << 20) for path in tree})
    began = time.monotonic()
    assert world.get(tree) == tree
    assert 1 < world.web.most <= 3
    assert time.monotonic() - began >= size * count / (3 << 20)


def test_small_files_share_a_connection_and_one_that_fails_takes_no_other_along(world: World) -> None:
    world.https = https(world.web, world.folder, connections=1)
    tree = {b"%02d" % number: b"%d" % number for number in range(50)}
    world.web.files.update(tree)
    world.web.sums("{sha256} {size} {name}\n")
    world.web.orders.update({b"07": [Order(status=500)], b"20": [Order(cut=0)], b"30": [Order(wrong=True)]})
    assert world.get(tree) == tree
    assert {len(world.web.gets(path)) for path in tree.keys() - {b"07", b"20", b"30"}} == {1}


def test_the_window_ends_a_queue_and_what_came_stays(world: World) -> None:
    world.web.files.update({b"big": BIG, b"first": b"1"})
    world.web.sums("{sha256} {size} {name}\n")
    world.web.orders[b"big"] = [Order(slow=1 << 20)]
    with pytest.raises(Paused, match="the window ended; 1 of 2 came"):
        world.get({b"big": BIG, b"first": b"1"}, until=datetime.now(UTC) + timedelta(seconds=0.7))
    kept = world.kept()
    assert kept["whole"] == 1
    assert 0 < kept[".part"] < len(BIG)
    (world.folder / "to" / "first").unlink()
    (world.folder / "to" / "SHA256SUMS").unlink()
    assert world.get({b"big": BIG, b"first": b"1"}) == {b"big": BIG, b"first": b"1"}
    assert len(world.web.gets(b"first")) == 1
    assert kept[".part"] in {each.start for each in world.web.gets(b"big")}


def test_what_lies_there_whole_is_looked_at_before_it_counts(world: World) -> None:
    world.web.files.update({b"big": BIG, b"other": BIG[1:], b"rotten": BIG[2:]})
    world.web.sums()
    partial = world.folder / "partial"
    partial.mkdir()
    (partial / f"{digest(BIG)}.part").write_bytes(BIG)
    (partial / f"{digest(BIG[1:])}.part").write_bytes(BIG + b"longer than it should be")
    (partial / digest(BIG[2:])).write_bytes(b"rotten")
    (partial / f"{'0' * 64}.part").write_bytes(b"of a file that upstream has no more")
    tree = {b"big": BIG, b"other": BIG[1:], b"rotten": BIG[2:]}
    assert world.get(tree) == tree
    assert world.web.gets(b"big") == []
    assert world.kept().keys() == {"whole"}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_list_itself_is_asked_for_again(world: World) -> None:
    world.web.files.update({b"a": b"a"})
    world.web.sums()
    world.web.orders[b"SHA256SUMS"] = [Order(status=503), Order(cut=10)]
    assert world.get({b"a": b"a"}) == {b"a": b"a"}
    assert [code for code, _ in world.tries] == [22, 18]
    world.web.always[b"SHA256SUMS"] = Order(status=404)
    with pytest.raises(TransferFailed, match="404"):
        list(world.https.compare(world.folder))
    world.web.always.clear()
    world.web.files[b"SHA256SUMS"] = b"<html>"
    with pytest.raises(BadList):
        list(world.https.compare(world.folder))


def test_names_of_a_list_in_a_folder_are_below_it(world: World) -> None:
    world.web.files.update({b"iso/SHA256SUMS": f"{digest(b'1')}  a/x\n".encode(), b"iso/a/x": b"1"})
    world.https = replace(world.https, upstream=replace(world.https.upstream, digests="iso/SHA256SUMS"))
    assert {item.path for item in world.https.compare(world.folder)} == {
        b"iso",
        b"iso/SHA256SUMS",
        b"iso/a",
        b"iso/a/x",
    }


def test_a_list_may_lie_on_the_machine(world: World) -> None:
    (world.folder / "list").write_text(f"{digest(b'1')}  a\n{digest(b'2')}  b.iso\n")
    world.web.files.update({b"a": b"1", b"b.iso": b"2"})
    upstream = replace(world.https.upstream, digests=str(world.folder / "list"))
    world.https = replace(world.https, upstream=upstream, exclude=("*.iso",))
    assert {item.path for item in world.https.compare(world.folder)} == {b"a"}
    (world.folder / "list").unlink()
    with pytest.raises(BadList):
        list(world.https.compare(world.folder))


def test_tls_and_a_password(tmp_path: Path) -> None:
    ca, pair = authority(tmp_path / "ca")
    (tmp_path / "pass").write_text('w"o\\rd\n')
    (tmp_path / "pass").chmod(0o600)
    with served(Web(password='w"o\\rd'), pair) as web:
        web.files.update({b"a": b"a"})
        web.sums()
        upstream = Upstream(
            f"https://127.0.0.1:{web.port}/pub/", "SHA256SUMS", str(ca), "user", str(tmp_path / "pass")
        )
        world = World(web, tmp_path, https(web, tmp_path, upstream=upstream))
        assert world.get({b"a": b"a"}) == {b"a": b"a"}
        (tmp_path / "pass").write_text("wrong")
        with pytest.raises(TransferFailed, match="401") as caught:
            world.get({b"a": b"a"})
        assert caught.value.outcome == "refused"
        (tmp_path / "pass").chmod(0o644)
        with pytest.raises(Failure, match="for its owner alone"):
            world.get({b"a": b"a"})
        (tmp_path / "pass").chmod(0o600)
        world.https = replace(world.https, upstream=replace(upstream, ca_file=""))
        with pytest.raises(TransferFailed, match="is not trusted") as caught:
            world.get({b"a": b"a"})
        assert (caught.value.outcome, caught.value.code) == ("refused", 60)


def test_no_redirect_leads_from_https_to_http_and_no_password_to_another_host(tmp_path: Path) -> None:
    ca, pair = authority(tmp_path / "ca")
    (tmp_path / "pass").write_text("word")
    (tmp_path / "pass").chmod(0o600)
    with served(Web()) as plain, served(Web()) as other, served(Web(password="word"), pair) as web:
        for each in (plain, other, web):
            each.files.update({b"a": b"a"})
            each.sums()
        upstream = Upstream(
            f"https://127.0.0.1:{web.port}/pub/", "SHA256SUMS", str(ca), "user", str(tmp_path / "pass")
        )
        world = World(web, tmp_path, https(web, tmp_path, upstream=upstream))
        moved = Order(status=302, headers=(("Location", f"http://127.0.0.1:{plain.port}/pub/a"),))
        web.always[b"a"] = moved
        with pytest.raises(TransferFailed) as caught:
            world.get({b"a": b"a"})
        assert (caught.value.outcome, caught.value.code) == ("refused", 1)
        assert plain.asked == []
        plain.always[b"a"] = Order(
            status=302, headers=(("Location", f"http://localhost:{other.port}/pub/a"),)
        )
        (tmp_path / "to" / "SHA256SUMS").unlink()
        world = World(plain, tmp_path, https(plain, tmp_path))
        assert world.get({b"a": b"a"}) == {b"a": b"a"}
        assert [each.authorization for each in other.gets(b"a")] == [""]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("", 0),
        ("-1", 0),
        ("soon", 0),
        (formatdate((NOW + timedelta(minutes=2)).timestamp(), usegmt=True), 120),
        (formatdate((NOW - timedelta(minutes=2)).timestamp(), usegmt=True), 0),
    ],
)
def test_how_long_an_upstream_asks_to_wait(value: str, seconds: float) -> None:
    assert retry_after(Answer(503, {"retry-after": value}), NOW) == seconds
