"""What roles of the collection say of themselves is true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Template

from tests.ansible.conftest import ROOT

ROLES = sorted(
    path.parent.parent for path in ROOT.glob("ansible_collections/lbkit/core/roles/*/meta/main.yml")
)


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_defaults_are_the_options_that_it_tells(role: Path) -> None:
    defaults = read(role / "defaults" / "main.yml")
    specs = read(role / "meta" / "argument_specs.yml")["argument_specs"]
    options = specs["main"]["options"]
    assert all(name.startswith(f"{role.name}_") for name in options)
    assert set(defaults) == {name for name, option in options.items() if not option.get("required")}
    for name, option in options.items():
        assert option["description"], name
        assert option.get("default") == defaults.get(name), name


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_its_readme_names_no_other_variables(role: Path) -> None:
    options = read(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    named = re.findall(rf"\b{role.name}_\w+", (role / "README.md").read_text())
    assert named
    assert set(named) <= set(options)


@pytest.mark.parametrize("unit", ["lbkit@.service", "lbkit-watch@.service"])
def test_units_stand_in_the_documentation_as_lb_host_writes_them(unit: str) -> None:
    role = ROOT / "ansible_collections" / "lbkit" / "core" / "roles" / "lb_host"
    values = (
        read(role / "defaults" / "main.yml") | read(role / "vars" / "main.yml") | {"ansible_managed": "x"}
    )
    values["lb_host__lbkit"] = Template(values["lb_host__lbkit"]).render(values)
    _, _, text = Template((role / "templates" / f"{unit}.j2").read_text()).render(values).partition("\n")
    assert f"# /etc/systemd/system/{unit}\n{text}\n```" in (ROOT / "docs" / "watch.md").read_text()
