"""One value of a topology's file is put in another's place: nothing else is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given, reject
from hypothesis import strategies as st

from lbkit.base.errors import Failure, Mistake
from lbkit.base.problems import InvalidDocument
from lbkit.topology.edit import edit

PLACE = ("mirrors", "debian", "master")


def written(folder: Path, text: str, name: str = "lb.yml") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "\ufeff%YAML 1.2\n---\nmirrors: {debian: {master: store}}\n...\n",
            "\ufeff%YAML 1.2\n---\nmirrors: {debian: {master: mirror-2}}\n...\n",
        ),
        ("mirrors:\n  debian:\n    master: store\n", "mirrors:\n  debian:\n    master: mirror-2\n"),
        (
            "mirrors:\r\n  debian: {master: store, keep: 3}  # ä\r\n",
            "mirrors:\r\n  debian: {master: mirror-2, keep: 3}  # ä\r\n",
        ),
        (
            '# ünïcode 🎉\nmirrors: {debian: {"master": "store"}}',
            '# ünïcode 🎉\nmirrors: {debian: {"master": "mirror-2"}}',
        ),
        (
            "mirrors:\n  debian:\n    master:   'store'   # why\n",
            "mirrors:\n  debian:\n    master:   'mirror-2'   # why\n",
        ),
        (
            "x-a: &a {keep: 3}\nmirrors:\n  other: {<<: *a, master: store}\n  debian:\n    <<: *a\n    master:\n      store\n    x: [1, {master: store}]\n",
            "x-a: &a {keep: 3}\nmirrors:\n  other: {<<: *a, master: store}\n  debian:\n    <<: *a\n    master:\n      mirror-2\n    x: [1, {master: store}]\n",
        ),
    ],
)
def test_just_that_value_is_another(tmp_path: Path, old: str, new: str) -> None:
    path = written(tmp_path, old)
    found = edit(path, PLACE, "mirror-2")
    assert path.read_bytes() == old.encode()
    found.write()
    assert path.read_bytes() == new.encode()


def test_what_would_be_read_otherwise_is_quoted(tmp_path: Path) -> None:
    path = written(tmp_path, "mirrors: {debian: {master: store}}\n")
    edit(path, PLACE, "123").write()
    assert path.read_text() == 'mirrors: {debian: {master: "123"}}\n'


def test_json_keeps_its_form(tmp_path: Path) -> None:
    text = '{"x": [1, "a\\ud83d\\ude00", {"mirrors": 1}],\n "mirrors" : {"o": {"master": "store"}, "debian":{ "master"\n:\t"store" , "k":1}}}\n'
    path = written(tmp_path, text, "lb.json")
    found = edit(path, PLACE, "mirror-2")
    found.write()
    assert path.read_text() == '"mirror-2"'.join(text.rsplit('"store"', 1))
    assert found.line == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x-a: &a {master: store}\nmirrors: {debian: {<<: *a}}\n", "merged by <<"),
        ("x-a: &a store\nmirrors: {debian: {master: *a}}\n", "alias"),
        ("mirrors: {debian: {master: &a store}, other: {master: *a}}\n", "anchor"),
        ("mirrors: {debian: &a {master: store}, other: *a}\n", "another place"),
        ("mirrors: {o: &a {master: store}, debian: *a}\n", "alias"),
        ("mirrors: {debian: {master: !!str store}}\n", "tag"),
        ("mirrors:\n  debian:\n    master: >-\n      store\n", "several lines"),
        ("mirrors: {debian: {keep: 3}}\n", "there is no master"),
        ("mirrors: {debian: {master: [store]}}\n", "no text"),
    ],
)
def test_what_is_not_plainly_there_is_left_to_a_person(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(Mistake, match="was to be changed") as caught:
        edit(path, PLACE, "mirror-2")
    assert words in caught.value.found
    assert "write `master: mirror-2` there yourself" in caught.value.remedy
    assert path.read_text() == text


def test_a_file_that_changed_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    path = written(tmp_path, "mirrors: {debian: {master: store}}\n")
    found = edit(path, PLACE, "mirror-2")
    path.write_text("mirrors: {debian: {master: store, keep: 9}}\n")
    with pytest.raises(Failure, match="line 1"):
        found.write()
    assert "keep: 9" in path.read_text()


def test_mode_and_links_stay(tmp_path: Path) -> None:
    path = written(tmp_path, "mirrors: {debian: {master: store}}\n", "real.yml")
    os.chmod(path, 0o640)
    link = tmp_path / "lb.yml"
    link.symlink_to("real.yml")
    edit(link, PLACE, "mirror-2").write()
    assert link.is_symlink()
    assert path.stat().st_mode & 0o7777 == 0o640
    assert "mirror-2" in path.read_text()


COUNT = ("machines", "web", "count")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (
            "lb.yml",
            "machines:\n  web:  # three of them\n    count:   3 # until spring\n    count-of: 3\n",
            "machines:\n  web:  # three of them\n    count:   12 # until spring\n    count-of: 3\n",
        ),
        ("lb.yml", "machines: {web: {count: 0x3}}", "machines: {web: {count: 12}}"),
        (
            "lb.yml",
            "x-a: &a {run: []}\nmachines: {api: *a, web: {<<: *a, count: 3}}\r\n",
            "x-a: &a {run: []}\nmachines: {api: *a, web: {<<: *a, count: 12}}\r\n",
        ),
        (
            "lb.json",
            '{"machines":{"web": {"count"\t:\n3\n}}, "count": 3}',
            '{"machines":{"web": {"count"\t:\n12\n}}, "count": 3}',
        ),
    ],
)
def test_a_number_is_another(tmp_path: Path, name: str, old: str, new: str) -> None:
    path = written(tmp_path, old, name)
    edit(path, COUNT, 12).write()
    assert path.read_bytes() == new.encode()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("lb.yml", "machines: {web: {count: true}}", "no whole number"),
        ("lb.yml", "machines: {web: {count: '3'}}", "no whole number"),
        ("lb.yml", "machines: {web: {count: 3.0}}", "no whole number"),
        ("lb.yml", "machines: {web: {count: }}", "no whole number"),
        ("lb.yml", "machines: {web: {count: &n 3}, api: {count: *n}}", "anchor"),
        ("lb.yml", "machines: {api: {count: &n 3}, web: {count: *n}}", "alias"),
        ("lb.yml", "machines: {web: &a {count: 3}, api: *a}", "another place"),
        ("lb.yml", "machines: {web: &a {count: 3}, api: {<<: *a}}", "another place"),
        ("lb.yml", "x-a: &a {count: 3}\nmachines: {web: {<<: *a}}", "merged by <<"),
        ("lb.yml", "machines: {web: {networks: [a]}}", "there is no count"),
        ("lb.json", '{"machines": {"web": {"count": "3"}}}', "no whole number"),
        ("lb.json", '{"machines": {"web": {"count": false}}}', "no whole number"),
        ("lb.json", '{"machines": {"web": {"count": [3]}}}', "no whole number"),
    ],
)
def test_a_number_that_is_not_plainly_there_is_left_to_a_person(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    path = written(tmp_path, text, name)
    with pytest.raises(Mistake, match="was to be changed to 12") as caught:
        edit(path, COUNT, 12)
    assert words in caught.value.found
    assert "write `count: 12` there yourself" in caught.value.remedy
    assert path.read_text() == text


def test_several_values_are_written_as_one(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeffmachines:\n  web: {count: 9}\n  api: {count: 100}\n")
    first = edit(path, ("machines", "api", "count"), 7)
    both = edit(path, COUNT, 12, on=first)
    assert (first.line, both.line) == (3, 2)
    both.write()
    assert path.read_text() == "\ufeffmachines:\n  web: {count: 12}\n  api: {count: 7}\n"
    with pytest.raises(Failure, match="was to be changed"):
        first.write()


_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)


@given(
    st.dictionaries(_WORDS, _WORDS | st.integers(0, 9) | st.lists(_WORDS, max_size=3), max_size=4),
    st.sampled_from(["block", "flow", "json"]),
)
def test_of_any_document_nothing_else_changes(
    tmp_path_factory: pytest.TempPathFactory, others: dict[str, object], form: str
) -> None:
    data = {**others, "mirrors": {"a": others, "debian": {**others, "master": "store"}}}
    text = (
        json.dumps(data)
        if form == "json"
        else yaml.safe_dump(data, default_flow_style=form == "flow", allow_unicode=True)
    )
    path = written(tmp_path_factory.mktemp("edit"), text, "lb.json" if form == "json" else "lb.yml")
    try:
        found = edit(path, PLACE, "mirror-2")
    except InvalidDocument:
        reject()  # no topology's file could be so in the first place
    data["mirrors"]["debian"]["master"] = "mirror-2"  # type: ignore[index]
    assert yaml.safe_load(found.text) == data or json.loads(found.text) == data
    start = next(
        index for index, pair in enumerate(zip(found.before, found.after, strict=False)) if len(set(pair)) > 1
    )
    assert found.before[:start] == found.after[:start]
    assert len(found.after) - len(found.before) == len("mirror-2") - len("store")
