"""What a long operation tells who follows it: whole lines, once the file is there, and to nobody else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from lbkit.engine.applying import Event
from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.resource import Desired, Key
from lbkit.faces import following
from lbkit.faces.following import Following
from lbkit.image.progress import Step
from lbkit.mirror.answers import Committing, Progress, Waiting


def change(name: str) -> Change:
    key = Key("machine", name)
    return Change(key, Action.CREATE, Impact.NONE, "new", Desired(key, {"password": "hidden"}), None)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "progress"
    path.touch(0o600)
    return path


def test_an_apply_is_told_change_by_change_without_what_they_carry(file: Path) -> None:
    with Following(file) as follow:
        for kind in ("begin", "step", "carried", "done"):
            follow.applied(Event(kind, change("web-1"), 1.0, "set server key=hidden", 2))
        follow.applied(Event("begin", change("web-2"), 2.0, "", 2))
    told = [(line["state"], line["text"]) for line in lines(file)]
    assert told == [
        ("begins", "create machine web-1"),
        ("done", "create machine web-1: 1 of 2"),
        ("begins", "create machine web-2"),
    ]
    assert "hidden" not in file.read_text()


def test_stages_of_an_image_end_where_the_next_begins(file: Path) -> None:
    with Following(file) as follow:
        follow.step(Step("copy", 0.5))
        follow.step(Step("copy", 0.9))
        follow.step(Step("convert"))
    told = [(line["state"], line["key"]) for line in lines(file) if line["state"] != "goes on"]
    assert told == [("begins", "copy"), ("done", "copy"), ("begins", "convert"), ("done", "convert")]
    assert [line["text"] for line in lines(file) if line["state"] == "goes on"] == ["copy 50%"]


def test_what_fails_in_a_stage_is_not_told_as_done(file: Path) -> None:
    with pytest.raises(RuntimeError), Following(file) as follow:  # noqa: PT012 - within is the point
        follow.step(Step("copy"))
        raise RuntimeError
    assert [line["state"] for line in lines(file)] == ["begins"]


def test_a_run_of_a_mirror_is_told_phase_by_phase(file: Path) -> None:
    with Following(file) as follow:
        follow.run(Waiting(None))
        follow.run(Progress("fetch", 1, 10, 1 << 20, None, 0, None, 1.0))
        follow.run(Committing(12, committed=False, have=("n1",), serving=()))
    assert [(line["state"], line["text"]) for line in lines(file)] == [
        ("begins", "fetch"),
        ("goes on", "fetch  1/10 files  1.0 MiB"),
        ("done", "fetch"),
        ("begins", "nodes get generation 12"),
        ("done", "nodes get generation 12"),
    ]


def test_lines_wait_until_the_file_is_there(tmp_path: Path) -> None:
    file = tmp_path / "later" / "progress"
    with Following(file) as follow:
        follow.step(Step("copy"))
        file.parent.mkdir()
        file.touch(0o600)
        follow.step(Step("convert"))
    assert [line["key"] for line in lines(file)] == ["copy", "copy", "convert", "convert"]


def test_no_file_is_made_and_none_is_needed(tmp_path: Path) -> None:
    for file in (None, tmp_path / "none"):
        with Following(file) as follow:
            follow.step(Step("copy"))
    assert not list(tmp_path.iterdir())


def test_lines_go_to_no_file_that_has_another_name_or_is_none(tmp_path: Path) -> None:
    aim = tmp_path / "aim"
    aim.write_text("as it was")
    (tmp_path / "link").symlink_to(aim)
    (tmp_path / "second").hardlink_to(aim)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    for name in ("link", "second", "fifo", "folder"):
        with Following(tmp_path / name) as follow:
            follow.step(Step("copy"))
    assert aim.read_text() == "as it was"


def test_what_goes_on_is_told_now_and_then(file: Path) -> None:
    now = 100.0
    with Following(file, clock=lambda: now) as follow:
        for _ in range(50):
            now += following.GOES_ON / 10
            follow.step(Step("copy", 0.5))
    assert 4 <= sum(line["state"] == "goes on" for line in lines(file)) <= 6
