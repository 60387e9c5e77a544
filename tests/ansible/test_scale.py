"""playbooks/scale.yml on the example: check mode says what comes, no request is lost, a second run changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lbkit
from tests.ansible.conftest import Play, Played
from tests.ansible.foretelling import foretold
from tests.ansible.test_rolling_update import asking
from tests.example import copied

pytestmark = pytest.mark.sandbox

SCALE = "Scale the groups"


@pytest.fixture
def file(netns: None, topology_name: str, tmp_path: Path) -> Iterator[Path]:
    path = copied(tmp_path / "shop", topology_name)
    lbkit.apply(lbkit.load(path))
    yield path
    lbkit.destroy(lbkit.load(path))


@pytest.mark.foretells("topology_scale")
def test_more_and_fewer_machines_and_no_request_is_lost(play: Play, file: Path) -> None:
    text = file.read_text()

    def run(count: object, *words: str, **more: object) -> Played:
        played = play(
            "playbooks/scale.yml", "--diff", *words, topology_file=str(file), scale={"web": count}, **more
        )
        assert played.code == 0, played.text[-3000:]
        return played

    before = standing(file)
    foreseen = run(4, "--check")
    after = standing(file)
    with asking() as answers:
        came = run(4, prove=True)
    assert came.task(SCALE)["changed"]
    foretold(
        "topology_scale", foreseen.task(SCALE), came.task(SCALE), before=before, after=after, parts=("lines",)
    )
    assert came.task(SCALE)["proof"]["failed"] == 0
    assert {answer.partition(" ")[0] for answer in answers} == {"hello"}
    assert file.read_text() == text.replace("count: 3\n", "count: 4\n")
    assert not lbkit.plan(lbkit.load(file))
    diff = came.task(SCALE)["diff"]
    line = text.splitlines().index("    count: 3") + 1
    assert (diff["before"].splitlines()[0], diff["after"].splitlines()[0]) == (
        f"{file}:{line}: machines.web.count: 3",
        f"{file}:{line}: machines.web.count: 4",
    )
    again = run("4")
    assert (again.recap["changed"], again.task(SCALE)["lines"]) == (0, [])


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "pending": ({"web": 4}, "not applied yet: update haproxy lb-1/shop"),
    "none": ({"web": 0}, "web has count: 0"),
    "word": ({"web": "four"}, "a whole number"),
    "nothing": ({}, "none is named"),
}


def test_fewer_machines_and_what_cannot_be(play: Play, file: Path, tmp_path: Path) -> None:
    def task(name: str, counts: dict[str, object], *, check: bool = False) -> dict[str, object]:
        arguments = {"file": str(file), "counts": counts}
        return {
            "name": name,
            "lbkit.core.topology_scale": arguments,
            "check_mode": check,
            "ignore_errors": True,
        }

    tasks = [
        task("foreseen", {"web": 2}, check=True),
        task("came", {"web": 2}),
        task("again", {"web": 2}),
        {
            "name": "somebody edits it",
            "ansible.builtin.replace": {"path": str(file), "regexp": "leastconn", "replace": "roundrobin"},
        },
        *(task(name, counts) for name, (counts, _) in WRONG.items()),
        task("check pending", {"web": 4}, check=True),
    ]
    path = tmp_path / "fewer.yml"
    path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    text = file.read_text()
    with asking() as answers:
        played = play(path, "--diff")
    foreseen, came = played.task("foreseen"), played.task("came")
    assert came["changed"]
    assert [foreseen[each] for each in ("changed", "plan", "lines", "diff")] == [
        came[each] for each in ("changed", "plan", "lines", "diff")
    ], "check mode predicted something else"
    assert {answer.partition(" ")[0] for answer in answers} == {"hello"}
    assert answers[-1] in {"hello from web-1\n", "hello from web-2\n"}
    assert (played.task("again")["changed"], played.recap["changed"]) == (False, 2 + 1)
    for name, (_, found) in WRONG.items():
        assert found in played.task(name)["msg"]
    assert played.task("check pending")["msg"] == played.task("pending")["msg"]
    assert file.read_text() == text.replace("count: 3\n", "count: 2\n").replace("leastconn", "roundrobin")


def standing(file: Path) -> tuple[str, dict[str, Any]]:
    """The topology's file, and what stands of it."""
    return file.read_text(), {str(have.key): have.state for have in lbkit.observe(lbkit.load(file))}
