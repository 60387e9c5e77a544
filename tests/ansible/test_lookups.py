"""Lookups in real plays: what they tell is what stands in the topology, or on the host, and every mistake in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import lbkit
from lbkit.faces.addresses import addresses_of
from tests.ansible.conftest import Play

pytestmark = pytest.mark.sandbox


@pytest.fixture
def document(topology_name: str) -> dict[str, Any]:
    service = {"name": "app", "command": ["sleep", "infinity"]}
    return {
        "lbkit": 1,
        "name": topology_name,
        "networks": {"in": {"cidr": "10.84.0.0/24"}, "out": {"cidr": "10.85.0.0/24"}},
        "machines": {"web": {"count": 2, "networks": ["in", "out"], "run": [service]}},
    }


def told(name: str, expression: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "ansible.builtin.debug": {"msg": "{{ " + expression + " }}"}, **more}


def test_addresses_and_states_of_machines(
    netns: None, play: Play, document: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "web.yml").write_text(yaml.safe_dump(document))
    scope = lbkit.load(tmp_path / "web.yml")
    run_dir = str(tmp_path / "run")
    source = {"definition": document, "run_dir": run_dir}
    # what a play has as a variable has templates in it
    templated = json.loads(json.dumps(document).replace("10.84.0.0/24", "{{ cidr }}"))
    wrong = {"ignore_errors": True}
    tasks = [
        told("one", "lookup('lbkit.core.address', 'web-1/out', source='web.yml')"),
        told(
            "all",
            "query('lbkit.core.address', 'web', 'web-1/out', source='web.yml', every=true, prefix=true)",
        ),
        told("variable", "query('lbkit.core.address', 'web-2')", vars={"lbkit_source": "web.yml"}),
        told("given", "query('lbkit.core.address', 'web', definition=templated)"),
        told("none", "query('lbkit.core.machine_state', 'web', source='web.yml')"),
        {"name": "make", "lbkit.core.topology": source},
        told("made", "query('lbkit.core.machine_state', 'web-2', 'web', source='web.yml')"),
        told("near", "lookup('lbkit.core.address', 'wep', source='web.yml')", **wrong),
        told("nobody", "lookup('lbkit.core.machine_state', 'wep-1', source='web.yml')", **wrong),
        told("nothing", "lookup('lbkit.core.address', 'web')", **wrong),
        told("away", "lookup('lbkit.core.address', 'web', source='wep.yml')", **wrong),
        told("wrong", "lookup('lbkit.core.address', 'web', definition={'lbkit': 1, 'nam': 'x'})", **wrong),
        told("option", "lookup('lbkit.core.address', 'web', source='web.yml', family='ipv5')", **wrong),
        {"name": "remove", "lbkit.core.topology": {**source, "state": "absent"}},
    ]
    variables = {"lbkit_run_dir": run_dir, "cidr": "10.84.0.0/24", "templated": templated}
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks, "vars": variables}])
    )
    played = play(playbook)
    assert played.code == 0, played.text

    def said(name: str) -> Any:
        return played.task(name)["msg"]

    assert said("one") == addresses_of(scope, "web-1/out")[0]
    assert said("all") == [
        *addresses_of(scope, "web", every=True, prefix=True),
        *addresses_of(scope, "web-1/out", prefix=True),
    ]
    assert said("variable") == addresses_of(scope, "web-2")
    assert said("given") == addresses_of(scope, "web")

    assert [(each["present"], each["health"]) for each in said("none")] == [(False, "down")] * 2
    assert [each["name"] for each in said("made")] == ["web-2", "web-1", "web-2"]
    for each in said("made"):
        assert (each["present"], each["health"]) == (True, "up")
        assert each["facts"]["addresses"]["in"] == addresses_of(scope, f"{each['name']}/in", prefix=True)
        assert each["services"]["app"]["health"] == "up"
        assert each["services"]["app"]["facts"]["pid"] > 0

    assert "did you mean 'web'?" in said("near")
    assert "did you mean 'web-1'?" in said("nobody")
    assert "`source` or `definition`" in said("nothing")
    assert "wep.yml" in said("away")
    assert "did you mean 'name'?" in said("wrong")
    assert "ipv5" in said("option")
