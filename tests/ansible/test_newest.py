"""The playbooks with the newest ansible-core, on the Python that it asks for (tools/ansible-newest)."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.ansible.conftest import ROOT, player, surroundings

pytestmark = pytest.mark.sandbox

PROGRAM = ROOT / "build" / "ansible-newest" / "bin" / "ansible-playbook"


def test_site_and_teardown_from_nothing_to_nothing(netns: None, topology_name: str, tmp_path: Path) -> None:
    assert PROGRAM.exists(), "make setup makes it"
    document = {
        "lbkit": 1,
        "name": topology_name,
        "networks": {"in": {"cidr": "10.82.0.0/24"}},
        "machines": {"web": {"count": 2, "networks": ["in"]}},
    }
    file = tmp_path / "topology.yml"
    file.write_text(yaml.safe_dump(document))
    play = player([PROGRAM], lambda: surroundings(tmp_path))
    here = {"topology_file": str(file)}

    checked = play("playbooks/site.yml", "--check", "--diff", **here)
    assert checked.code == 0, checked.text
    made = play("playbooks/site.yml", **here)
    assert made.code == 0, made.text
    assert made.task("as declared")["changed"]
    assert made.task("as declared")["plan"] == checked.task("as declared")["plan"]
    again = play("playbooks/site.yml", **here)
    assert (again.code, again.recap["changed"]) == (0, 0), again.text

    scaled = play("playbooks/scale.yml", scale={"web": 3}, **here)
    assert scaled.code == 0, scaled.text
    assert scaled.task("Scale")["plan"]["summary"] == {"create": 1}
    assert yaml.safe_load(file.read_text())["machines"]["web"]["count"] == 3

    gone = play("playbooks/teardown.yml", **here)
    assert gone.code == 0, gone.text
    assert gone.task("Leave nothing")["changed"]
    again = play("playbooks/teardown.yml", **here)
    assert (again.code, again.recap["changed"]) == (0, 0), again.text
