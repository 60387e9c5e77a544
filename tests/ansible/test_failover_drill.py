"""The playbook that cuts off the machine that has a virtual address: another one takes it, and all is brought back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import lbkit
from lbkit.base.host import RUN_DIR
from tests.ansible.conftest import Play, Played
from tests.example import copied
from tests.machine.world import pids, until

pytestmark = pytest.mark.sandbox


@pytest.fixture
def file(netns: None, topology_name: str, tmp_path: Path) -> Iterator[Path]:
    path = copied(tmp_path / "shop", topology_name)
    lbkit.apply(lbkit.load(path))
    until(lambda: well(path), "all is up")
    yield path
    lbkit.destroy(lbkit.load(path))
    assert not (RUN_DIR / topology_name).exists()


def well(path: Path) -> bool:
    return all(row.health == "up" for row in lbkit.status(lbkit.load(path)))


def holder(path: Path) -> str:
    rows = lbkit.status(lbkit.load(path), only=["load_balancer/shop"])
    return next(str(row.facts["holders"][0]) for row in rows if row.key.kind == "vip")


def test_the_address_fails_over_and_all_is_brought_back(play: Play, file: Path, topology_name: str) -> None:
    def run(*arguments: str, **more: object) -> Played:
        return play("playbooks/failover_drill.yml", *arguments, topology_file=str(file), **more)

    first, before = holder(file), pids(topology_name)
    foreseen = run("--check")
    assert foreseen.code == 0, foreseen.text[-3000:]
    assert (holder(file), pids(topology_name)) == (first, before)

    done = run(check={"protocol": "http", "path": "/"})
    assert done.code == 0, done.text[-3000:]
    cut = done.task("Cut off")
    assert cut["plan"]["changes"] == foreseen.task("Cut off")["plan"]["changes"]
    assert [change["resource"]["name"] for change in cut["plan"]["changes"]] == [first]
    assert well(file)
    assert not lbkit.plan(lbkit.load(file))
    report = json.loads((RUN_DIR / topology_name / "drill-shop.json").read_text())
    assert report["cut_off"] == first != report["taken_over_by"]
    assert report["sent"] > report["lost"]
    assert done.task("Tell")["msg"] == report["message"]
    after = pids(topology_name)
    assert {name for name in before if before[name] != after[name]} == {
        name for name in before if name.startswith(f"{first}/")
    }

    again = run()
    assert (again.code, again.recap["changed"]) == (0, 0), again.text[-3000:]
    assert report["message"] in again.task("Say so")["msg"]
    assert pids(topology_name) == after

    # with something otherwise than it was drilled it is no proof any more, and without all as declared there is no drill
    file.write_text(file.read_text().replace("interval: 1s", "interval: 900ms"))
    refused = run()
    assert refused.code != 0
    assert "Nothing was touched" in refused.text
    assert pids(topology_name) == after

    # one that nobody takes over from comes back all the same; and what was passed once does not count any more
    lbkit.apply(lbkit.load(file))
    until(lambda: well(file), "all is up")
    failed = run(check={"protocol": "http", "path": "/", "expect": {"status": 418}}, deadline="2s")
    assert failed.code != 0
    assert not failed.task("Wait until another")["healthy"]
    assert well(file)
    assert not lbkit.plan(lbkit.load(file))
    assert not (RUN_DIR / topology_name / "drill-shop.json").exists()
