"""Which node takes a lost master's place, and what is lost then; and what its program tells of its store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.errors import Mistake
from lbkit.mirror.node.main import main
from lbkit.mirror.promotion import Candidate, Found, Survey, Verdict, candidates, choose, losses, without
from lbkit.mirror.tree import serial as serials
from lbkit.mirror.tree.generation import Generation
from lbkit.mirror.tree.store import Store
from tests.mirror.tree.trees import Tree, made


def generation(serial: int) -> Generation:
    return Generation(serial, "d" * 64, 3, 30, 0.0)


def node(name: str, *has: int, serving: int | None = None, trouble: str = "") -> Found:
    """`has` the newest first."""
    return Found(
        name, (has[0] if has else 0) if serving is None else serving, tuple(map(generation, has)), trouble
    )


def survey(*nodes: Found, committed: int | None = None) -> Survey:
    return Survey("debian", "store", alive=False, committed=committed, nodes=nodes)


def names(found: list[Candidate]) -> list[tuple[str, int]]:
    return [(each.node, each.generation.serial) for each in found]


def test_the_newest_comes_first_and_of_those_one_that_serves_it() -> None:
    found = survey(node("a", 12, 11), node("b", 13, 12, serving=12), node("c", 13, 12))
    assert names(candidates(found)) == [("c", 13), ("b", 13), ("a", 12), ("b", 12), ("c", 12), ("a", 11)]
    assert names(candidates(found, "a")) == [("a", 12), ("a", 11)]
    assert names(candidates(without(found, ["b", "c"]))) == [("a", 12), ("a", 11)]
    with pytest.raises(Mistake, match="was to be a node"):
        candidates(found, "store")


def test_serials_go_around() -> None:
    found = survey(node("a", (1 << 32) - 1), node("b", 3))
    assert names(candidates(found))[0] == ("b", 3)


def test_the_first_that_is_whole_is_taken_and_no_other_is_read() -> None:
    found = candidates(survey(node("a", 12), node("b", 13), node("c", 13)))
    damaged = {("b", 13): 2}

    def verified(each: Candidate) -> Verdict:
        return Verdict(each, damaged.get((each.node, each.generation.serial), 0))

    chosen, verdicts = choose(found, verified)
    assert chosen is not None
    assert chosen.node == "c"
    assert [each.whole for each in verdicts] == [False, True]
    chosen, verdicts = choose(found, lambda each: Verdict(each, 0, trouble="no answer"))
    assert chosen is None
    assert len(verdicts) == 3


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (survey(node("a", 12), node("b", 12), committed=12), []),
        (
            survey(node("a", 12), committed=13),
            ["generation 13 was committed, and no node that answers has it"],
        ),
        (survey(node("a", 12), node("b", 13), committed=13), ["generation 13 was committed, and b has it"]),
        (
            survey(node("a", 12), node("b", 13, 12, serving=12), committed=12),
            ["generation 13 was fetched and never committed"],
        ),
        (survey(node("a", 12), node("b", trouble="no answer"), committed=12), ["what b has is not known"]),
        (survey(node("a", 12)), ["what store had fetched"]),
    ],
)
def test_what_is_lost_is_said(seen: Survey, words: list[str]) -> None:
    said = losses(seen, Candidate("a", generation(12)))
    assert len(said) == len(words)
    assert all(part in sentence for part, sentence in zip(words, said, strict=True))


_NODES = st.lists(
    st.lists(st.integers(1, 40), max_size=4, unique=True).map(lambda has: sorted(has, reverse=True)),
    min_size=1,
    max_size=5,
)


@given(_NODES, st.none() | st.integers(1, 40))
def test_nothing_that_was_served_is_lost_in_silence(has: list[list[int]], committed: int | None) -> None:
    seen = survey(*(node(f"n{index}", *each) for index, each in enumerate(has)), committed=committed)
    for chosen in candidates(seen):
        served = serials.highest([*(each.serving for each in seen.nodes), committed or 0])
        back = serials.newer(served, chosen.generation.serial)
        assert back == any("was committed" in words for words in losses(seen, chosen))
    first = next(iter(candidates(seen)), None)
    assert (first is None) == (not any(has))
    if first is not None:
        assert first.generation.serial == max(serial for each in has for serial in each)


class Folder:
    """Of a node's service, with a store that has some generations."""

    def __init__(self, root: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.config = root / "config.json"
        self.config.write_text(json.dumps({"project": "debian", "store": "store"}))
        self.store = Store(root / "store", "debian")
        self.store.root.mkdir()
        self.root, self.capfd = root, capfd

    def make(self, serial: int, tree: Tree) -> None:
        for _ in made(self.store, serial, tree, self.root / f"plain-{serial}"):
            pass

    def told(self, *words: str) -> tuple[int, Any, str]:
        code = main(words)
        told = self.capfd.readouterr()
        return code, json.loads(told.out) if told.out else None, told.err


@pytest.fixture
def folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Folder:
    return Folder(tmp_path, capfd)


def test_a_node_tells_what_it_has(folder: Folder) -> None:
    assert folder.told("show", str(folder.config)) == (0, {"serving": 0, "generations": []}, "")
    folder.make(7, {b"a": b"1"})
    folder.make(8, {b"a": b"1", b"b/c": b"2"})
    code, said, _ = folder.told("show", str(folder.config))
    assert (code, said["serving"]) == (0, 8)
    assert [each["serial"] for each in said["generations"]] == [8, 7]
    assert Generation.from_data(said["generations"][0], "") == folder.store.find(8)


@pytest.mark.parametrize("how", [[], ["quick"]])
def test_a_node_tells_whether_a_generation_is_whole(folder: Folder, how: list[str]) -> None:
    folder.make(7, {b"a": b"1", b"b/c": b"22", b"l": b"->a", b"\xff": b"3"})
    words = ("verify", str(folder.config), "7", *how)
    assert folder.told(*words)[1] == {"files": 3, "size": 4, "damaged": 0, "first": []}
    tree = folder.store.tree(7)
    (tree / "b" / "c").unlink()
    (tree / "a").write_bytes(b"11")
    said = folder.told(*words)[1]
    assert [(each["path"], each["fault"]) for each in said["first"]] == [("a", "damaged"), ("b/c", "missing")]


def test_bytes_of_the_same_size_are_seen_by_who_reads_them(folder: Folder) -> None:
    folder.make(7, {b"a": b"1"})
    (folder.store.tree(7) / "a").write_bytes(b"2")
    assert folder.told("verify", str(folder.config), "7", "quick")[1]["damaged"] == 0
    assert folder.told("verify", str(folder.config), "7")[1]["damaged"] == 1


@pytest.mark.parametrize("how", [[], ["quick"]])
def test_a_manifest_that_is_another_proves_nothing(folder: Folder, how: list[str]) -> None:
    folder.make(7, {b"a": b"1"})
    folder.store.manifest(7).write_bytes(b"")
    assert folder.told("verify", str(folder.config), "7", *how)[1]["damaged"] == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["verify", "config", "8"], 1),
        (["verify", "config", "-1"], 64),
        (["show"], 64),
        (["show", "none"], 64),
    ],
)
def test_what_a_node_cannot_tell_is_an_error(folder: Folder, words: list[str], code: int) -> None:
    given = [str(folder.config) if word == "config" else word for word in words]
    found, said, error = folder.told(*given)
    assert (found, said) == (code, None)
    assert "was to be" in error or "were to be" in error
