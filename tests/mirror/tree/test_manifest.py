"""A manifest says all of a tree and nothing outside of it; what changed between two comes out line by line."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbkit.mirror.tree import manifest
from lbkit.mirror.tree.manifest import BadManifest, Entry

names = st.binary(min_size=1, max_size=6).filter(
    lambda name: not {0, ord("/")} & set(name) and name not in {b".", b".."}
)
paths = st.lists(names, min_size=1, max_size=4).map(b"/".join)
files = st.builds(
    lambda path, mode, mtime, content: Entry(
        path, "f", mode, mtime, len(content), hashlib.sha256(content).hexdigest()
    ),
    paths,
    st.sampled_from([0o644, 0o755]),
    st.integers(-(2**40), 2**40),
    st.binary(max_size=3),
)
trees = st.dictionaries(paths, files).map(
    lambda found: [replace(each, path=path) for path, each in found.items()]
)


def lines(entries: Iterable[Entry]) -> list[bytes]:
    return sorted(entry.line for entry in entries)


def whole(entries: list[Entry]) -> list[Entry]:
    """With the folders that they are in."""
    folders = {
        entry.path[:index] for entry in entries for index, byte in enumerate(entry.path) if byte == ord("/")
    }
    taken = {entry.path for entry in entries}
    return [Entry(path, "d") for path in folders] + [
        entry for entry in entries if entry.path in taken - folders
    ]


@given(files)
def test_a_line_is_its_entry_again(entry: Entry) -> None:
    assert manifest.entry_of(entry.line) == entry
    assert entry.line.count(b"\t") == 5
    assert entry.line.count(b"\n") == 1


@given(trees)
def test_the_order_of_lines_is_that_of_paths(entries: list[Entry]) -> None:
    found = [manifest.path_of(line) for line in lines(entries)]
    assert found == sorted(manifest.escaped(entry.path) for entry in entries)
    assert list(manifest.lines_of(io.BytesIO(b"".join(lines(entries))))) == lines(entries)


@given(trees, st.data())
def test_a_whole_tree_is_accepted_and_one_without_a_folder_is_not(
    entries: list[Entry], data: st.DataObject
) -> None:
    tree = whole(entries)
    known = whole(data.draw(st.lists(st.sampled_from(tree), unique=True)) if tree else [])
    manifest.check(lambda: lines(tree), lambda: lines(known))
    inside = [entry for entry in tree if b"/" in entry.path]
    if inside:
        parent = data.draw(st.sampled_from(inside)).path.rpartition(b"/")[0]
        without = lines(entry for entry in tree if entry.path != parent)
        with pytest.raises(BadManifest, match="is not listed"):
            manifest.check(lambda: without, lambda: lines(known))
        with pytest.raises(BadManifest, match="is not listed"):
            manifest.check(lambda: without, lambda: lines(tree))


@given(trees, trees, st.data())
def test_the_changes_of_a_good_one_are_checked_as_the_whole_is(
    old: list[Entry], new: list[Entry], data: st.DataObject
) -> None:
    good, wanted = lines(whole(old)), whole(new)
    inside = [entry for entry in wanted if b"/" in entry.path]
    lacking = data.draw(st.sampled_from(inside)).path.rpartition(b"/")[0] if inside else b""
    for now in (lines(wanted), lines(entry for entry in wanted if entry.path != lacking)):
        told: list[manifest.Change] = []
        assert list(manifest.patched(good, manifest.delta(good, now), told.append)) == now
        assert told == list(manifest.changes(good, now))
        assert fault(lambda: manifest.check_changes(told, lambda: now)) == fault(  # noqa: B023 - called at once
            lambda: manifest.check(lambda: now, lambda: good)  # noqa: B023
        )


def fault(check: Callable[[], None]) -> str:
    try:
        check()
    except BadManifest as error:
        return error.found.partition(":")[0]
    return ""


def test_no_path_is_listed_twice_and_what_is_not_known_is_looked_at() -> None:
    good, other = Entry(b"a", "d").line, Entry(b"a", "l", target=b"b").line
    with pytest.raises(BadManifest, match="does not come after"):
        manifest.check(lambda: [good, other], lambda: [good])
    with pytest.raises(BadManifest, match="does not come after"):
        list(manifest.patched([], [b"+" + good, b"+" + other]))
    bad = b"a\tl\t/etc\n"
    with pytest.raises(BadManifest, match="out of the tree"):
        manifest.check_changes([(None, bad)], lambda: [bad])
    with pytest.raises(BadManifest, match="out of the tree"):
        manifest.check(lambda: [bad], lambda: [good])


BEFORE, AFTER = (
    [Entry(b"%05d" % number, "f", 0o644, time, 1, "0" * 64).line for number in range(10_000)]
    for time in (0, 1)
)


@settings(max_examples=40)
@given(st.sets(st.integers(0, 9999)), st.sets(st.integers(0, 9999)))
def test_what_two_long_ones_have_otherwise(gone: set[int], otherwise: set[int]) -> None:
    """Longer than what is held at once."""
    old = [line for number, line in enumerate(BEFORE) if number not in gone]
    new = [AFTER[number] if number in otherwise else line for number, line in enumerate(BEFORE)]
    wanted = [
        (None if number in gone else BEFORE[number], new[number]) for number in sorted({*gone, *otherwise})
    ]
    assert list(manifest.changes(old, new)) == wanted
    assert list(manifest.changes(new, old)) == [(now, before) for before, now in wanted]
    assert list(manifest.patched(old, manifest.delta(old, new))) == new


@given(trees, trees)
def test_a_delta_makes_the_one_of_the_other(old: list[Entry], new: list[Entry]) -> None:
    before, after = lines(old), lines(new)
    orders = list(manifest.delta(before, after))
    assert list(manifest.patched(before, orders)) == after
    assert len(orders) == len({manifest.path_of(line) for line in {*before} ^ {*after}})
    assert list(manifest.delta(after, after)) == []


@given(trees)
def test_the_digest_is_of_all_lines_and_files_are_counted(entries: list[Entry]) -> None:
    stream = io.BytesIO()
    found = manifest.write(lines(entries), stream)
    assert found.digest == hashlib.sha256(stream.getvalue()).hexdigest()
    assert (found.files, found.size) == (len(entries), sum(entry.size for entry in entries))
    assert manifest.write([], io.BytesIO()) == manifest.EMPTY


@pytest.mark.parametrize(
    "path",
    [
        b"",
        b"/etc",
        b"..",
        b"a/../b",
        b"a//b",
        b"./a",
        b"a/",
        b"\\2e\\2e/a",
        b"a\\00b",
        b"a b",
        b"a\\",
        b"a\\2F",
    ],
)
def test_no_path_leads_out(path: bytes) -> None:
    with pytest.raises(BadManifest):
        manifest.entry_of(path + b"\td\n")


@pytest.mark.parametrize(
    ("path", "target", "inside"),
    [
        (b"stable", b"bookworm", True),
        (b"dists/stable", b"../pool/a", True),
        (b"dists/stable", b"./bookworm/", True),
        (b"a", b"../b", False),
        (b"dists/a", b"../../b", False),
        (b"dists/a", b"b/../../../c", False),
        (b"dists/a", b"b/../c", False),
        (b"a", b"/etc/passwd", False),
        (b"a", b"", False),
        (b"a/b/c", b"../..", True),
        (b"a/b", b"..x", True),
    ],
)
def test_a_link_stays_in_the_tree(path: bytes, target: bytes, *, inside: bool) -> None:
    assert manifest.stays_inside(path, target) is inside
    line = Entry(path, "l", target=target).line
    if inside:
        assert manifest.entry_of(line) == Entry(path, "l", target=target)
    else:
        with pytest.raises(BadManifest):
            manifest.entry_of(line)


@pytest.mark.parametrize(
    "text",
    [
        b"b\td\na\td\n",
        b"a\td\na\td\n",
        b"a\td",
        b"\td\n",
        b"a\tf\t644\t1\t1\t" + b"a" * 63 + b"\n",
        b"a\tx\n",
        b"x" * 30_000,
    ],
)
def test_what_is_no_manifest_is_refused(text: bytes) -> None:
    with pytest.raises(BadManifest):
        manifest.check(lambda: manifest.lines_of(io.BytesIO(text)), list)


@pytest.mark.parametrize("order", [b"a\td\n", b"+a\td", b"*a\n", b""])
def test_what_is_no_change_of_one_is_refused(order: bytes) -> None:
    with pytest.raises(BadManifest):
        list(manifest.patched([b"a\td\n"], [order]))
