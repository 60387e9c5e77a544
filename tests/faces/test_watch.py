"""`lbkit watch` at the command line: its log, its exit codes, and what it refuses."""

from __future__ import annotations

import errno
import io
import json
import os
import sys

import pytest

from lbkit.engine.resource import Key
from tests.engine.model_room import stand, thing
from tests.faces.conftest import Lbkit
from tests.faces.toy import ToyRoom


def test_once_says_nothing_where_all_is_well_and_else_one_line_for_each_thing(
    lbkit: Lbkit, room: ToyRoom
) -> None:
    told = lbkit("watch", "--once")
    assert told.code == 2
    assert "nothing of it was applied" in told.out
    lbkit("apply", "--yes")
    assert lbkit("watch", "--once").out == ""
    del room.world[Key("thing", "door")]
    told = lbkit("watch", "--once")
    assert told.code == 0
    begin, change, done = told.out.splitlines()
    assert begin.endswith(" shop: 1 change to carry out: create thing door (new)")
    assert change.endswith(" shop: done: create thing door: new")
    assert done.endswith(" shop: stands as declared: 1 done")
    assert not told.err


def test_with_json_each_line_is_a_document(lbkit: Lbkit, room: ToyRoom) -> None:
    lbkit("apply", "--yes")
    del room.world[Key("thing", "door")]
    room.world[Key("thing", "roof")] = stand(thing("roof"))
    told = lbkit("watch", "--once", "--json")
    assert told.code == 2
    lines = [json.loads(line) for line in told.out.splitlines()]
    assert [line["event"] for line in lines] == ["left", "begin", "change", "done"]
    assert {(line["schema"], line["topology"]) for line in lines} == {("lbkit.watch/1", "shop")}
    assert lines[0]["left"] == ["delete thing roof"]
    assert lines[1]["plan"]["summary"] == {"create": 1}
    assert (lines[2]["action"], lines[2]["name"]) == ("create", "door")


def test_no_secret_and_no_control_character_is_in_a_line(lbkit: Lbkit, room: ToyRoom) -> None:
    lbkit("apply", "--yes")
    del room.world[Key("thing", "wall")]
    room.fail_on = Key("thing", "wall")
    for words in (["--once"], ["--once", "--json"]):
        told = lbkit("watch", *words)
        assert told.code == 1
        assert "hunter2" not in told.out
        assert "no more room" in told.out
        assert told.out.count("\n") == len(told.out.splitlines()) == 2, "what was begun, and why it failed"


def test_a_budget_of_none_only_tells(lbkit: Lbkit, room: ToyRoom) -> None:
    lbkit("apply", "--yes")
    del room.world[Key("thing", "door")]
    told = lbkit("watch", "--once", "--budget", "0/h")
    assert told.code == 2
    assert "create thing door (new)" in told.out
    assert Key("thing", "door") not in room.world


@pytest.mark.parametrize(
    "words",
    [
        ["--interval", "10ms"],
        ["--interval", "soon"],
        ["--budget", "many"],
        ["--budget", "-1/h"],
        ["--budget", "5/m"],
        ["--only", "thang"],
        ["--only", ""],
    ],
)
def test_what_cannot_be_meant_is_refused(lbkit: Lbkit, words: list[str]) -> None:
    assert lbkit("watch", "--once", *words).code == 64


@pytest.mark.parametrize("only", ["thing", "thing/d*", "*/door"])
def test_only_chooses_by_kind_and_name(lbkit: Lbkit, room: ToyRoom, only: str) -> None:
    lbkit("apply", "--yes")
    del room.world[Key("thing", "door")]
    assert lbkit("watch", "--once", "--only", only).code == 0
    assert lbkit("watch", "--once", "--only", "part").code == 0


class Full(io.StringIO):
    """A log on a disk without space."""

    def write(self, text: str) -> int:
        if text:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return 0


def test_a_log_that_takes_nothing_stops_no_repair(
    lbkit: Lbkit, room: ToyRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    lbkit("apply", "--yes")
    del room.world[Key("thing", "door")]
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", Full())
        assert lbkit("watch", "--once").code == 0
    assert Key("thing", "door") in room.world
