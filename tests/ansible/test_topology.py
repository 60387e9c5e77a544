"""The modules in real plays: check mode predicts and touches nothing, a second run changes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import lbkit
from lbkit.base.host import Host
from tests.ansible.conftest import ROOT, Play

pytestmark = pytest.mark.sandbox

SCHEMA = json.loads((ROOT / "docs" / "plan.schema.json").read_text())


@pytest.fixture
def document(topology_name: str) -> dict[str, Any]:
    return {
        "lbkit": 1,
        "name": topology_name,
        "networks": {"in": {"cidr": "10.81.0.0/24"}},
        "machines": {"web": {"count": 2, "networks": ["in"]}},
    }


@pytest.fixture
def file(document: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "topology.yml"
    path.write_text(yaml.safe_dump(document))
    return path


def playbook(tmp_path: Path, *tasks: dict[str, Any]) -> Path:
    path = tmp_path / "play.yml"
    path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    return path


@pytest.fixture
def example(topology_name: str, tmp_path: Path) -> Path:
    """The example as it is delivered, under a name of its own, without a TSIG key."""
    folder = tmp_path / "examples"
    shutil.copytree(ROOT / "examples", folder, ignore=shutil.ignore_patterns("*.key"))
    path = folder / "web.yml"
    path.write_text(path.read_text().replace("\nname: web\n", f"\nname: {topology_name}\n"))
    return path


def test_the_example_from_a_fresh_checkout(netns: None, play: Play, example: Path) -> None:
    here = {"topology_file": str(example), "topology_example": str(example)}
    made = play("playbooks/site.yml", **here)
    assert made.code == 0, made.text
    assert (example.parent / "tsig.key").stat().st_mode & 0o777 == 0o600
    assert {"rrset example.test shop A", "haproxy lb-1/shop"} <= {
        f"{change['resource']['kind']} {change['resource']['name']}"
        for change in made.task("as declared")["plan"]["changes"]
    }
    jsonschema.validate(made.task("as declared")["plan"], SCHEMA)
    again = play("playbooks/site.yml", "--diff", **here)
    assert again.recap["changed"] == 0, again.text
    gone = play("playbooks/teardown.yml", topology_file=str(example))
    assert gone.code == 0, gone.text
    assert not lbkit.observe(lbkit.load(example))


def test_site_and_teardown_from_nothing_to_nothing(netns: None, play: Play, file: Path) -> None:
    here = {"topology_file": str(file)}
    scope = lbkit.load(file)
    checked = play("playbooks/site.yml", "--check", "--diff", **here)
    assert checked.code == 0, checked.text
    assert checked.recap["changed"] == 1
    planned = checked.task("as declared")
    jsonschema.validate(planned["plan"], SCHEMA)
    assert not [have for have in lbkit.observe(scope) if have.owner], "check mode made something"
    assert "machine web-1:" in planned["diff"]["after"]
    assert planned["diff"]["before"] == ""

    made = play("playbooks/site.yml", **here)
    assert made.code == 0, made.text
    assert made.task("as declared")["plan"] == planned["plan"], "check mode predicted something else"
    assert {row["health"] for row in made.task("as declared")["status"]} == {"up"}
    assert made.task("Show how it is")["msg"]["machine web-1"].startswith("up")

    again = play("playbooks/site.yml", **here)
    assert again.recap["changed"] == 0, again.text
    assert again.task("as declared")["plan"]["changes"] == []

    checked = play("playbooks/teardown.yml", "--check", **here)
    assert checked.recap["changed"] == 1
    assert not lbkit.plan(scope), "check mode took something down"
    gone = play("playbooks/teardown.yml", **here)
    assert gone.code == 0, gone.text
    assert gone.task("Leave nothing")["plan"] == checked.task("Leave nothing")["plan"]
    assert not lbkit.plan(scope, absent=True)
    assert not lbkit.observe(scope)
    assert play("playbooks/teardown.yml", **here).recap["changed"] == 0


def test_a_definition_in_the_play_and_a_folder_of_its_own(
    netns: None, play: Play, document: dict[str, Any], tmp_path: Path
) -> None:
    run_dir = str(tmp_path / "run")
    source = {"definition": document, "run_dir": run_dir}
    tasks = [
        {"name": "make", "lbkit.core.topology": source},
        {"name": "ask", "lbkit.core.topology_info": source},
        {"name": "remove", "lbkit.core.topology": {**source, "state": "absent"}},
    ]
    played = play(playbook(tmp_path, *tasks))
    assert played.code == 0, played.text
    asked = played.task("ask")
    assert asked["changed"] is False
    assert asked["plan"]["changes"] == []
    assert asked["holds"] == []
    assert {row["name"] for row in asked["status"]} >= {"web-1", "web-2", "in"}
    assert asked["addresses"]["networks"] == {"in": ["10.81.0.0/24"]}
    (address,) = asked["addresses"]["entries"]["machines.web"][0]["addresses"]["in"]
    assert address.startswith("10.81.0.")
    assert played.task("remove")["changed"] is True
    assert not lbkit.observe(lbkit.load_data(document, tmp_path), Host(run_dir=Path(run_dir)))


def test_a_mistake_fails_the_task_with_every_field(
    netns: None, play: Play, document: dict[str, Any], tmp_path: Path
) -> None:
    document["machines"]["web"]["networks"] = ["inn"]
    document["network"] = {}
    played = play(playbook(tmp_path, {"name": "make", "lbkit.core.topology": {"definition": document}}))
    assert played.code == 2
    told = played.task("make")
    assert told["error"]["error"] == "InvalidDocument"
    assert len(told["error"]["problems"]) >= 2
    assert "did you mean" in told["msg"]
    assert told["changed"] is False


@pytest.mark.parametrize(
    "arguments", [{}, {"file": "a", "definition": {}}, {"file": "a", "adopt": ["nothing"]}]
)
def test_arguments_that_cannot_be_meant_are_refused(
    netns: None, play: Play, tmp_path: Path, arguments: dict[str, Any]
) -> None:
    played = play(playbook(tmp_path, {"name": "make", "lbkit.core.topology": arguments}))
    assert played.code == 2
    assert not played.task("make")["changed"]


def test_a_proof_is_returned_where_it_is_wanted_and_something_is_done(
    netns: None, play: Play, document: dict[str, Any], tmp_path: Path
) -> None:
    arguments = {"definition": document, "run_dir": str(tmp_path / "run"), "prove": True}
    names = ("make", "again", "remove")
    tasks = [{"name": name, "lbkit.core.topology": dict(arguments)} for name in names]
    tasks[2]["lbkit.core.topology"]["state"] = "absent"
    played = play(playbook(tmp_path, *tasks))
    assert played.code == 0, played.text
    proof = played.task("make")["proof"]
    assert (proof["sent"], proof["failed"], proof["targets"]) == (0, 0, [])
    assert "nothing is declared that a client could ask" in proof["notes"][0]
    assert "proof" not in played.task("again")
    assert "proof" not in played.task("remove")
